/*
 * core/executables.c: digests are computed off the loop, once for all who ask, and remembered while
 * they hold. The files here are made up: system/executable.c has its own test.
 */
#include "broker/core/executables.h"

#include "config/load.h"
#include "system/executable.h"
#include "unit.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES EXECUTABLES_KNOWN_MAX /* as many as a configuration may name */

/* What lies at "/f/0", "/f/1" and so on. */
static struct {
    struct executable_identity identity;
    bool settled;
    enum error error;
} files[FILES];

static atomic_uint hashed; /* how often any was read */
static int gate[2];        /* a pipe: with `held` a byte lets one be read */
static atomic_bool held;

static size_t number_of(const char *path)
{
    return strtoul(path + 3, NULL, 10);
}

static void digest_of(size_t number, char out[SHA256_HEX_SIZE])
{
    snprintf(out, SHA256_HEX_SIZE, "%064zx", number);
}

bool executable_same(const struct executable_identity *one, const struct executable_identity *other)
{
    return one->inode == other->inode && one->bytes == other->bytes;
}

void executable_look(const char *path, struct exec_facts *out, struct executable_identity *identity)
{
    *out = (struct exec_facts){.exists = true};
    snprintf(out->resolved, sizeof(out->resolved), "%s", path);
    *identity = files[number_of(path)].identity;
}

enum error executable_hash(const char *resolved, const struct executable_identity *identity,
                           char out[SHA256_HEX_SIZE], bool *settled)
{
    size_t number = number_of(resolved);
    char byte;

    if (held && read(gate[0], &byte, 1) != 1)
        return ERROR_IO;
    hashed++;
    *settled = files[number].settled;
    digest_of(number, out);
    return executable_same(identity, &files[number].identity) ? files[number].error : ERROR_STATE;
}

struct fixture {
    struct executables *executables;
    struct config *config;
    struct params *params[FILES]; /* one runs one file */
};

static int load_config(struct config **out)
{
    static struct json_faults faults;
    char text[FILES * 128], digest[SHA256_HEX_SIZE];
    int length = snprintf(text, sizeof(text),
                          "{\"state_dir\":\"/s\",\"control_socket\":\"/s/c\","
                          "\"surfaces\":{\"a\":{\"listen\":[\"localhost:1\"],"
                          "\"upstream\":{\"socket\":\"/s/a\"},\"dialect\":\"opaque\"}},"
                          "\"executables\":[");

    for (size_t i = 0; i < FILES; i++) {
        digest_of(i, digest);
        length +=
            snprintf(text + length, sizeof(text) - (size_t)length,
                     "%s{\"path\":\"/f/%zu\",\"sha256\":\"%s\"}", i > 0 ? "," : "", i, digest);
    }
    length += snprintf(text + length, sizeof(text) - (size_t)length, "]}");
    memset(&faults, 0, sizeof(faults));
    if (config_load(text, (size_t)length, NULL, 0, getuid(), out, &faults) == OK)
        return 0;
    print_error("%s: %s\n", faults.items[0].pointer, faults.items[0].text);
    return -1;
}

static int make(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL || load_config(&fixture->config) != 0 || pipe(gate) != 0)
        return -1;
    for (size_t i = 0; i < FILES; i++) {
        char record[64];
        int length = snprintf(record, sizeof(record), "{\"command\":\"/f/%zu\"}", i);

        files[i].identity = (struct executable_identity){.inode = i + 1};
        files[i].settled = true;
        files[i].error = OK;
        if (params_parse(record, (size_t)length, &fixture->params[i]) != OK)
            return -1;
    }
    hashed = 0;
    held = false;
    *state = fixture;
    return executables_create(&fixture->executables) == OK ? 0 : -1;
}

static int drop(void **state)
{
    struct fixture *fixture = *state;

    executables_stop(fixture->executables);
    executables_destroy(fixture->executables);
    for (size_t i = 0; i < FILES; i++)
        params_destroy(fixture->params[i]);
    config_destroy(fixture->config);
    close(gate[0]);
    close(gate[1]);
    free(fixture);
    return 0;
}

#define EXECUTABLES_TEST(test) TEST_BETWEEN(test, make, drop)

/* Somebody who asks about a file, and asks again when told to. */
struct asker {
    struct executables_wait wait;
    const struct fixture *fixture;
    size_t file;
    enum error verdict;
    unsigned told;
};

static void ask(struct asker *asker)
{
    char why[512];

    asker->verdict =
        executables_check(asker->fixture->executables, asker->fixture->config,
                          asker->fixture->params[asker->file], &asker->wait, why, sizeof(why));
}

static void on_known(struct executables_wait *wait)
{
    struct asker *asker = wait->context;

    asker->told++;
    ask(asker);
}

static void begin(struct asker *asker, const struct fixture *fixture, size_t file)
{
    *asker = (struct asker){
        .wait = {.known = on_known, .context = asker}, .fixture = fixture, .file = file};
    ask(asker);
}

static void settle(const struct fixture *fixture)
{
    lane_finish(executables_lane(fixture->executables));
}

static void let_one_through(void)
{
    assert_int_equal(write(gate[1], "x", 1), 1);
}

EXECUTABLES_TEST(test_one_computation_for_all)
{
    struct fixture *fixture = *state;
    struct asker askers[5];

    held = true;
    for (size_t i = 0; i < 5; i++) {
        begin(&askers[i], fixture, 3);
        assert_int_equal(askers[i].verdict, ERROR_STATE);
    }
    let_one_through();
    settle(fixture);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(askers[i].told, 1);
        assert_int_equal(askers[i].verdict, OK);
    }
    assert_int_equal(hashed, 1);
    begin(&askers[0], fixture, 3);
    assert_int_equal(askers[0].verdict, OK);
    assert_int_equal(hashed, 1);
}

/* Another file, or another content: the digest of before says nothing of it. */
EXECUTABLES_TEST(test_a_change_is_seen)
{
    struct fixture *fixture = *state;
    struct asker asker;

    begin(&asker, fixture, 3);
    settle(fixture);
    assert_int_equal(asker.verdict, OK);
    files[3].identity.bytes = 99;
    files[3].error = ERROR_IO;
    begin(&asker, fixture, 3);
    assert_int_equal(asker.verdict, ERROR_STATE);
    settle(fixture);
    assert_int_equal(asker.verdict, ERROR_DENIED);
    /* A failure is not remembered. */
    files[3].error = OK;
    begin(&asker, fixture, 3);
    assert_int_equal(asker.verdict, ERROR_STATE);
    settle(fixture);
    assert_int_equal(asker.verdict, OK);
    assert_int_equal(hashed, 3);
}

/* A file that was changed a moment ago holds for those who wait, and no longer. */
EXECUTABLES_TEST(test_what_may_still_change_is_not_remembered)
{
    struct fixture *fixture = *state;
    struct asker asker;

    files[3].settled = false;
    for (unsigned i = 1; i <= 3; i++) {
        begin(&asker, fixture, 3);
        assert_int_equal(asker.verdict, ERROR_STATE);
        settle(fixture);
        assert_int_equal(asker.verdict, OK);
        assert_int_equal(asker.told, 1);
        assert_int_equal(hashed, i);
    }
}

/* Changed while it was read: nobody is let in on that, and it is looked at anew. */
EXECUTABLES_TEST(test_a_change_meanwhile)
{
    struct fixture *fixture = *state;
    struct asker asker;

    held = true;
    begin(&asker, fixture, 3);
    files[3].identity.bytes = 99;
    let_one_through();
    let_one_through();
    settle(fixture);
    assert_int_equal(asker.told, 2);
    assert_int_equal(asker.verdict, OK);
    assert_int_equal(hashed, 2);
}

EXECUTABLES_TEST(test_who_does_not_wait_any_more_is_not_told)
{
    struct fixture *fixture = *state;
    struct asker gone, still;

    held = true;
    begin(&still, fixture, 3);
    begin(&gone, fixture, 3);
    executables_forget(&gone.wait);
    let_one_through();
    settle(fixture);
    assert_int_equal(gone.told, 0);
    assert_int_equal(still.told, 1);
}

static unsigned count_told(const struct asker *askers, size_t count)
{
    unsigned told = 0;

    for (size_t i = 0; i < count; i++)
        told += askers[i].told;
    return told;
}

/* When many wait for one digest they are told some a turn; one that may not hold is made anew. */
EXECUTABLES_TEST(test_many_are_told_in_turns)
{
    struct fixture *fixture = *state;
    struct asker askers[3 * EXECUTABLES_TOLD_PER_TURN];
    size_t count = sizeof(askers) / sizeof(askers[0]);
    struct pollfd ready = {.fd = lane_fd(executables_lane(fixture->executables)), .events = POLLIN};

    held = true;
    files[3].settled = false;
    for (size_t i = 0; i < count; i++)
        begin(&askers[i], fixture, 3);
    for (unsigned turn = 1; turn <= 3; turn++) {
        let_one_through();
        assert_int_equal(poll(&ready, 1, -1), 1);
        lane_reap(executables_lane(fixture->executables));
        assert_int_equal(count_told(askers, count), turn * EXECUTABLES_TOLD_PER_TURN);
        assert_int_equal(hashed, turn);
    }
    files[3].settled = true;
    for (size_t i = 0; i < count; i++)
        begin(&askers[i], fixture, 3);
    let_one_through();
    settle(fixture);
    assert_int_equal(hashed, 4);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(askers[i].told, 1);
        assert_int_equal(askers[i].verdict, OK);
    }
}

/* As many as there is room for; then the one that nobody asked for the longest gives way. */
EXECUTABLES_TEST(test_the_table_is_bounded)
{
    struct fixture *fixture = *state;
    struct asker asker;

    for (size_t i = 0; i < EXECUTABLES_KNOWN_MAX; i++) {
        begin(&asker, fixture, i);
        settle(fixture);
    }
    begin(&asker, fixture, 0); /* asked for again */
    assert_int_equal(asker.verdict, OK);
    files[7].identity.bytes = 99; /* one more */
    begin(&asker, fixture, 7);
    settle(fixture);
    assert_int_equal(hashed, EXECUTABLES_KNOWN_MAX + 1);
    begin(&asker, fixture, 0);
    assert_int_equal(asker.verdict, OK);
    begin(&asker, fixture, 1);
    assert_int_equal(asker.verdict, ERROR_STATE);
    settle(fixture);
    assert_int_equal(asker.verdict, OK);
}

/* All places taken by what is being computed: refused, not queued without end. */
EXECUTABLES_TEST(test_a_full_table_refuses)
{
    struct fixture *fixture = *state;
    struct asker askers[EXECUTABLES_KNOWN_MAX + 1];

    held = true;
    for (size_t i = 0; i < EXECUTABLES_KNOWN_MAX; i++)
        begin(&askers[i], fixture, i);
    files[7].identity.bytes = 99; /* one more */
    begin(&askers[EXECUTABLES_KNOWN_MAX], fixture, 7);
    assert_int_equal(askers[EXECUTABLES_KNOWN_MAX - 1].verdict, ERROR_STATE);
    assert_int_equal(askers[EXECUTABLES_KNOWN_MAX].verdict, ERROR_DENIED);
    for (size_t i = 0; i <= EXECUTABLES_KNOWN_MAX; i++)
        let_one_through();
    settle(fixture);
    for (size_t i = 0; i < EXECUTABLES_KNOWN_MAX; i++)
        assert_int_equal(askers[i].verdict, OK);
}

/* At the end nothing more is read, and whoever waits is refused. */
EXECUTABLES_TEST(test_the_end)
{
    struct fixture *fixture = *state;
    struct asker asker;

    executables_stop(fixture->executables);
    begin(&asker, fixture, 3);
    assert_int_equal(asker.verdict, ERROR_STATE);
    settle(fixture);
    assert_int_equal(asker.told, 1);
    assert_int_equal(asker.verdict, ERROR_DENIED);
    assert_int_equal(hashed, 0);
}
