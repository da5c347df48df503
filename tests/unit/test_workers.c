/* workers.c: who is told what. Processes that only wait stand in for workers. */
#define FIXTURE_REAL_WORKERS
#include "broker_fixture.h"

#include "broker/core/parent.h"
#include "broker/core/spawn.h"
#include "broker/core/switching.h"
#include "broker/core/workers.h"
#include "setup/bundle.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 2

static struct workers *workers;
static int channels[WORKERS]; /* the other ends of those that live */
static pid_t pids[WORKERS];
static uint64_t spawned;
static struct config_bundle bundle;

/* In the place of spawn.c, and of the parent. */
enum error spawn_worker(struct parent *parent, const struct surfaces *surfaces, unsigned worker,
                        const struct spawn_descriptors *given)
{
    (void)parent;
    (void)surfaces;
    if (channels[worker] >= 0)
        close(channels[worker]);
    channels[worker] = dup(given->channel);
    pids[worker] = fork();
    if (pids[worker] == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    spawned++;
    return pids[worker] > 0 ? OK : ERROR_IO;
}

/* The parent tells of each that was started, and of those that end. */
static void tell_spawned(unsigned worker)
{
    workers_take_spawned(workers, worker, pids[worker],
                         (int)syscall(SYS_pidfd_open, pids[worker], 0));
}

static void tell_ended(unsigned worker)
{
    int status;

    assert_int_equal(waitpid(pids[worker], &status, 0), pids[worker]);
    workers_take_ended(workers, worker, status);
}

bool parent_wait(struct parent *parent)
{
    siginfo_t info;

    (void)parent;
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        if (pids[i] == info.si_pid)
            tell_ended(i);
    }
    return true;
}

bool spawn_serves(const struct surfaces *surfaces, unsigned worker, uint32_t slot)
{
    (void)surfaces;
    (void)worker;
    (void)slot;
    return true;
}

bool spawn_would_serve(const struct surface *surface, unsigned all, unsigned worker, uint32_t slot)
{
    (void)surface;
    (void)all;
    (void)worker;
    (void)slot;
    return true;
}

bool spawn_keeps_state(const struct surfaces *surfaces, unsigned worker)
{
    (void)surfaces;
    (void)worker;
    return false;
}

static enum error listen_to(struct gate *gate, struct incarnation from,
                            const struct workers_message *message)
{
    (void)gate;
    (void)from;
    (void)message;
    return ERROR_SYNTAX; /* they say nothing */
}

static void forget(struct gate *gate, struct incarnation worker)
{
    (void)gate;
    (void)worker;
}

static int set_up(void **state)
{
    struct broker_fixture *fixture;
    struct workers_options options = {.listen = listen_to, .forget = forget};

    for (unsigned i = 0; i < WORKERS; i++)
        channels[i] = -1;
    spawned = 0;
    if (broker_fixture_make(state) != 0)
        return -1;
    fixture = *state;
    fixture->config->workers = WORKERS;
    fixture->gate.bundle = &bundle;
    options.gate = &fixture->gate;
    if (uv_loop_init(&fixture->gate.loop) != 0 || workers_create(&options, &workers) != OK)
        return -1;
    for (unsigned i = 0; i < WORKERS; i++)
        tell_spawned(i);
    return 0;
}

static int tear_down(void **state)
{
    struct broker_fixture *fixture = *state;

    workers_destroy(workers);
    uv_run(&fixture->gate.loop, UV_RUN_DEFAULT);
    uv_loop_close(&fixture->gate.loop);
    for (unsigned i = 0; i < WORKERS; i++)
        close(channels[i]);
    return broker_fixture_drop(state);
}

#define WORKERS_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

/* The type of what a worker is told next; IPC_NONE: nothing. */
static enum ipc_type heard(unsigned worker)
{
    static unsigned char bytes[IPC_MESSAGE_BYTES_MAX];
    ssize_t length = recv(channels[worker], bytes, sizeof(bytes), MSG_DONTWAIT);

    return length > 0 ? ipc_type_of(bytes, (size_t)length) : IPC_NONE;
}

WORKERS_TEST(test_only_holders_hear_of_a_session)
{
    struct broker_fixture *fixture = *state;
    struct connection_entry entry = {.worker = {.worker = 1, .generation = 2},
                                     .connection = 1,
                                     .surface = &fixture->gate.surfaces.items[0],
                                     .session_id = "alpha"};

    assert_int_equal(connections_add(&fixture->gate.connections, &entry), OK);
    workers_extend_session(workers, "alpha", FIXTURE_NOW);
    workers_cut_session(workers, "alpha", REASON_SESSION_REVOKED);
    workers_extend_session(workers, "beta", FIXTURE_NOW);
    workers_cut_session(workers, "beta", REASON_SESSION_REVOKED);
    assert_int_equal(heard(0), IPC_NONE);
    assert_int_equal(heard(1), IPC_EXTEND);
    assert_int_equal(heard(1), IPC_CUT_SESSION);
    assert_int_equal(heard(1), IPC_NONE);
    workers_cut_session(workers, NULL, REASON_SESSION_REVOKED);
    assert_int_equal(heard(0), IPC_CUT_SESSION);
    assert_int_equal(heard(1), IPC_CUT_SESSION);
}

/* The answer to a process that has gone reaches nobody, and its descriptor is closed. */
WORKERS_TEST(test_an_answer_is_for_the_process_that_asked)
{
    struct broker_fixture *fixture = *state;
    const struct ipc_link link = {.connection = 1, .reason = REASON_ALLOWED};
    const struct incarnation gone = {0, 1}, there = {0, WORKERS + 1};
    int pair[2];
    char byte;

    kill(pids[0], SIGKILL);
    tell_ended(0);
    while (spawned == WORKERS)
        uv_run(&fixture->gate.loop, UV_RUN_ONCE);
    tell_spawned(0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    workers_answer(workers, gone, IPC_LINK, &link, pair[1]);
    assert_int_equal(heard(0), IPC_NONE);
    assert_int_equal(recv(pair[0], &byte, 1, MSG_DONTWAIT), 0);
    workers_answer(workers, there, IPC_LINK, &link, -1);
    assert_int_equal(heard(0), IPC_LINK);
    close(pair[0]);
}

/* Whether the process in a place has been killed. */
static bool is_killed(unsigned worker)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, (id_t)pids[worker], &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
           info.si_pid == pids[worker];
}

static void await_end(unsigned worker)
{
    siginfo_t info;

    assert_int_equal(waitid(P_PID, (id_t)pids[worker], &info, WEXITED | WNOWAIT), 0);
    assert_true(is_killed(worker));
}

/* Every slot is some surface's: of those that leave the second worker may hold something. */
static void fill_slots(struct broker_fixture *fixture, uint64_t left_at_ms)
{
    struct surfaces *surfaces = &fixture->gate.surfaces;

    for (size_t i = surfaces->count; i < CONFIG_SLOTS_MAX; i++)
        surfaces->items[i] = (struct surface_state){.config = surfaces->items[0].config,
                                                    .leaving = true,
                                                    .awaited = UINT32_C(1) << 1,
                                                    .left_at_ms = left_at_ms};
}

static void free_slots(struct broker_fixture *fixture)
{
    struct surfaces *surfaces = &fixture->gate.surfaces;

    for (size_t i = surfaces->count; i < CONFIG_SLOTS_MAX; i++)
        surfaces->items[i] = (struct surface_state){.config = NULL};
}

/* Slots that a worker never lets go of would be gone for good. */
WORKERS_TEST(test_who_holds_all_slots_for_too_long_is_ended)
{
    struct broker_fixture *fixture = *state;
    uint64_t patience_ms = 60000 + fixture->config->surfaces[0].limits.upstream_timeout_ms;
    static struct fresh fresh;

    fresh = (struct fresh){.bundle.config = fixture->config};
    fresh.made[0].config = &fixture->config->surfaces[0];
    fixture->gate.workers = workers;
    while (uv_now(&fixture->gate.loop) <= patience_ms) {
        /* A machine that has just been started. */
        poll(NULL, 0, 1000);
        uv_update_time(&fixture->gate.loop);
    }
    fill_slots(fixture, uv_now(&fixture->gate.loop) - patience_ms);
    assert_int_equal(switching_prepare(&fixture->gate, &fresh), ERROR_LIMIT);
    assert_false(is_killed(0));
    assert_false(is_killed(1));
    fill_slots(fixture, uv_now(&fixture->gate.loop) - patience_ms - 1);
    assert_int_equal(switching_prepare(&fixture->gate, &fresh), ERROR_LIMIT);
    await_end(1);
    assert_false(is_killed(0));
    free_slots(fixture);
}

/* It begins with what was in force when it was asked for, and nobody knows its number yet. */
WORKERS_TEST(test_who_was_asked_for_follows_a_reload)
{
    struct broker_fixture *fixture = *state;
    static struct fresh fresh;
    enum error error;
    int status;

    fixture->gate.workers = workers;
    kill(pids[0], SIGKILL);
    tell_ended(0);
    while (spawned == WORKERS)
        uv_run(&fixture->gate.loop, UV_RUN_ONCE);
    fresh = (struct fresh){.bundle = {.config = fixture->config, .sealed = channels[0]}};
    error = switching_prepare(&fixture->gate, &fresh);
    for (size_t i = 0; i < fresh.descriptor_count; i++)
        close(fresh.descriptors[i]);
    free(fresh.descriptors);
    /* Nobody waits for one that could not be started after all. */
    fixture->gate.switching.awaited = 3;
    workers_take_spawned(workers, 0, 0, -1);
    kill(pids[0], SIGKILL);
    assert_int_equal(waitpid(pids[0], &status, 0), pids[0]);
    assert_int_equal(error, OK);
    assert_int_equal(fresh.descriptor_count, WORKERS);
    assert_int_equal(fixture->gate.switching.awaited, 2);
}
