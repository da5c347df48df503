#include "broker/broker.h"

#include "base/log.h"
#include "broker/admission/takers.h"
#include "broker/admission/waiting.h"
#include "broker/control/control.h"
#include "broker/core/anchoring.h"
#include "broker/core/cutting.h"
#include "broker/core/executables.h"
#include "broker/core/groups.h"
#include "broker/core/journal.h"
#include "broker/core/lanes.h"
#include "broker/core/looks.h"
#include "broker/core/opener.h"
#include "broker/core/parent.h"
#include "broker/core/services.h"
#include "broker/core/switching.h"
#include "broker/fences.h"
#include "broker/operations/operation.h"
#include "broker/readiness.h"
#include "system/caller.h"
#include "system/fence.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#define EXPIRE_INTERVAL_MS  (3600 * 1000)
#define TELL_INTERVAL_MS    (10 * 1000) /* after which lines that were only counted are told of */
#define TELL_LINES_MAX      64          /* of them at once: the loop does not wait for more */
#define MISSING_INTERVAL_MS (5 * 1000)
#define DRAIN_PATIENCE_MS   8000 /* more than a worker gives its clients */

/* The gate, and what keeps it going. */
struct broker {
    const struct broker_options *options;
    struct gate gate;
    struct control *control;
    struct anchoring anchoring;
    bool loop_open;
    bool told_to_stop, stopping; /* `stopping`: signals change nothing any more */
    uv_timer_t expire, tell, drain, missing;
    uv_prepare_t turn_end;
    uv_poll_t store_writes, store_searches, executables, groups; /* threads that work for it */
    int exit_code;
};

static void on_ready(void *context)
{
    const struct broker *broker = context;

    readiness_tell(&broker->gate, broker->options->ready_fd);
}

static void on_drained(void *context)
{
    struct broker *broker = context;

    uv_stop(&broker->gate.loop);
}

/* A worker that does not finish is ended with the rest, by workers_destroy(). */
static void on_drain_late(uv_timer_t *timer)
{
    log_error("a worker did not finish in time; ending it");
    uv_stop(timer->loop);
}

/* A second time does not wait for what workers still have to say; of a third the parent sees
 * itself. */
static void on_stop(void *context)
{
    struct broker *broker = context;
    bool again = broker->told_to_stop;

    broker->told_to_stop = true;
    if (broker->stopping)
        return;
    if (!again)
        uv_timer_start(&broker->drain, on_drain_late, DRAIN_PATIENCE_MS, 0);
    if (again || broker->gate.workers == NULL)
        uv_stop(&broker->gate.loop);
    else
        workers_drain(broker->gate.workers);
}

static void on_reloaded(struct operation *operation, enum error error)
{
    if (error == OK)
        log_info("the audit log was opened anew, the configuration and the certificates read");
    else if (operation->faults == NULL)
        log_error("nothing is read anew: %s", operation->why);
    free(operation->faults);
    free(operation);
}

static void on_hangup(void *context)
{
    struct broker *broker = context;
    struct operation *operation = broker->stopping ? NULL : malloc(sizeof(*operation));

    if (broker->stopping)
        return;
    if (operation == NULL) {
        log_error("nothing is read anew: out of memory");
        return;
    }
    operation_init(operation, &broker->gate, geteuid());
    operation->done = on_reloaded;
    reload_files(operation);
}

static void on_spawned(void *context, unsigned worker, pid_t pid, int pidfd)
{
    const struct broker *broker = context;

    workers_take_spawned(broker->gate.workers, worker, pid, pidfd);
}

static void on_ended(void *context, unsigned worker, int status)
{
    const struct broker *broker = context;

    workers_take_ended(broker->gate.workers, worker, status);
}

static void on_launcher(void *context, const struct errand *errand, int fd)
{
    struct broker *broker = context;
    struct gate *gate = &broker->gate;

    if (errand->number == ERRAND_END_STARTER) {
        proven_take(&gate->starter, &(struct proof){.status = fd,
                                                    .landlock = gate->proof.landlock,
                                                    .tried = FENCES_STARTER});
        gate->starter.pid = (pid_t)errand->place;
    } else if (errand->number == ERRAND_END_PROCESS) {
        services_take_process(gate->services, fd);
        gate->launcher.pid = (pid_t)errand->place;
    } else if (errand->number == ERRAND_END_LOOKER) {
        looks_take_looker(gate->looks, fd, (pid_t)errand->place);
    } else {
        services_take_launcher(gate->services, fd);
    }
}

/* Which ends this process as well; that is only not told yet. */
static void on_parent_gone(void *context)
{
    struct broker *broker = context;

    broker->exit_code = EX_SOFTWARE;
    uv_stop(&broker->gate.loop);
}

static void on_expire(uv_timer_t *timer)
{
    const struct broker *broker = timer->data;

    store_session_expire(broker->gate.store, clock_now(), (struct store_reply){NULL, NULL});
}

static void on_tell(uv_timer_t *timer)
{
    struct broker *broker = timer->data;

    audit_tell_lost(broker->gate.audit);
    lines_tell(&broker->gate.lines, broker->gate.audit, TELL_LINES_MAX);
}

/* A listener for ::1 where this host had none; a reload looks at the listeners, too. */
static void on_missing(uv_timer_t *timer)
{
    struct broker *broker = timer->data;
    struct gate *gate = &broker->gate;

    for (size_t i = 0; !gate->reloading && i < gate->surfaces.count; i++) {
        struct surface_state *surface = gate->surfaces.live[i];

        for (size_t j = 0; j < surface->listener_count; j++) {
            const struct surface_listener *found;

            if (surface->listeners[j].alone &&
                surfaces_open_missing(surface, gate->opener, &surface->listeners[j], &found) ==
                    OK &&
                workers_send_listener(gate->workers, surface, found) != OK)
                log_error("surface %s: no worker can be given %s", surface->config->name,
                          found->address);
        }
    }
}

/* Each turn of the loop: whoever waits for an end, and lines that workers told of together. */
static void on_turn_end(uv_prepare_t *prepare)
{
    struct broker *broker = prepare->data;

    cutting_look(&broker->gate);
    if (broker->gate.audit != NULL)
        audit_flush(broker->gate.audit);
}

static enum error start_loop(struct broker *broker)
{
    if (fence_without_rings() != OK || uv_loop_init(&broker->gate.loop) != 0)
        return ERROR_IO;
    broker->loop_open = true;
    uv_timer_init(&broker->gate.loop, &broker->expire);
    uv_timer_init(&broker->gate.loop, &broker->drain);
    uv_timer_init(&broker->gate.loop, &broker->tell);
    uv_prepare_init(&broker->gate.loop, &broker->turn_end);
    broker->expire.data = broker->tell.data = broker->turn_end.data = broker;
    uv_prepare_start(&broker->turn_end, on_turn_end);
    uv_timer_start(&broker->tell, on_tell, TELL_INTERVAL_MS, TELL_INTERVAL_MS);
    uv_timer_init(&broker->gate.loop, &broker->missing);
    broker->missing.data = broker;
    uv_timer_start(&broker->missing, on_missing, MISSING_INTERVAL_MS, MISSING_INTERVAL_MS);
    cutting_open(&broker->gate);
    anchoring_start(&broker->anchoring, &broker->gate);
    uv_timer_start(&broker->expire, on_expire, 0, EXPIRE_INTERVAL_MS);
    return OK;
}

static enum error watch_lanes(struct broker *broker)
{
    struct gate *gate = &broker->gate;
    enum error error = executables_create(&gate->executables);

    if (error == OK)
        error = lanes_watch(&gate->loop, &broker->store_writes, store_writes(gate->store));
    if (error == OK)
        error = lanes_watch(&gate->loop, &broker->store_searches, store_searches(gate->store));
    if (error == OK)
        error = lanes_watch(&gate->loop, &broker->executables, executables_lane(gate->executables));
    if (error == OK)
        error = groups_create(&gate->loop, user_groups_find, &gate->groups);
    if (error == OK)
        error = lanes_watch(&gate->loop, &broker->groups, groups_lane(gate->groups));
    return error;
}

static enum error open_store(struct broker *broker)
{
    const char *directory = broker->options->bundle->config->state_dir;
    struct audit_anchor anchor;
    char why[WHY_SIZE];
    enum error error = store_open(directory, &broker->gate.store, why);

    if (error != OK) {
        log_error("%s", why);
        broker->exit_code = error == ERROR_DENIED ? EX_NOPERM : EX_UNAVAILABLE;
        return error;
    }
    snprintf(broker->gate.audit_path, sizeof(broker->gate.audit_path), "%s/audit.jsonl", directory);
    error = store_audit_anchor_get(broker->gate.store, &anchor);
    if (error == OK)
        error = audit_open_keyed(broker->gate.audit_path, store_audit_key(broker->gate.store),
                                 &anchor, &broker->gate.audit);
    if (error != OK)
        log_error("the audit log %s cannot be opened", broker->gate.audit_path);
    return error;
}

static enum error load_certificates(struct broker *broker)
{
    char why[WHY_SIZE];
    enum error error =
        surfaces_load_certificates(&broker->gate.surfaces, broker->gate.opener, clock_now(), why);

    if (error == OK)
        return OK;
    log_error("%s", why);
    broker->exit_code = error == ERROR_INVALID ? EX_CONFIG : EX_UNAVAILABLE;
    return error;
}

static enum error open_callers(struct broker *broker)
{
    return caller_lookup_create(&broker->gate.callers);
}

static enum error log_event(struct broker *broker, const char *event)
{
    audit_begin(broker->gate.audit, event);
    audit_text(broker->gate.audit, "version", SIDELOCK_VERSION);
    audit_number(broker->gate.audit, "pid", broker->gate.pid);
    return audit_commit(broker->gate.audit);
}

/* Where a database of before is back, whoever was let in until then is not any more. */
static enum error log_started(struct broker *broker)
{
    const struct store *store = broker->gate.store;
    enum error error = log_event(broker, "started");
    bool at_start;

    (void)store_restored_at(store, &at_start);
    if (error != OK || !at_start)
        return error;
    log_error(
        "the database in %s is not the one that was there last: it was restored from a backup. "
        "Every session in it is dead; kill switches that were on before are on",
        broker->options->bundle->config->state_dir);
    audit_begin(broker->gate.audit, "store_restored");
    audit_text(broker->gate.audit, "generation", store_generation(store));
    return audit_commit(broker->gate.audit);
}

/* One that is not in the log is counted there as lost; nothing hangs on it. */
static void log_stopped(struct broker *broker)
{
    enum error error = log_event(broker, "stopped");

    (void)error;
}

static enum error open_surfaces(struct broker *broker)
{
    struct config_bundle *bundle = broker->options->bundle;
    enum error error = surfaces_create(bundle->config, &broker->gate.surfaces);

    broker->gate.bundle = bundle;
    if (error == OK)
        error = opener_create(broker->options->files_fd, &broker->gate.opener);
    if (error == OK)
        error = vitals_open(&broker->gate.vitals, bundle->config, broker->gate.opener,
                            &broker->gate.loop);
    if (error == OK)
        error = quotas_create(CONFIG_SLOTS_MAX, &broker->gate.quotas);
    tickets_init(&broker->gate.tickets, broker->gate.quotas, QUOTA_TICKETS);
    tickets_init(&broker->gate.login_codes, broker->gate.quotas, QUOTA_LOGIN_CODES);
    if (error != OK)
        return error;
    return surfaces_open(&broker->gate.surfaces, broker->gate.store, broker->gate.opener);
}

static enum error start_control(struct broker *broker)
{
    broker->gate.started_at = clock_now();
    return control_create(&broker->gate, &broker->control);
}

/* It is heard from when the loop runs on. */
static enum error hear_parent(struct broker *broker)
{
    struct gate *gate = &broker->gate;
    enum error error = services_create(gate, &gate->services);
    const struct parent_listener listener = {.spawned = on_spawned,
                                             .ended = on_ended,
                                             .stop = on_stop,
                                             .hangup = on_hangup,
                                             .proof = &broker->gate.parent_proof,
                                             .launcher = on_launcher,
                                             .gone = on_parent_gone,
                                             .context = broker};

    if (error == OK)
        error = looks_create(&gate->loop, &gate->looker, &gate->looks);
    return error == OK
               ? parent_create(&gate->loop, broker->options->workers_fd, &listener, &gate->parent)
               : error;
}

/* Nobody is heard before the loop runs, so that all rooms know the workers by then. */
static enum error start_workers(struct broker *broker)
{
    struct workers_options options = {.gate = &broker->gate,
                                      .listen = inbox_take,
                                      .forget = waiting_forget,
                                      .on_ready = on_ready,
                                      .on_drained = on_drained,
                                      .context = broker};
    enum error error = workers_create(&options, &broker->gate.workers);

    if (error == OK && broker->options->lockdown != NULL)
        switches_lock_down(&broker->gate, broker->options->lockdown);
    return error;
}

static enum error hold_files(struct broker *broker)
{
    enum error error = fences_hold_files(broker->options->bundle->config, &broker->gate.proof);

    broker->exit_code = error == ERROR_DENIED ? EX_NOPERM : EX_UNAVAILABLE;
    return error;
}

/* Everything is there that has to be opened. */
static enum error hold_calls(struct broker *broker)
{
    enum error error = fence_calls();

    (void)broker;
    if (error != OK)
        log_error("the broker cannot be fenced: %s", error_text(error));
    return error;
}

static enum error start(struct broker *broker)
{
    static enum error (*const steps[])(struct broker * broker) = {
        hold_files,        open_store,   log_started,   start_loop,  watch_lanes,   open_surfaces,
        load_certificates, open_callers, start_control, hear_parent, start_workers, hold_calls};
    enum error error = OK;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && error == OK; i++)
        error = steps[i](broker);
    return error;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* What was asked for is done, and whoever asked is told. */
static void finish(struct broker *broker)
{
    if (broker->gate.executables != NULL)
        executables_stop(broker->gate.executables);
    if (broker->gate.store != NULL)
        store_finish(broker->gate.store);
    switching_stop(&broker->gate);
    cutting_stop(&broker->gate);
    services_stop(broker->gate.services);
}

static void stop(struct broker *broker)
{
    broker->stopping = true; /* nothing is read anew any more */
    finish(broker);
    waiting_stop(&broker->gate);
    control_destroy(broker->control);
    workers_destroy(broker->gate.workers);
    if (broker->loop_open) {
        uv_walk(&broker->gate.loop, close_handle, NULL);
        uv_run(&broker->gate.loop, UV_RUN_DEFAULT);
        uv_loop_close(&broker->gate.loop);
    }
    parent_destroy(broker->gate.parent);
    services_destroy(broker->gate.services);
    looks_destroy(broker->gate.looks);
    proven_drop(&broker->gate.starter);
    proven_drop(&broker->gate.launcher);
    surfaces_clear(&broker->gate.surfaces);
    vitals_close(&broker->gate.vitals);
    opener_destroy(broker->gate.opener);
    connections_clear(&broker->gate.connections);
    verified_clear(&broker->gate.verified);
    quotas_destroy(broker->gate.quotas);
    tickets_clear(&broker->gate.tickets);
    tickets_clear(&broker->gate.login_codes);
    if (broker->gate.audit != NULL)
        lines_tell(&broker->gate.lines, broker->gate.audit, LINES_PLACES);
    if (broker->gate.audit != NULL) {
        log_stopped(broker);
        anchoring_now(&broker->gate);
        store_finish(broker->gate.store);
    }
    caller_lookup_destroy(broker->gate.callers);
    audit_close(broker->gate.audit);
    executables_destroy(broker->gate.executables);
    groups_destroy(broker->gate.groups);
    store_close(broker->gate.store);
}

/* The key is in this process's memory: no debugger, no core dump. */
static void harden(void)
{
    struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        log_warning("core dumps could not be forbidden");
}

int broker_run(const struct broker_options *options)
{
    struct broker broker = {.options = options,
                            .gate.pid = getppid(),
                            .gate.parent_proof.status = -1,
                            .exit_code = EX_UNAVAILABLE};

    log_set_name("broker");
    log_never_wait();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write that fails */
    harden();
    if (start(&broker) == OK) {
        broker.exit_code = EX_OK;
        uv_run(&broker.gate.loop, UV_RUN_DEFAULT);
    }
    stop(&broker);
    return broker.exit_code;
}
