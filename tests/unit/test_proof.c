/* proof.c: a fence is in force where it was tried and refused, or the kernel shows it. */
#include "system/proof.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define PID 4711

/* As /proc/PID/status has it. */
static int status_of(const char *text)
{
    int fd = memfd_create("status", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static struct proof_found judge(const char *text, uint32_t tried, uint32_t refused,
                                uint32_t promised)
{
    const struct proof proof = {.status = text != NULL ? status_of(text) : -1,
                                .landlock = 7,
                                .tried = tried,
                                .refused = refused};
    struct proof_found found = {0};

    proof_judge(&proof, PID, promised, &found);
    if (proof.status >= 0)
        close(proof.status);
    return found;
}

#define FENCED                                                                                     \
    "Name:\tx\nPid:\t4711\nPPid:\t1\nCapPrm:\t0000000000000000\n"                                  \
    "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n"
#define OPEN                                                                                       \
    "Name:\tx\nPid:\t4711\nPPid:\t1\nCapPrm:\t0000000000000400\n"                                  \
    "NoNewPrivs:\t0\nSeccomp:\t0\n"
#define SHOWN (FENCE(PRIVILEGES) | FENCE(CALLS) | FENCE(CAPABILITIES))

TEST(test_shown)
{
    struct proof_found found = judge(FENCED, 0, 0, SHOWN);

    assert_int_equal(found.held, SHOWN);
    assert_int_equal(found.missing | found.unknown, 0);
    assert_int_equal(found.filters, 3);
    found = judge(OPEN, 0, 0, SHOWN);
    assert_int_equal(found.missing, SHOWN);
    assert_int_equal(found.held | found.unknown, 0);
    assert_int_equal(found.filters, 0);
    /* Nothing was promised: what holds is said, what does not is not missed. */
    assert_int_equal(judge(FENCED, 0, 0, 0).held, SHOWN);
    assert_int_equal(judge(OPEN, 0, 0, 0).missing, 0);
}

/* Of another process, cut off, empty, or not there at all: nothing is known. */
TEST(test_not_shown)
{
    static const char *const texts[] = {
        "Name:\tx\nPid:\t4712\nCapPrm:\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n",
        "Name:\tPid:\t4711\nCapPrm:\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n",
        "Name:\tx\nPid:\t4711",
        "Name:\tx\nPid:\t4711\nCapPrm:\tnone\nNoNewPrivs:\t1 \nSeccomp:\t2",
        "",
        NULL,
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct proof_found found = judge(texts[i], 0, 0, SHOWN);

        assert_int_equal(found.unknown, SHOWN);
        assert_int_equal(found.held | found.missing, 0);
    }
}

/* What a process says of itself counts for what only it can try. */
TEST(test_tried)
{
    const uint32_t both = FENCE(WRITE) | FENCE(SIGNALS);
    struct proof_found found = judge(OPEN, UINT32_MAX, UINT32_MAX, FENCES_WORKER);

    assert_int_equal(found.missing, SHOWN);
    assert_int_equal(found.held, FENCES_ALL & ~SHOWN);
    found = judge(NULL, both, FENCE(WRITE), both | FENCE(READ));
    assert_int_equal(found.held, FENCE(WRITE));
    assert_int_equal(found.missing, FENCE(SIGNALS));
    assert_int_equal(found.unknown, FENCE(READ));
    /* That it was refused what it never tried, says nothing. */
    found = judge(NULL, 0, FENCE(WRITE), FENCE(WRITE));
    assert_int_equal(found.unknown, FENCE(WRITE));
}

/* What the version does not know is missing, tried or not. */
TEST(test_lacking)
{
    char sentence[FENCE_SENTENCE_SIZE];

    for (unsigned version = 0; version < 9; version++) {
        const struct proof proof = {.status = -1, .landlock = version};
        struct proof_found found = {0};

        proof_judge(&proof, PID, FENCES_ALL & ~SHOWN & ~FENCE(DUMPS), &found);
        for (unsigned kind = FENCE_READ; kind <= FENCE_SIGNALS; kind++) {
            uint32_t bit = UINT32_C(1) << kind;

            assert_int_equal((found.missing & bit) != 0, version < fence_kind_since(kind));
            assert_int_equal((found.unknown & bit) != 0, version >= fence_kind_since(kind));
        }
    }
    assert_true(fence_kinds_tell_lacking(FENCES_ALL, 0, "the broker", sentence));
    assert_string_equal(sentence,
                        "this kernel has no Landlock, or hides it: advisory alone are, of "
                        "the broker: read, write, truncate, execute, tcp_bind, "
                        "tcp_connect, abstract_sockets, signals");
    assert_false(fence_kinds_tell_lacking(FENCES_ALL, 6, "the broker", sentence));
}

/* ---- This kernel ---- */

static uint32_t asked;

/* Every fence for itself: what is held is found, and nothing else. */
static int hold_one(void)
{
    struct proof proof;

    if (proof_hold(asked, NULL, 0, &proof) != OK)
        return 1;
    if (proof.refused != (asked & ~fence_kinds_lacking(asked, landlock_version())))
        return 2;
    if ((proof.tried & ~FENCE(DUMPS)) != asked || !proof_is_status(proof.status))
        return 3;
    return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 || asked == FENCE(READ) ? 0 : 4;
}

/* One that is inherited is found, too. */
static int hold_twice(void)
{
    struct proof proof;

    for (unsigned i = 0; i < 2; i++) {
        if (proof_hold(asked, NULL, 0, &proof) != OK)
            return 1;
    }
    return proof.refused == (asked & ~fence_kinds_lacking(asked, landlock_version())) ? 0 : 2;
}

/* Nothing is held, and nothing is found, however much is tried. */
static int hold_nothing(void)
{
    struct proof proof;

    return proof_hold(0, NULL, 0, &proof) == OK && proof.refused == 0 ? 0 : 1;
}

static int hold_dumps(void)
{
    struct proof proof;

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) < 0)
        return 1;
    return proof_hold(0, NULL, 0, &proof) == OK && proof.refused == FENCE(DUMPS) ? 0 : 2;
}

TEST(test_hold)
{
    for (unsigned kind = FENCE_READ; kind <= FENCE_SIGNALS; kind++) {
        asked = UINT32_C(1) << kind;
        assert_int_equal(unit_status_of(hold_one), 0);
    }
    asked = FENCE(READ) | FENCE(WRITE) | FENCE(TRUNCATE) | FENCE(TCP_BIND) | FENCE(TCP_CONNECT);
    assert_int_equal(unit_status_of(hold_twice), 0);
    assert_int_equal(unit_status_of(hold_nothing), 0);
    assert_int_equal(unit_status_of(hold_dumps), 0);
    assert_false(proof_is_status(STDERR_FILENO));
    assert_false(proof_is_status(-1));
}
