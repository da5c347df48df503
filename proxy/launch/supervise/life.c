#include "launch/supervise/life.h"

#include "base/log.h"
#include "launch/common/passing.h"
#include "launch/supervise/dialling.h"
#include "launch/supervise/leaks.h"
#include "launch/supervise/port_list.h"
#include "launch/supervise/vacancy.h"
#include "setup/service.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(struct life *life);

/* ---- What is told ---- */

static void enter(struct life *life, enum service_state state, const char *why)
{
    life->state = state;
    if (why != life->why)
        snprintf(life->why, sizeof(life->why), "%s", why);
    life->lives->changed(life->lives->context, life);
}

static void tell_ports(struct life *life)
{
    life->lives->ports(life->lives->context, life);
}

/* Whoever asked for a proof, and has no other answer yet. */
static void tell_proven(struct life *life)
{
    if (!life->proof_asked)
        return;
    life->proof_asked = false;
    life->lives->proven(life->lives->context, life);
}

/* ---- The end ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct life *life = handle->data;

    if (--life->open_handles == 0)
        free(life);
}

static void close_handles(struct life *life)
{
    uv_close((uv_handle_t *)&life->timer, on_handle_closed);
    uv_close((uv_handle_t *)&life->lists, on_handle_closed);
    uv_close((uv_handle_t *)&life->settles, on_handle_closed);
    uv_close((uv_handle_t *)&life->looks, on_handle_closed);
}

static void leave(struct life *life)
{
    enter(life, SERVICE_GONE, "");
    close_handles(life);
}

void life_drop(struct life *life)
{
    vacancy_cancel(life->vacancy);
    output_end(life->output);
    close_handles(life);
}

static void on_start_again(uv_timer_t *timer)
{
    start(timer->data);
}

/* Again after a while, which grows as long as it does not come to be served. */
static void wait_for_start(struct life *life, enum service_state state, const char *why)
{
    uint64_t delay = LIFE_DELAY_MIN_MS, now = uv_now(life->lives->loop);

    if (life->alone != NULL) {
        enter(life, state, why);
        life->lives->over(life->lives->context, life, life->status);
        return;
    }
    if (life->ready_at_ms != 0 && now - life->ready_at_ms >= LIFE_SETTLED_MS)
        life->failures = 0;
    life->ready_at_ms = 0;
    for (unsigned i = 0; i < life->failures && delay < LIFE_DELAY_MAX_MS; i++)
        delay *= 2;
    life->failures++;
    delay = delay < LIFE_DELAY_MAX_MS ? delay : LIFE_DELAY_MAX_MS;
    log_error("surface %s: %s; it is started again in %.1f s", life->name,
              state == SERVICE_EXPOSED ? "its service was ended" : why, (double)delay / 1000);
    uv_timer_start(&life->timer, on_start_again, delay, 0);
    enter(life, state, why);
}

static void describe_end(int status, const char *failed, char why[WHY_SIZE])
{
    if (failed[0] != '\0')
        snprintf(why, WHY_SIZE, "its service cannot be started: %s", failed);
    else if (WIFSIGNALED(status))
        snprintf(why, WHY_SIZE, "its service was ended by signal %d", WTERMSIG(status));
    else
        snprintf(why, WHY_SIZE, "its service ended with exit code %d", WEXITSTATUS(status));
}

/* What the configuration in force says. */
static bool starts_again(const struct life *life, int status, const char *failed)
{
    const struct surface *surface = config_surface(life->lives->bundle->config, life->name);

    if (surface == NULL || surface->command.restart == RESTART_ALWAYS)
        return true;
    return surface->command.restart == RESTART_ON_FAILURE &&
           (failed[0] != '\0' || !WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

/* Nothing is left of it. */
static void on_ended(void *data, int status, const char *failed)
{
    struct life *life = data;
    bool exposed = life->state == SERVICE_EXPOSED;
    char why[WHY_SIZE];

    life->lives->exited(life->lives->context, life, status, failed);
    life->tree = NULL;
    life->status = failed[0] != '\0' || exposed ? LIFE_NEVER_RAN : status;
    life->pid = 0;
    life->port = life->candidate = 0;
    life->ports[0] = '\0';
    life->listing = life->settling = false;
    vacancy_cancel(life->vacancy);
    life->vacancy = NULL;
    output_end(life->output);
    life->output = NULL;
    uv_timer_stop(&life->timer);
    uv_timer_stop(&life->lists);
    uv_timer_stop(&life->settles);
    uv_timer_stop(&life->looks);
    tell_proven(life);
    if (life->ending) {
        leave(life);
        return;
    }
    describe_end(status, failed, why);
    tell_ports(life);
    if (!exposed && !starts_again(life, status, failed)) {
        log_warning("surface %s: %s; it is not started again", life->name, why);
        enter(life, SERVICE_STOPPED, why);
        return;
    }
    wait_for_start(life, exposed ? SERVICE_EXPOSED : SERVICE_WAITING, exposed ? life->why : why);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct life *life = timer->data;

    if (life->tree != NULL)
        tree_kill(life->tree);
}

void life_end(struct life *life, uint32_t patience_ms)
{
    life->ending = true;
    uv_timer_stop(&life->timer);
    if (life->tree == NULL) {
        leave(life);
        return;
    }
    if (patience_ms == 0 || tree_signal(life->tree, SIGTERM) != OK)
        tree_kill(life->tree);
    else
        uv_timer_start(&life->timer, on_patience_over, patience_ms, 0);
}

/* ---- Where it listens ---- */

static void expose(struct life *life, const char *found)
{
    (void)!error_explain(life->why, ERROR_STATE, "its service is not served: %s", found);
    log_error("surface %s: %s", life->name, life->why);
    uv_timer_stop(&life->looks);
    enter(life, SERVICE_EXPOSED, life->why);
    tree_kill(life->tree);
}

static void on_look(uv_timer_t *timer);

/* Whose the listeners of this host are. False: its service is not served any more. */
static bool look(struct life *life)
{
    const struct leaks_subject subject = {life->lives->bundle->config, life->pid, life->port};
    char found[LEAKS_FOUND_SIZE];
    uint64_t began = uv_hrtime(), pause_ms;
    enum error error = leaks_look(&subject, found);

    if (found[0] != '\0') {
        expose(life, found);
        return false;
    }
    if (error != OK && !life->blind)
        log_warning("surface %s: its processes cannot all be looked into (%s), so this host's "
                    "listeners are not attributed to them",
                    life->name, error_text(error));
    life->blind = error != OK;
    pause_ms = (uv_hrtime() - began) / 1000000 * LIFE_LOOK_SHARE;
    uv_timer_start(&life->looks, on_look, pause_ms > LIFE_LOOK_MS ? pause_ms : LIFE_LOOK_MS, 0);
    return true;
}

/* Whoever replaced its program may think that it is the new one which runs. Said once. */
static void notice_upgrade(struct life *life)
{
    char why[WHY_SIZE];

    if (life->upgraded || program_is(&life->program))
        return;
    life->upgraded = true;
    snprintf(why, sizeof(why),
             "its program %.200s was replaced since it was started: `sidelock restart %s` runs the "
             "new one",
             life->program.path, life->name);
    log_warning("surface %s: %s", life->name, why);
    enter(life, SERVICE_READY, why);
}

static void on_look(uv_timer_t *timer)
{
    struct life *life = timer->data;

    if (life->state == SERVICE_READY && !life->ending && look(life))
        notice_upgrade(life);
}

static void on_proven(void *data, const char *found)
{
    struct life *life = data;
    char where[LEAKS_FOUND_SIZE];

    life->vacancy = NULL;
    if (found[0] != '\0') {
        snprintf(where, sizeof(where),
                 "somebody on this host answers at %s, which is the service's port, past the gate",
                 found);
        expose(life, where);
    } else if (!life->ending && look(life) && life->state != SERVICE_READY) {
        life->ready_at_ms = uv_now(life->lives->loop);
        log_info("surface %s: its service is ready: port %u exists for the gate alone", life->name,
                 life->port);
        enter(life, SERVICE_READY, "");
    }
    tell_proven(life);
}

/* The service has the port that is to be served. */
static void prove(struct life *life, uint16_t port)
{
    life->port = port;
    life->vacancy =
        vacancy_begin(life->lives->loop, life->lives->bundle->config, port, on_proven, life);
    if (life->vacancy == NULL)
        tree_kill(life->tree);
}

void life_prove(struct life *life)
{
    life->proof_asked = true;
    if (life->vacancy != NULL)
        return; /* that is being found out */
    if (life->state == SERVICE_READY && !life->ending)
        prove(life, life->port);
    else
        tell_proven(life);
}

static uint32_t wanted_port(const struct life *life)
{
    const struct surface *surface = config_surface(life->lives->bundle->config, life->name);

    return surface != NULL ? surface->command.port : 0;
}

static void on_list(uv_timer_t *timer)
{
    struct life *life = timer->data;

    if (life->listing || life->tree == NULL)
        return;
    life->listed[0] = '\0';
    life->listing = tree_list(life->tree) == OK;
}

/* Programs try for a port before they take it: whether it is there still is asked once more. */
static void on_settle(uv_timer_t *timer)
{
    struct life *life = timer->data;

    if (life->listing) {
        uv_timer_start(timer, on_settle, 1, 0);
        return;
    }
    life->settling = true;
    on_list(&life->lists);
}

static void on_port(void *data, const struct port *port)
{
    struct life *life = data;
    uint32_t wanted = wanted_port(life);

    port_list_add(life->listed, port);
    if (life->port == 0 && life->candidate == 0 && port->protocol == IPPROTO_TCP && !life->ending &&
        (wanted == 0 || wanted == port->number)) {
        life->candidate = (uint16_t)port->number;
        uv_timer_start(&life->settles, on_settle, LIFE_SETTLE_MS, 0);
    }
    /* It came by itself: what there is now is asked for. */
    if (!life->listing && uv_is_active((uv_handle_t *)&life->lists))
        uv_timer_start(&life->lists, on_list, 0, LIFE_LIST_MS);
}

static void on_listed(void *data)
{
    struct life *life = data;
    uint16_t candidate = life->candidate;
    char port[16];

    life->listing = false;
    if (strcmp(life->ports, life->listed) != 0) {
        memcpy(life->ports, life->listed, sizeof(life->ports));
        tell_ports(life);
    }
    if (!life->settling)
        return;
    life->settling = false;
    life->candidate = 0;
    snprintf(port, sizeof(port), "%u/tcp", candidate);
    if (port_list_has(life->ports, port) && !life->ending)
        prove(life, candidate);
}

void life_refused(struct life *life)
{
    if (life->state != SERVICE_READY || life->ending)
        return;
    log_warning("surface %s: nobody listens on port %u of its service any more", life->name,
                life->port);
    life->port = 0;
    vacancy_cancel(life->vacancy);
    life->vacancy = NULL;
    tell_proven(life);
    enter(life, SERVICE_STARTING, "");
    uv_timer_start(&life->lists, on_list, 0, LIFE_LIST_MS);
}

/* ---- The start ---- */

static void on_started(void *data)
{
    struct life *life = data;

    life->pid = tree_pid(life->tree);
    tell_ports(life);
    uv_timer_start(&life->lists, on_list, LIFE_LIST_MS, LIFE_LIST_MS);
}

static void on_refused(void *data, const struct refusal *refusal)
{
    struct life *life = data;

    refusals_tell(&life->refusals, life->name, life->lives->at_terminal, refusal);
}

/* Its standard output and error are one pipe, unless it is alone. */
static enum error launch(struct life *life, const struct command *command)
{
    int writes = -1;
    enum error error = life->alone == NULL ? output_open(life->lives->loop, life->name,
                                                         &life->account, &life->output, &writes)
                                           : OK;
    struct tree_options options = {.command = *command,
                                   .events = {.started = on_started,
                                              .port = on_port,
                                              .refused = on_refused,
                                              .listed = on_listed,
                                              .ended = on_ended},
                                   .data = life};

    if (error != OK)
        return error;
    options.standard[STDIN_FILENO] = -1;
    options.standard[STDOUT_FILENO] = options.standard[STDERR_FILENO] = writes;
    if (life->alone != NULL)
        memcpy(options.standard, life->alone, sizeof(options.standard));
    error = launcher_start(life->lives->launcher, &options, &life->tree);
    passing_close(&writes);
    if (error != OK) {
        output_end(life->output);
        life->output = NULL;
    }
    return error;
}

static void start(struct life *life)
{
    const struct config_bundle *bundle = life->lives->bundle;
    const struct surface *surface = config_surface(bundle->config, life->name);
    struct service service;
    struct service_fault fault = {.text = "the configuration has no such command any more"};
    enum error error = ERROR_INVALID;

    life->listed[0] = '\0';
    life->blind = false;
    life->refusals.count = 0;
    life->status = LIFE_NEVER_RAN;
    if (surface != NULL && surface_is_launched(surface))
        error = service_find(bundle, surface, environ, &service, &fault);
    if (error != OK) {
        wait_for_start(life, SERVICE_WAITING, fault.text);
        return;
    }
    life->upgraded = false;
    program_note(&life->program, service.program);
    enter(life, SERVICE_STARTING, "");
    error = launch(life, &service.command);
    service_clear(&service);
    if (error == ERROR_NOT_FOUND)
        life->lives->lost(life->lives->context);
    else if (error != OK)
        wait_for_start(life, SERVICE_WAITING, error_text(error));
}

enum error life_begin(struct lives *lives, uint32_t slot, const char *name, const int *alone,
                      struct life **out)
{
    struct life *life = calloc(1, sizeof(*life));

    if (life == NULL)
        return ERROR_MEMORY;
    life->lives = lives;
    life->slot = slot;
    life->alone = alone;
    snprintf(life->name, sizeof(life->name), "%s", name);
    uv_timer_init(lives->loop, &life->timer);
    uv_timer_init(lives->loop, &life->lists);
    uv_timer_init(lives->loop, &life->settles);
    uv_timer_init(lives->loop, &life->looks);
    life->timer.data = life->lists.data = life->settles.data = life->looks.data = life;
    life->open_handles = 4;
    uv_timer_start(&life->timer, on_start_again, 0, 0);
    *out = life;
    return OK;
}

/* ---- Connections ---- */

void life_dial(struct life *life, dial_done *done, void *data)
{
    if (life->state == SERVICE_READY)
        dialling_begin(life->lives->loop, life->tree, life->port, done, data);
    else
        done(data, -1, ECONNREFUSED);
}
