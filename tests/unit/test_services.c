/* core/services.c: what the launcher is asked, and what becomes of those who wait for a service. */
#include "broker/core/services.h"

#include "broker/core/service_fences.h"

#include "config/load.h"
#include "ipc/channel.h"
#include "temporary.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char text[] =
    "{\"state_dir\":\"/nowhere\",\"surfaces\":{"
    "\"one\":{\"listen\":[\"localhost:1\"],\"upstream\":{\"command\":[\"/bin/cat\"]},\"dialect\":"
    "\"mcp\"},"
    "\"two\":{\"listen\":[\"localhost:2\"],\"upstream\":{\"socket\":\"/nowhere/s\"},\"dialect\":"
    "\"mcp\"}}}";

static struct {
    struct gate gate;
    char root[TEMPORARY_PATH_SIZE];
    struct config *config;
    struct services *services;
    struct channel *launcher; /* the other end */
    unsigned char bytes[IPC_MESSAGE_BYTES_MAX];
} world;

struct waiter {
    struct services_dial dial;
    unsigned told;
    enum reason reason;
    int fd;
};

static unsigned gone;
static enum error gone_error;

static struct surface_state *one(void)
{
    return &world.gate.surfaces.items[0];
}

static void turn(void)
{
    for (int i = 0; i < 4; i++)
        uv_run(&world.gate.loop, UV_RUN_NOWAIT);
}

static void attach(void)
{
    int pair[2] = {0};

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    channel_destroy(world.launcher);
    assert_int_equal(channel_create(pair[1], &world.launcher), OK);
    services_take_launcher(world.services, pair[0]);
}

static int set_up(void **state)
{
    static struct json_faults faults;

    (void)state;
    memset(&world, 0, sizeof(world));
    gone = 0;
    assert_int_equal(config_load(text, strlen(text), NULL, 0, getuid(), &world.config, &faults),
                     OK);
    assert_int_equal(surfaces_create(world.config, &world.gate.surfaces), OK);
    assert_non_null(temporary_make(world.root));
    snprintf(world.gate.audit_path, sizeof(world.gate.audit_path), "%s/audit", world.root);
    assert_int_equal(audit_open(world.gate.audit_path, &world.gate.audit), OK);
    uv_loop_init(&world.gate.loop);
    assert_int_equal(quotas_create(CONFIG_SLOTS_MAX, &world.gate.quotas), OK);
    assert_int_equal(services_create(&world.gate, &world.services), OK);
    return 0;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    uv_walk(&world.gate.loop, close_handle, NULL);
    uv_run(&world.gate.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world.gate.loop), 0);
    services_destroy(world.services);
    channel_destroy(world.launcher);
    surfaces_clear(&world.gate.surfaces);
    config_destroy(world.config);
    audit_close(world.gate.audit);
    quotas_destroy(world.gate.quotas);
    temporary_remove(world.root);
    return 0;
}

/* How often the audit log has this. */
static unsigned logged(const char *words)
{
    static char log[64 * 1024];
    FILE *file = fopen(world.gate.audit_path, "re");
    unsigned count = 0;

    assert_non_null(file);
    log[fread(log, 1, sizeof(log) - 1, file)] = '\0';
    (void)fclose(file);
    for (const char *at = strstr(log, words); at != NULL; at = strstr(at + 1, words))
        count++;
    return count;
}

/* What the launcher is asked next; NONE: nothing. */
static struct errand asked(void)
{
    struct errand errand = {.kind = ERRAND_NONE};
    const void *bytes = NULL;
    size_t length = 0;
    int fd = -1;

    turn();
    assert_int_equal(channel_receive(world.launcher, &bytes, &length, &fd), OK);
    assert_int_equal(fd, -1);
    if (length > 0)
        assert_int_equal(errand_decode(bytes, length, &errand), OK);
    return errand;
}

static void say(struct errand errand, int fd)
{
    struct ipc_writer writer = {.bytes = world.bytes};

    errand_encode(&writer, &errand);
    assert_int_equal(channel_send(world.launcher, &writer, fd), OK);
    turn();
}

static void say_state(enum service_state state)
{
    say((struct errand){.kind = ERRAND_SERVICE,
                        .number = state,
                        .text = state == SERVICE_READY ? "" : "because"},
        -1);
}

static void on_dialed(struct services_dial *dial, enum reason reason, int fd)
{
    struct waiter *waiter = (struct waiter *)dial;

    waiter->told++;
    waiter->reason = reason;
    waiter->fd = fd;
}

static void dial(struct waiter *waiter)
{
    *waiter = (struct waiter){.dial.dialed = on_dialed, .fd = -1};
    services_dial(world.services, one(), &waiter->dial);
}

static void on_gone(struct services_end *end, enum error error)
{
    (void)end;
    gone++;
    gone_error = error;
}

static void kill_one(struct services_end *end)
{
    one()->killed = true;
    *end = (struct services_end){.slots = {true}, .gone = on_gone};
    services_kill(world.services, end);
}

static void start_one(void)
{
    struct errand errand;

    attach();
    errand = asked();
    assert_int_equal(errand.kind, ERRAND_START);
    assert_int_equal(errand.place, 0);
    assert_string_equal(errand.text, "one");
    assert_int_equal(asked().kind, ERRAND_NONE);
    say_state(SERVICE_READY);
}

TEST_BETWEEN(test_only_what_has_a_command_is_started, set_up, tear_down)
{
    start_one();
    assert_int_equal(one()->service.state, SERVICE_READY);
    services_follow(world.services);
    assert_int_equal(asked().kind, ERRAND_NONE);
}

TEST_BETWEEN(test_what_is_killed_is_ended_and_told_when_it_is_gone, set_up, tear_down)
{
    struct services_end end;
    struct errand errand;

    start_one();
    kill_one(&end);
    errand = asked();
    assert_int_equal(errand.kind, ERRAND_END);
    assert_int_equal(errand.number, 0);
    say_state(SERVICE_WAITING);
    assert_int_equal(gone, 0);
    say_state(SERVICE_GONE);
    assert_int_equal(gone, 1);
    assert_int_equal(gone_error, OK);
    assert_int_equal(asked().kind, ERRAND_NONE); /* it stays so */
    one()->killed = false;
    services_follow(world.services);
    assert_int_equal(asked().kind, ERRAND_START);
}

/* It stands still: then it goes, and what it had with it. */
TEST_BETWEEN(test_a_launcher_that_does_not_end_what_is_killed, set_up, tear_down)
{
    struct services_end end;
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        for (;;)
            pause();
    }
    services_take_process(world.services, (int)syscall(SYS_pidfd_open, child, 0));
    start_one();
    kill_one(&end);
    while (waitpid(child, &status, WNOHANG) == 0)
        uv_run(&world.gate.loop, UV_RUN_ONCE);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(gone, 0);
    attach();
    assert_int_equal(gone, 1);
}

TEST_BETWEEN(test_armed_before_it_was_gone, set_up, tear_down)
{
    struct services_end end;

    start_one();
    kill_one(&end);
    assert_int_equal(asked().kind, ERRAND_END);
    one()->killed = false;
    services_follow(world.services);
    assert_int_equal(asked().kind, ERRAND_NONE);
    say_state(SERVICE_GONE);
    assert_int_equal(gone, 1);
    assert_int_equal(asked().kind, ERRAND_START);
}

TEST_BETWEEN(test_nothing_is_left_when_there_is_another_launcher, set_up, tear_down)
{
    struct services_end end;

    start_one();
    channel_destroy(world.launcher);
    world.launcher = NULL;
    turn();
    assert_int_equal(one()->service.state, SERVICE_STARTING);
    kill_one(&end);
    assert_int_equal(gone, 0);
    attach();
    assert_int_equal(gone, 1);
    assert_int_equal(asked().kind, ERRAND_NONE);
}

TEST_BETWEEN(test_killed_before_there_is_a_launcher, set_up, tear_down)
{
    struct services_end end;
    struct waiter waiter;

    kill_one(&end);
    assert_int_equal(gone, 1);
    dial(&waiter);
    assert_int_equal(waiter.reason, REASON_SERVICE_DOWN);
    attach();
    assert_int_equal(asked().kind, ERRAND_NONE);
}

TEST_BETWEEN(test_the_broker_ends_first, set_up, tear_down)
{
    struct services_end end;

    start_one();
    kill_one(&end);
    services_stop(world.services);
    assert_int_equal(gone, 1);
    assert_int_equal(gone_error, ERROR_STATE);
}

TEST_BETWEEN(test_connections, set_up, tear_down)
{
    struct waiter first, second;
    struct errand errand;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    start_one();
    dial(&first);
    dial(&second);
    errand = asked();
    assert_int_equal(errand.kind, ERRAND_DIAL);
    say((struct errand){.kind = ERRAND_DIALED, .number = errand.number}, fd);
    assert_int_equal(first.told, 1);
    assert_int_equal(first.reason, REASON_ALLOWED);
    assert_true(first.fd >= 0);
    close(first.fd);
    errand = asked();
    say((struct errand){.kind = ERRAND_UNDIALED, .number = errand.number, .place = EAGAIN}, -1);
    assert_int_equal(second.told, 1);
    assert_int_equal(second.reason, REASON_UPSTREAM_BUSY);
}

TEST_BETWEEN(test_many_are_asked_for_some_at_a_time, set_up, tear_down)
{
    static struct waiter waiters[SERVICES_ASKED_MAX + 2];
    uint32_t numbers[SERVICES_ASKED_MAX] = {0};
    const size_t count = sizeof(waiters) / sizeof(waiters[0]);

    start_one();
    for (size_t i = 0; i < count; i++)
        dial(&waiters[i]);
    for (size_t i = 0; i < SERVICES_ASKED_MAX; i++)
        numbers[i] = asked().number;
    assert_int_equal(asked().kind, ERRAND_NONE);
    say((struct errand){.kind = ERRAND_UNDIALED, .number = numbers[0], .place = EIO}, -1);
    assert_int_equal(waiters[0].told, 1);
    assert_int_equal(asked().kind, ERRAND_DIAL);
    assert_int_equal(asked().kind, ERRAND_NONE);
    services_forget(world.services, &waiters[1].dial);
    assert_int_equal(waiters[1].told, 0);
    say_state(SERVICE_WAITING);
    for (size_t i = 2; i < count; i++) {
        assert_int_equal(waiters[i].told, 1);
        assert_int_equal(waiters[i].reason, REASON_SERVICE_DOWN);
    }
    assert_int_equal(waiters[1].told, 0);
}

TEST_BETWEEN(test_a_service_that_starts_is_waited_for, set_up, tear_down)
{
    struct waiter waiter, late;

    dial(&waiter); /* also before there is a launcher */
    assert_int_equal(waiter.told, 0);
    attach();
    assert_int_equal(asked().kind, ERRAND_START);
    assert_int_equal(asked().kind, ERRAND_NONE);
    say_state(SERVICE_READY);
    assert_int_equal(asked().kind, ERRAND_DIAL);
    /* A launcher that has ended is asked once more: the next one. */
    attach();
    assert_int_equal(asked().kind, ERRAND_START);
    assert_int_equal(waiter.told, 0);
    say_state(SERVICE_READY);
    assert_int_equal(asked().kind, ERRAND_DIAL);
    say_state(SERVICE_EXPOSED);
    assert_int_equal(waiter.reason, REASON_SERVICE_EXPOSED);
    dial(&late);
    assert_int_equal(late.told, 1);
    assert_int_equal(late.reason, REASON_SERVICE_EXPOSED);
}

/* What no launcher of ours says is the last that is heard of it. */
static void refuses(struct errand errand, int fd)
{
    say(errand, fd);
    assert_int_equal(one()->service.state, SERVICE_STARTING);
    assert_true(one()->service.asked);
    assert_int_equal(
        channel_receive(world.launcher, &(const void *){NULL}, &(size_t){0}, &(int){0}), ERROR_IO);
    start_one();
}

TEST_BETWEEN(test_what_may_not_be_said, set_up, tear_down)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    start_one();
    refuses((struct errand){.kind = ERRAND_SERVICE, .number = SERVICE_IDLE, .text = ""}, -1);
    refuses((struct errand){.kind = ERRAND_SERVICE, .number = SERVICE_STATE_COUNT, .text = ""}, -1);
    refuses(
        (struct errand){.kind = ERRAND_SERVICE, .place = 1, .number = SERVICE_READY, .text = ""},
        -1);
    refuses((struct errand){.kind = ERRAND_SERVICE, .place = 9999, .text = ""}, -1);
    refuses((struct errand){.kind = ERRAND_PORTS, .text = "1/tcp\n"}, -1);
    refuses((struct errand){.kind = ERRAND_DIALED, .number = 1}, -1);
    refuses((struct errand){.kind = ERRAND_UNDIALED, .number = 0}, -1);
    refuses((struct errand){.kind = ERRAND_START, .text = "one"}, -1);
    refuses((struct errand){.kind = ERRAND_UNDIALED, .number = 1}, fd);
}

TEST_BETWEEN(test_one_that_stops_listening_is_waited_for, set_up, tear_down)
{
    struct waiter waiter;
    uint32_t number;

    start_one();
    dial(&waiter);
    number = asked().number;
    say_state(SERVICE_STARTING);
    say((struct errand){.kind = ERRAND_UNDIALED, .number = number, .place = ECONNREFUSED}, -1);
    assert_int_equal(waiter.told, 0);
    say_state(SERVICE_READY);
    number = asked().number;
    say((struct errand){.kind = ERRAND_UNDIALED, .number = number, .place = ECONNREFUSED}, -1);
    assert_int_equal(waiter.reason, REASON_SOCKET_DEAF);
}

static struct {
    unsigned told;
    enum error error;
    char why[WHY_SIZE];
} restarted;

static void on_restarted(struct services_restart *restart, enum error error, const char *why)
{
    (void)restart;
    restarted.told++;
    restarted.error = error;
    snprintf(restarted.why, sizeof(restarted.why), "%s", why);
}

static void restart_one(struct services_restart *restart)
{
    memset(&restarted, 0, sizeof(restarted));
    *restart = (struct services_restart){.surface = one(), .done = on_restarted};
    services_restart(world.services, restart);
}

TEST_BETWEEN(test_one_that_is_started_again_is_told_when_it_is_served, set_up, tear_down)
{
    struct services_restart restart;
    struct errand errand;

    start_one();
    restart_one(&restart);
    errand = asked();
    assert_int_equal(errand.kind, ERRAND_END);
    assert_true(errand.number > 0);
    say_state(SERVICE_READY); /* still the one that ends */
    assert_int_equal(restarted.told, 0);
    say_state(SERVICE_GONE);
    assert_int_equal(asked().kind, ERRAND_START);
    assert_int_equal(restarted.told, 0);
    say_state(SERVICE_READY);
    assert_int_equal(restarted.told, 1);
    assert_int_equal(restarted.error, OK);
    assert_int_equal(one()->service.restarts, 1);
}

TEST_BETWEEN(test_one_that_is_started_again_and_fails, set_up, tear_down)
{
    struct services_restart restart;

    start_one();
    restart_one(&restart);
    say_state(SERVICE_GONE);
    say_state(SERVICE_WAITING);
    assert_int_equal(restarted.told, 1);
    assert_int_equal(restarted.error, ERROR_STATE);
    assert_string_equal(restarted.why, "because");
    restart_one(&restart); /* nobody waits for the delay to pass */
    say_state(SERVICE_GONE);
    one()->killed = true;
    services_follow(world.services);
    say_state(SERVICE_GONE);
    assert_int_equal(restarted.error, ERROR_STATE);
    assert_non_null(strstr(restarted.why, "killed"));
}

TEST_BETWEEN(test_the_launcher_ends_in_a_restart, set_up, tear_down)
{
    struct services_restart first, second;

    start_one();
    restart_one(&first);
    attach();
    assert_int_equal(restarted.told, 0);
    restart_one(&second);
    say_state(SERVICE_READY); /* of the first; the second ends it */
    assert_int_equal(restarted.told, 1);
    say_state(SERVICE_GONE);
    services_stop(world.services);
    assert_int_equal(restarted.told, 2);
    assert_int_equal(restarted.error, ERROR_STATE);
}

/* Nothing will be said of it any more, and its slot may become another's. */
TEST_BETWEEN(test_it_leaves_and_the_launcher_ends_in_a_restart, set_up, tear_down)
{
    struct services_restart restart;

    start_one();
    restart_one(&restart);
    one()->leaving = true;
    attach();
    assert_false(one()->service.asked);
    assert_int_equal(restarted.told, 1);
    assert_int_equal(restarted.error, ERROR_STATE);
    assert_int_equal(asked().kind, ERRAND_NONE);
}

TEST_BETWEEN(test_connections_wait_for_the_one_that_follows, set_up, tear_down)
{
    struct services_restart restart;
    struct waiter before, during;
    uint32_t number;

    start_one();
    dial(&before);
    number = asked().number;
    restart_one(&restart);
    assert_int_equal(asked().kind, ERRAND_END);
    dial(&during);
    assert_int_equal(asked().kind, ERRAND_NONE);
    say((struct errand){.kind = ERRAND_UNDIALED, .number = number, .place = ECONNRESET}, -1);
    say_state(SERVICE_GONE);
    assert_int_equal(asked().kind, ERRAND_START);
    say_state(SERVICE_READY);
    assert_int_equal(asked().kind, ERRAND_DIAL);
    assert_int_equal(asked().kind, ERRAND_DIAL);
    assert_int_equal(before.told + during.told, 0);
}

/* ---- On demand ---- */

/* As if it had been configured so. */
static void make_on_demand(void)
{
    struct surface *config = one()->config;

    config->command.start = START_ON_DEMAND;
    config->command.idle_stop_s = 1;
    services_follow(world.services);
    assert_int_equal(one()->service.state, SERVICE_IDLE);
}

/* Until nobody has asked for so long. */
static void pass_time(void)
{
    for (int i = 0; i < 10 && !one()->service.ending && one()->service.asked; i++)
        uv_run(&world.gate.loop, UV_RUN_ONCE);
}

TEST_BETWEEN(test_one_on_demand_begins_when_somebody_asks, set_up, tear_down)
{
    struct waiter waiter;

    make_on_demand();
    attach();
    assert_int_equal(asked().kind, ERRAND_NONE);
    dial(&waiter);
    assert_int_equal(asked().kind, ERRAND_START);
    assert_int_equal(waiter.told, 0);
    say_state(SERVICE_READY);
    assert_int_equal(asked().kind, ERRAND_DIAL);
    services_forget(world.services, &waiter.dial);
}

static void enter(struct waiter *waiter)
{
    *waiter = (struct waiter){.dial = {.dialed = on_dialed, .enters = true}, .fd = -1};
    services_dial(world.services, one(), &waiter->dial);
}

/* What is known of the fences of what runs goes with it, and a descriptor of anything else is none.
 */
TEST_BETWEEN(test_the_fences_of_a_service, set_up, tear_down)
{
    const uint32_t tried = FENCES_SERVICE << 16, all = tried | FENCES_SERVICE;
    int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    char pid[16];
    struct proof_found found = {0};

    snprintf(pid, sizeof(pid), "%d", getpid());
    start_one();
    assert_false(service_fences_judge(one(), &found));
    say((struct errand){.kind = ERRAND_FENCED, .number = all, .text = pid},
        fcntl(status, F_DUPFD_CLOEXEC, 0));
    assert_true(service_fences_judge(one(), &found));
    assert_int_equal(found.held & FENCE(ABSTRACT), FENCE(ABSTRACT));
    assert_int_equal(found.missing & FENCE(CALLS), FENCE(CALLS)); /* we have no filter */
    say((struct errand){.kind = ERRAND_FENCED, .number = tried, .text = pid},
        fcntl(status, F_DUPFD_CLOEXEC, 0));
    assert_true(service_fences_judge(one(), &found));
    assert_int_equal(found.missing & FENCE(ABSTRACT), FENCE(ABSTRACT));
    say((struct errand){.kind = ERRAND_EXITED, .text = ""}, -1);
    assert_false(service_fences_judge(one(), &found));
    refuses((struct errand){.kind = ERRAND_FENCED, .text = "no number"},
            fcntl(status, F_DUPFD_CLOEXEC, 0));
    refuses((struct errand){.kind = ERRAND_FENCED, .text = pid}, -1);
    refuses((struct errand){.kind = ERRAND_FENCED, .place = 9999, .text = pid},
            fcntl(status, F_DUPFD_CLOEXEC, 0));
    refuses((struct errand){.kind = ERRAND_FENCED, .text = pid},
            open("/dev/null", O_RDONLY | O_CLOEXEC));
    close(status);
}

TEST_BETWEEN(test_who_enters_waits_for_a_process_and_no_longer, set_up, tear_down)
{
    struct waiter none, first, second;
    struct errand errand;

    make_on_demand();
    enter(&none); /* there is no launcher */
    assert_int_equal(none.reason, REASON_SERVICE_DOWN);
    attach();
    assert_int_equal(asked().kind, ERRAND_START);
    enter(&first);
    assert_int_equal(asked().kind, ERRAND_NONE);
    say_state(SERVICE_STARTING);
    say((struct errand){.kind = ERRAND_PORTS, .number = 7, .text = ""}, -1);
    errand = asked();
    assert_int_equal(errand.kind, ERRAND_ENTER);
    enter(&second);
    assert_int_equal(asked().kind, ERRAND_ENTER);
    say((struct errand){.kind = ERRAND_PORTS, .number = 7, .text = "80/tcp"}, -1);
    assert_int_equal(asked().kind, ERRAND_NONE); /* each is asked for once */
    say((struct errand){.kind = ERRAND_UNDIALED, .number = errand.number, .place = EAGAIN}, -1);
    assert_int_equal(first.reason, REASON_UPSTREAM_BUSY);
    say((struct errand){.kind = ERRAND_EXITED, .text = ""}, -1);
    say_state(SERVICE_WAITING);
    assert_int_equal(second.reason, REASON_SERVICE_DOWN);
    enter(&none);
    assert_int_equal(none.told, 1);
}

TEST_BETWEEN(test_one_on_demand_ends_when_nobody_asks, set_up, tear_down)
{
    const struct quota_holder holder = quota_surface(0);
    struct waiter waiter, meanwhile;

    make_on_demand();
    attach();
    dial(&waiter);
    assert_int_equal(asked().kind, ERRAND_START);
    say_state(SERVICE_READY);
    assert_int_equal(asked().kind, ERRAND_DIAL);
    for (int i = 0; i < 3; i++) /* somebody waits */
        uv_run(&world.gate.loop, UV_RUN_ONCE);
    assert_false(one()->service.ending);
    services_forget(world.services, &waiter.dial);
    assert_int_equal(quota_take(world.gate.quotas, QUOTA_SURFACE_QUESTIONS, holder),
                     REASON_ALLOWED);
    for (int i = 0; i < 3; i++) /* somebody is being admitted */
        uv_run(&world.gate.loop, UV_RUN_ONCE);
    assert_false(one()->service.ending);
    quota_give(world.gate.quotas, QUOTA_SURFACE_QUESTIONS, holder);
    pass_time();
    assert_int_equal(asked().kind, ERRAND_END);
    assert_int_equal(logged("service_idle"), 1);
    dial(&meanwhile); /* whoever comes while it ends waits for the next one */
    assert_int_equal(asked().kind, ERRAND_NONE);
    say_state(SERVICE_GONE);
    assert_int_equal(asked().kind, ERRAND_START);
    say_state(SERVICE_READY);
    assert_int_equal(asked().kind, ERRAND_DIAL);
    assert_int_equal(meanwhile.told, 0);
    services_forget(world.services, &meanwhile.dial);
    pass_time();
    assert_int_equal(asked().kind, ERRAND_END);
    say_state(SERVICE_GONE);
    assert_int_equal(one()->service.state, SERVICE_IDLE);
    assert_int_equal(asked().kind, ERRAND_NONE);
}

TEST_BETWEEN(test_one_on_demand_that_has_ended_by_itself, set_up, tear_down)
{
    struct services_restart restart;
    struct waiter waiter;
    uint64_t began_ms;

    make_on_demand();
    attach();
    began_ms = uv_now(&world.gate.loop);
    restart_one(&restart); /* an operator asks as well */
    assert_int_equal(asked().kind, ERRAND_START);
    say_state(SERVICE_READY);
    assert_int_equal(restarted.error, OK);
    say_state(SERVICE_STOPPED);
    assert_int_equal(asked().kind, ERRAND_END);
    dial(&waiter);
    say_state(SERVICE_GONE);
    assert_int_equal(asked().kind, ERRAND_NONE); /* not as often as somebody comes */
    assert_int_equal(one()->service.state, SERVICE_STARTING);
    while (!one()->service.asked)
        uv_run(&world.gate.loop, UV_RUN_ONCE);
    assert_true(uv_now(&world.gate.loop) - began_ms >= SERVICES_PAUSE_MS);
    assert_int_equal(asked().kind, ERRAND_START);
    assert_int_equal(waiter.told, 0);
    one()->killed = true;
    services_follow(world.services);
    assert_int_equal(asked().kind, ERRAND_END);
    say_state(SERVICE_GONE);
    assert_int_equal(waiter.reason, REASON_SERVICE_DOWN);
    one()->killed = false;
    services_follow(world.services);
    assert_int_equal(one()->service.state, SERVICE_IDLE);
    assert_int_equal(asked().kind, ERRAND_NONE);
}

TEST_BETWEEN(test_one_on_demand_that_an_operator_starts_again_at_once, set_up, tear_down)
{
    struct services_restart restart;
    struct waiter waiter;

    make_on_demand();
    attach();
    dial(&waiter);
    assert_int_equal(asked().kind, ERRAND_START);
    say_state(SERVICE_STOPPED);
    assert_int_equal(asked().kind, ERRAND_END);
    say_state(SERVICE_GONE);
    dial(&waiter);
    assert_int_equal(asked().kind, ERRAND_NONE);
    restart_one(&restart);
    assert_int_equal(asked().kind, ERRAND_START);
    say_state(SERVICE_READY);
    assert_int_equal(restarted.error, OK);
    assert_int_equal(asked().kind, ERRAND_DIAL);
    services_forget(world.services, &waiter.dial);
}

TEST_BETWEEN(test_one_that_is_not_started_again, set_up, tear_down)
{
    struct services_restart restart;
    struct waiter waiter;

    start_one();
    say_state(SERVICE_STOPPED);
    assert_int_equal(asked().kind, ERRAND_NONE);
    dial(&waiter);
    assert_int_equal(waiter.reason, REASON_SERVICE_DOWN);
    restart_one(&restart);
    assert_int_equal(asked().kind, ERRAND_END);
    say_state(SERVICE_GONE);
    assert_int_equal(asked().kind, ERRAND_START);
    say_state(SERVICE_READY);
    assert_int_equal(restarted.error, OK);
}

static unsigned proven;

static void on_proven(struct services_proof *proof)
{
    (void)proof;
    proven++;
}

static void prove(struct services_proof *proof)
{
    *proof = (struct services_proof){.done = on_proven};
    services_prove(world.services, proof);
}

TEST_BETWEEN(test_a_proof_is_told_when_all_is_known, set_up, tear_down)
{
    struct services_proof first, second;
    struct errand errand;

    proven = 0;
    prove(&first); /* nothing is served: nothing is to be found out */
    assert_int_equal(proven, 1);
    start_one();
    assert_true(one()->service.proven_at > 0);
    one()->service.proven_at = 1;
    prove(&first);
    prove(&second);
    assert_int_equal(proven, 1);
    errand = asked();
    assert_int_equal(errand.kind, ERRAND_PROVE);
    say((struct errand){.kind = ERRAND_PROVEN}, -1);
    assert_int_equal(proven, 3);
    assert_true(one()->service.proven_at > 1);
    prove(&first);
    say_state(SERVICE_EXPOSED);
    assert_int_equal(proven, 4);
    assert_int_equal(one()->service.proven_at, 0);
    say((struct errand){.kind = ERRAND_PROVEN}, -1);
    assert_int_equal(one()->service.proven_at, 0);
}

TEST_BETWEEN(test_a_proof_that_does_not_come, set_up, tear_down)
{
    struct services_proof proof;

    proven = 0;
    start_one();
    prove(&proof);
    services_stop(world.services);
    assert_int_equal(proven, 1);
    assert_int_equal(one()->service.proven_at, 0);
    start_one();
    prove(&proof);
    attach(); /* its launcher has ended */
    assert_int_equal(proven, 2);
}

TEST_BETWEEN(test_what_the_audit_log_says, set_up, tear_down)
{
    start_one();
    assert_int_equal(logged("\"event\":\"service_ready\",\"surface\":\"one\""), 1);
    say((struct errand){.kind = ERRAND_PORTS, .number = 7, .text = ""}, -1);
    say((struct errand){.kind = ERRAND_PORTS, .number = 7, .text = "80/tcp"}, -1);
    assert_int_equal(logged("\"event\":\"service_started\",\"surface\":\"one\",\"pid\":7"), 1);
    say((struct errand){.kind = ERRAND_EXITED, .number = 3 << 8, .text = ""}, -1);
    assert_int_equal(logged("\"event\":\"service_ended\",\"surface\":\"one\",\"pid\":7,\"reason\":"
                            "\"upstream_unreachable\",\"cause\":\"ended\",\"exit_code\":3"),
                     1);
    say((struct errand){.kind = ERRAND_EXITED, .number = SIGKILL, .text = ""}, -1);
    assert_int_equal(logged("\"signal\":9"), 1);
    say((struct errand){.kind = ERRAND_EXITED, .text = "no such \"program\""}, -1);
    assert_int_equal(logged("\"why\":\"no such \\\"program\\\"\""), 1);
    say((struct errand){.kind = ERRAND_REFUSED, .text = "/bin/\x1b"}, -1);
    assert_int_equal(
        logged("\"event\":\"execution_refused\",\"surface\":\"one\",\"reason\":"
               "\"executable_refused\",\"cause\":\"service\",\"path\":\"/bin/\\u001b\""),
        1);
    say((struct errand){.kind = ERRAND_LIMIT, .number = SERVICE_LIMIT_MEMORY}, -1);
    assert_int_equal(logged("\"event\":\"limit_reached\",\"surface\":\"one\",\"reason\":"
                            "\"service_memory\""),
                     1);
    say((struct errand){.kind = ERRAND_LIMIT, .number = SERVICE_LIMIT_PROCESSES}, -1);
    assert_int_equal(logged("\"reason\":\"service_processes\""), 1);
    say((struct errand){.kind = ERRAND_UNREACHED, .number = 6 << 16 | 443, .text = "10.0.0.1"}, -1);
    assert_int_equal(logged("\"event\":\"connection_refused\",\"surface\":\"one\",\"reason\":"
                            "\"connection_refused\",\"address\":\"10.0.0.1\",\"port\":443,"
                            "\"protocol\":\"tcp\""),
                     1);
    say((struct errand){.kind = ERRAND_UNREACHED, .text = ""}, -1);
    assert_int_equal(logged("\"why\":\"more addresses, which are not told until"), 1);
    say_state(SERVICE_EXPOSED);
    say_state(SERVICE_EXPOSED);
    assert_int_equal(logged("\"event\":\"service_exposed\""), 1);
    say((struct errand){.kind = ERRAND_PORTS, .number = 8, .text = ""}, -1);
    attach();
    assert_int_equal(logged("the launcher has ended"), 1);
}

TEST_BETWEEN(test_ports, set_up, tear_down)
{
    start_one();
    say((struct errand){.kind = ERRAND_PORTS, .number = 7, .text = "80/tcp 53/udp"}, -1);
    assert_string_equal(one()->service.ports, "80/tcp 53/udp");
    assert_int_equal(one()->service.pid, 7);
    say_state(SERVICE_STARTING);
    assert_int_equal(one()->service.restarts, 1);
}
