/*
 * Nothing acknowledged is lost: a child creates, uses up and revokes sessions
 * and reports each finished operation; it is killed at a random moment; the
 * store is opened again and must hold every one of them.
 */
#include "store_fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS       50
#define LIFE_US_MAX  20000
#define SESSIONS_MAX 65536

enum operation { CREATED, REVOKED, USED, KILLED, OPERATIONS };

struct report {
    uint32_t number; /* of the session, or of the surface killed */
    uint32_t operation;
};

/* What was acknowledged, over all rounds. */
struct ledger {
    bool done[OPERATIONS][SESSIONS_MAX];
    uint32_t next; /* the first number that was never used */
    unsigned acknowledged;
};

static void name_surface(uint32_t number, char out[TOKEN_NAME_SIZE])
{
    snprintf(out, TOKEN_NAME_SIZE, "surface-%u", number);
}

static void name_session(uint32_t number, struct session *session)
{
    *session = (struct session){.surface = "studio",
                                .params_digest = "-",
                                .created_at = NOW,
                                .expires_at = NOW + 900,
                                .once = true};
    snprintf(session->id, sizeof(session->id), "%032x", number);
    snprintf(session->token_id, sizeof(session->token_id), "%032x", ~number);
}

static void report(int fd, uint32_t number, enum operation operation)
{
    const struct report line = {number, operation};

    if (write(fd, &line, sizeof(line)) != (ssize_t)sizeof(line))
        _exit(2);
}

/* One session's life; any failure of the store ends the child with a status. */
static void work_once(struct store *store, uint32_t number, int fd)
{
    char surface[TOKEN_NAME_SIZE];
    struct session session;

    name_session(number, &session);
    name_surface(number, surface);
    if (KEPT(store, store_session_add, &session) != OK)
        _exit(4);
    report(fd, number, CREATED);
    if (number % 3 == 0) {
        if (KEPT(store, store_session_use, session.id, NOW + 1) != OK)
            _exit(5);
        report(fd, number, USED);
    }
    if (number % 2 == 0) {
        if (KEPT(store, store_session_revoke, session.id, NOW + 2) != OK)
            _exit(6);
        report(fd, number, REVOKED);
    }
    if (number % 5 == 0) {
        if (KEPT(store, store_surface_set_killed, surface, true, NOW) != OK)
            _exit(7);
        report(fd, number, KILLED);
    }
}

/* Works until it is killed. */
static void work(const char *directory, uint32_t number, int fd)
{
    struct store *store;
    char why[WHY_SIZE];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (store_open(directory, &store, why) != OK)
        _exit(3);
    for (;;)
        work_once(store, number++, fd);
}

/* Takes the next report into account; false at the end of the pipe. */
static bool read_report(int fd, struct ledger *ledger)
{
    struct report line;

    if (read(fd, &line, sizeof(line)) != (ssize_t)sizeof(line))
        return false;
    assert_true(line.number < SESSIONS_MAX - 2 && line.operation < OPERATIONS);
    ledger->done[line.operation][line.number] = true;
    ledger->next = line.number + 1;
    ledger->acknowledged++;
    return true;
}

static void run_until_killed(const struct fixture *fixture, struct ledger *ledger)
{
    uint16_t random;
    int pipe_fds[2], status;
    pid_t child;

    assert_int_equal(secret_random(&random, sizeof(random)), OK);
    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pipe_fds[0]);
        work(fixture->directory, ledger->next, pipe_fds[1]);
    }
    close(pipe_fds[1]);
    /* However slow the machine is, each round has something to lose. */
    assert_true(read_report(pipe_fds[0], ledger));
    usleep(random % LIFE_US_MAX);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    while (read_report(pipe_fds[0], ledger))
        continue;
    close(pipe_fds[0]);
}

static void check_number(struct fixture *fixture, const struct ledger *ledger, uint32_t number)
{
    char surface[TOKEN_NAME_SIZE];
    struct session named, found;
    bool killed;

    name_session(number, &named);
    name_surface(number, surface);
    if (!ledger->done[CREATED][number])
        return;
    if (store_session_get(fixture->store, named.id, &found) != OK)
        fail_msg("session %u was acknowledged and is gone", number);
    if (ledger->done[REVOKED][number] && found.revoked_at == 0)
        fail_msg("session %u was revoked and lives", number);
    if (ledger->done[USED][number] && found.used_at == 0)
        fail_msg("session %u was used and is fresh again", number);
    session_clear(&found);
    assert_int_equal(store_surface_killed(fixture->store, surface, &killed), OK);
    if (ledger->done[KILLED][number] && !killed)
        fail_msg("surface %u was killed and is armed again", number);
}

static void check_ledger(struct fixture *fixture, struct ledger *ledger)
{
    struct session named, found;

    for (uint32_t number = 0; number < ledger->next; number++)
        check_number(fixture, ledger, number);
    /* One more may have been created without the report getting out: go on after it. */
    name_session(ledger->next, &named);
    if (store_session_get(fixture->store, named.id, &found) == OK) {
        session_clear(&found);
        ledger->next++;
    }
}

STORE_TEST(test_kill_at_random_moments)
{
    struct fixture *fixture = *state;
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    assert_non_null(ledger);
    for (int round = 0; round < ROUNDS; round++) {
        close_store(fixture);
        run_until_killed(fixture, ledger);
        if (open_store(fixture) != OK)
            fail_msg("after round %d: %s", round, fixture->why);
        check_ledger(fixture, ledger);
    }
    print_message("%u operations acknowledged in %d rounds\n", ledger->acknowledged, ROUNDS);
    free(ledger);
}

/* Killed while it makes directory, key and database: the next start succeeds, with one key. */
STORE_TEST(test_kill_during_the_first_start)
{
    struct fixture *fixture = *state;
    unsigned unfinished = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        char why[WHY_SIZE];
        int status;
        pid_t child;

        close_store(fixture);
        temporary_remove(fixture->directory);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit(store_open(fixture->directory, &fixture->store, why) == OK ? 0 : 1);
        }
        usleep(round * round * 8);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFSIGNALED(status))
            unfinished++;
        else
            assert_int_equal(WEXITSTATUS(status), 0);
        if (open_store(fixture) != OK)
            fail_msg("after round %u: %s", round, fixture->why);
    }
    assert_true(unfinished > 0);
    print_message("%u of %d first starts were cut short\n", unfinished, ROUNDS);
}
