/* spawning.c: workers are started with what the broker gave for them, one in each place. */
#include "parent/anew.h"
#include "parent/spawning.h"

#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char launched[256]; /* what would have been started */
static pid_t child;

/* In the place of anew.c: a process that only waits. */
enum error anew_start(const struct anew *launch, pid_t *pid, int *pidfd)
{
    snprintf(launched, sizeof(launched), "%s %s %s %s with %zu", launch->verb, launch->arguments[0],
             launch->arguments[1], launch->arguments[2], launch->count);
    child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    *pid = child;
    *pidfd = -1;
    return child > 0 ? OK : ERROR_IO;
}

static enum error give(struct spawning *spawning, uint32_t gift, uint32_t place)
{
    return spawning_give(spawning, &(struct errand){ERRAND_GIVE, place, gift, NULL},
                         open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static enum error start(struct spawning *spawning, uint32_t place, const char *slots,
                        struct errand *answer)
{
    int pidfd;

    return spawning_start(spawning, &(struct errand){ERRAND_SPAWN, place, 500, slots}, answer,
                          &pidfd);
}

static void give_all(struct spawning *spawning)
{
    for (uint32_t gift = 0; gift < ERRAND_GIFT_LISTENER; gift++)
        assert_int_equal(give(spawning, gift, 0), OK);
}

TEST(test_starts)
{
    struct spawning spawning;
    struct errand answer = {.kind = ERRAND_NONE};
    int status;

    spawning_init(&spawning);
    give_all(&spawning);
    assert_int_equal(give(&spawning, ERRAND_GIFT_LISTENER, 3), OK);
    assert_int_equal(give(&spawning, ERRAND_GIFT_LISTENER, 0), OK);
    assert_int_equal(start(&spawning, 2, "3,0", &answer), OK);
    assert_string_equal(launched, "worker 3,0 3,0 500 with 4");
    assert_int_equal(answer.kind, ERRAND_SPAWNED);
    assert_int_equal(answer.place, 2);
    assert_int_equal(answer.number, child);
    /* Its place is taken; the next one needs gifts of its own. */
    give_all(&spawning);
    assert_int_equal(start(&spawning, 2, "3,0", &answer), ERROR_SYNTAX);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(spawning_reap(&spawning, child + 1, status, &answer));
    assert_true(spawning_reap(&spawning, child, status, &answer));
    assert_int_equal(answer.kind, ERRAND_ENDED);
    assert_int_equal(answer.place, 2);
    assert_int_equal(answer.number, SIGKILL);
    assert_int_equal(start(&spawning, 2, "", &answer), OK);
    spawning_end(&spawning);
    assert_int_equal(kill(child, 0), -1);
}

/* One that could not be asked for any more leaves nothing for the next. */
TEST(test_begins_anew)
{
    struct spawning spawning;
    struct errand answer;

    spawning_init(&spawning);
    give_all(&spawning);
    assert_int_equal(give(&spawning, ERRAND_GIFT_LISTENER, 1), OK);
    give_all(&spawning);
    assert_int_equal(start(&spawning, 0, "1", &answer), OK);
    assert_string_equal(launched, "worker  1 500 with 2");
    spawning_end(&spawning);
}

TEST(test_refuses)
{
    static const char *const lists[] = {"a", "1 2", "-1", "1;2", "../x", "1\n"};
    struct spawning spawning;
    struct errand answer;
    int before = dup(STDERR_FILENO), after;

    close(before);
    spawning_init(&spawning);
    assert_int_equal(start(&spawning, 0, "0", &answer), ERROR_SYNTAX);
    assert_int_equal(spawning_give(&spawning, &(struct errand){ERRAND_GIVE, 0, 0, NULL}, -1),
                     ERROR_SYNTAX);
    assert_int_equal(give(&spawning, ERRAND_GIFT_CONFIG, 0), OK);
    assert_int_equal(give(&spawning, ERRAND_GIFT_CONFIG, 0), ERROR_SYNTAX);
    assert_int_equal(give(&spawning, ERRAND_GIFT_ERRORS, 1), ERROR_SYNTAX);
    assert_int_equal(give(&spawning, ERRAND_GIFT_COUNT, 0), ERROR_SYNTAX);
    assert_int_equal(give(&spawning, ERRAND_GIFT_LISTENER, CONFIG_SLOT_TELEMETRY + 1),
                     ERROR_SYNTAX);
    assert_int_equal(start(&spawning, 0, "0", &answer), ERROR_SYNTAX);
    give_all(&spawning);
    assert_int_equal(start(&spawning, CONFIG_WORKERS_MAX, "0", &answer), ERROR_SYNTAX);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        assert_int_equal(start(&spawning, 0, lists[i], &answer), ERROR_SYNTAX);
    for (size_t i = 0; i < SPAWNING_LISTENERS_MAX; i++) {
        int fd = -1;

        /* Not so many descriptors: one is counted as often. */
        spawning.listeners[spawning.listener_count++] = fd;
    }
    assert_int_equal(give(&spawning, ERRAND_GIFT_LISTENER, 0), ERROR_SYNTAX);
    spawning_end(&spawning);
    after = dup(STDERR_FILENO);
    assert_int_equal(after, before); /* every descriptor was closed */
    close(after);
}
