#include "broker/broker.h"

#include "base/log.h"
#include "broker/admission/prepare.h"
#include "broker/admission/reports.h"
#include "broker/control/control.h"
#include "broker/core/surfaces.h"
#include "broker/core/workers.h"
#include "broker/operations/switches.h"
#include "broker/run.h"
#include "system/listener.h"
#include "system/notify.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define EXPIRE_INTERVAL_MS (3600 * 1000)
#define BIND_PATIENCE_MS   2000 /* the workers of one that was killed let go of the port soon */
#define BIND_RETRY_MS      20
#define DRAIN_PATIENCE_MS  8000 /* more than a worker gives its clients */

struct run {
    struct broker broker;
    const struct broker_options *options;
    uv_loop_t loop;
    uv_signal_t terminate, interrupt, hangup, child;
    uv_timer_t expire, drain;
    int exit_code;
};

int64_t broker_now(void)
{
    return (int64_t)time(NULL);
}

struct broker_surface *broker_surface(struct broker *broker, const char *name)
{
    for (size_t i = 0; i < broker->config->surface_count; i++) {
        if (strcmp(broker->surfaces[i].config->name, name) == 0)
            return &broker->surfaces[i];
    }
    return NULL;
}

static enum error add_listener(struct broker_surface *surface, const struct listener *opened)
{
    struct broker_listener *list =
        realloc(surface->listeners, (surface->listener_count + 1) * sizeof(*list));

    if (list == NULL)
        return ERROR_MEMORY;
    surface->listeners = list;
    list += surface->listener_count++;
    list->fd = opened->fd;
    list->port = opened->port;
    snprintf(list->address, sizeof(list->address),
             strchr(opened->address, ':') != NULL ? "[%.45s]:%u" : "%.45s:%u", opened->address,
             opened->port);
    return OK;
}

static enum error open_address(struct broker_surface *surface, const struct listen_address *address)
{
    struct timespec pause = {.tv_nsec = BIND_RETRY_MS * 1000000L};
    struct listener opened[2];
    size_t count = 0;
    char why[256];
    enum error error = ERROR_EXISTS;

    for (unsigned waited = 0; error == ERROR_EXISTS && waited < BIND_PATIENCE_MS;
         waited += BIND_RETRY_MS) {
        error = listener_open(address->host, address->port, opened, &count, why, sizeof(why));
        if (error == ERROR_EXISTS)
            nanosleep(&pause, NULL);
    }
    if (error != OK) {
        log_error("surface %s: %s", surface->config->name, why);
        return error;
    }
    for (size_t i = 0; i < count; i++) {
        if (error == OK)
            error = add_listener(surface, &opened[i]);
        if (error != OK)
            listener_close(&opened[i]);
    }
    return error;
}

static enum error open_surfaces(struct broker *broker)
{
    broker->surfaces = calloc(broker->config->surface_count, sizeof(*broker->surfaces));
    if (broker->surfaces == NULL)
        return ERROR_MEMORY;
    for (size_t i = 0; i < broker->config->surface_count; i++) {
        struct broker_surface *surface = &broker->surfaces[i];
        enum error error;

        surface->config = &broker->config->surfaces[i];
        error = store_surface_killed(broker->store, surface->config->name, &surface->killed);
        for (size_t j = 0; error == OK && j < surface->config->listen_count; j++)
            error = open_address(surface, &surface->config->listen[j]);
        if (error != OK)
            return error;
    }
    return OK;
}

static void close_surfaces(struct broker *broker)
{
    for (size_t i = 0; broker->surfaces != NULL && i < broker->config->surface_count; i++) {
        for (size_t j = 0; j < broker->surfaces[i].listener_count; j++)
            close(broker->surfaces[i].listeners[j].fd);
        free(broker->surfaces[i].listeners);
    }
    free(broker->surfaces);
}

/* {"ready":true,"pid":N,"surfaces":{"studio":["127.0.0.1:8081","[::1]:8081"]}} */
static void append_ready(const struct broker *broker, struct buffer *out)
{
    buffer_append_format(out, "{\"ready\":true,\"pid\":%d,\"surfaces\":{", (int)getpid());
    for (size_t i = 0; i < broker->config->surface_count; i++) {
        const struct broker_surface *surface = &broker->surfaces[i];

        buffer_append_format(out, "%s\"%s\":[", i > 0 ? "," : "", surface->config->name);
        for (size_t j = 0; j < surface->listener_count; j++)
            buffer_append_format(out, "%s\"%s\"", j > 0 ? "," : "", surface->listeners[j].address);
        buffer_append_text(out, "]");
    }
    buffer_append_text(out, "}}\n");
}

static void on_ready(struct broker *broker)
{
    const struct run *run = (const struct run *)broker;
    struct buffer line;

    for (size_t i = 0; i < broker->config->surface_count; i++) {
        for (size_t j = 0; j < broker->surfaces[i].listener_count; j++)
            log_info("surface %s listens on %s%s", broker->surfaces[i].config->name,
                     broker->surfaces[i].listeners[j].address,
                     broker->surfaces[i].killed ? " (killed)" : "");
    }
    notify_ready();
    if (run->options->ready_fd < 0)
        return;
    buffer_init(&line, 64 * 1024);
    append_ready(broker, &line);
    if (write(run->options->ready_fd, line.data, line.length) != (ssize_t)line.length)
        log_warning("the readiness descriptor takes no line");
    close(run->options->ready_fd);
    buffer_clear(&line);
}

static void on_drained(struct broker *broker)
{
    uv_stop(broker->loop);
}

/* A worker that does not finish is ended with the rest, by workers_destroy(). */
static void on_drain_late(uv_timer_t *timer)
{
    log_error("a worker did not finish in time; ending it");
    uv_stop(timer->loop);
}

static void on_terminate(uv_signal_t *signal, int number)
{
    struct run *run = signal->data;

    (void)number;
    if (run->broker.workers == NULL)
        uv_stop(&run->loop);
    else
        workers_drain(run->broker.workers);
    uv_timer_start(&run->drain, on_drain_late, DRAIN_PATIENCE_MS, 0);
    /* A second one does not wait. */
    uv_signal_stop(&run->terminate);
    uv_signal_stop(&run->interrupt);
}

static void on_hangup(uv_signal_t *signal, int number)
{
    struct run *run = signal->data;
    struct operation operation;

    (void)number;
    operation_init(&operation, &run->broker, geteuid());
    if (operations_reload(&operation) == OK)
        log_info("the audit log was opened anew, and the certificates read");
}

static void on_child(uv_signal_t *signal, int number)
{
    struct run *run = signal->data;

    (void)number;
    if (run->broker.workers != NULL)
        workers_reap(run->broker.workers);
}

static void on_expire(uv_timer_t *timer)
{
    struct run *run = timer->data;

    if (store_session_expire(run->broker.store, broker_now()) != OK)
        log_warning("ended sessions could not be cleared away");
}

static void watch_signal(struct run *run, uv_signal_t *signal, uv_signal_cb handler, int number)
{
    uv_signal_init(&run->loop, signal);
    signal->data = run;
    uv_signal_start(signal, handler, number);
}

static enum error start_loop(struct run *run)
{
    if (uv_loop_init(&run->loop) != 0)
        return ERROR_IO;
    run->broker.loop = &run->loop;
    watch_signal(run, &run->terminate, on_terminate, SIGTERM);
    watch_signal(run, &run->interrupt, on_terminate, SIGINT);
    watch_signal(run, &run->hangup, on_hangup, SIGHUP);
    watch_signal(run, &run->child, on_child, SIGCHLD);
    uv_timer_init(&run->loop, &run->expire);
    uv_timer_init(&run->loop, &run->drain);
    run->expire.data = run;
    uv_timer_start(&run->expire, on_expire, 0, EXPIRE_INTERVAL_MS);
    return OK;
}

static enum error open_store(struct run *run)
{
    struct broker *broker = &run->broker;
    char why[512];
    enum error error = store_open(broker->config->state_dir, &broker->store, why, sizeof(why));

    if (error != OK) {
        log_error("%s", why);
        run->exit_code = error == ERROR_DENIED ? EX_NOPERM : EX_UNAVAILABLE;
        return error;
    }
    snprintf(broker->audit_path, sizeof(broker->audit_path), "%s/audit.jsonl",
             broker->config->state_dir);
    error = audit_open(broker->audit_path, &broker->audit);
    if (error != OK)
        log_error("the audit log %s cannot be opened", broker->audit_path);
    return error;
}

static enum error load_certificates(struct run *run)
{
    char why[512];
    enum error error = certificates_load(&run->broker, why, sizeof(why));

    if (error == OK)
        return OK;
    log_error("%s", why);
    run->exit_code = error == ERROR_INVALID ? EX_CONFIG : EX_UNAVAILABLE;
    return error;
}

static enum error log_start(struct broker *broker, const char *event)
{
    audit_begin(broker->audit, event);
    audit_text(broker->audit, "version", SIDELOCK_VERSION);
    audit_number(broker->audit, "pid", getpid());
    return audit_commit(broker->audit);
}

static enum error start(struct run *run)
{
    struct broker *broker = &run->broker;
    struct workers_options workers = {.broker = broker,
                                      .config_fd = run->options->config_fd,
                                      .on_ready = on_ready,
                                      .on_drained = on_drained};
    enum error error = open_store(run);

    if (error == OK)
        error = log_start(broker, "started");
    if (error == OK)
        error = start_loop(run);
    if (error == OK)
        error = open_surfaces(broker);
    if (error == OK)
        error = load_certificates(run);
    if (error == OK)
        error = tickets_create(&broker->tickets);
    if (error == OK)
        error = tickets_create(&broker->login_codes);
    if (error == OK)
        error = connections_create(&broker->connections);
    if (error == OK)
        error = control_create(broker, &broker->control);
    if (error == OK)
        error = workers_create(&workers, &broker->workers);
    return error;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void stop(struct run *run)
{
    struct broker *broker = &run->broker;

    prepare_stop(broker);
    control_destroy(broker->control);
    workers_destroy(broker->workers);
    if (broker->loop != NULL) {
        uv_walk(&run->loop, close_handle, NULL);
        uv_run(&run->loop, UV_RUN_DEFAULT);
        uv_loop_close(&run->loop);
    }
    certificates_clear(broker);
    close_surfaces(broker);
    connections_destroy(broker->connections);
    tickets_destroy(broker->tickets);
    tickets_destroy(broker->login_codes);
    if (broker->audit != NULL)
        reports_suppressed(broker);
    if (broker->audit != NULL && log_start(broker, "stopped") != OK)
        log_error("the audit log cannot be written");
    audit_close(broker->audit);
    store_close(broker->store);
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
    struct run run = {.options = options, .exit_code = EX_UNAVAILABLE};

    log_set_name("broker");
    signal(SIGPIPE, SIG_IGN);
    harden();
    run.broker.config = options->config;
    run.broker.config_path = options->config_path;
    run.broker.started_at = broker_now();
    if (start(&run) == OK) {
        run.exit_code = EX_OK;
        uv_run(&run.loop, UV_RUN_DEFAULT);
    }
    stop(&run);
    return run.exit_code;
}
