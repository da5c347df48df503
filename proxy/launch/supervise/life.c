#include "launch/supervise/life.h"

#include "base/log.h"
#include "launch/common/passing.h"
#include "launch/supervise/dialling.h"
#include "launch/supervise/ending.h"
#include "launch/supervise/vacancy.h"
#include "setup/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void start(struct life *life);

/* As the configuration in force has it; NULL: it has it no more. */
static const struct surface *surface_of(const struct life *life)
{
    return config_surface(life->lives->bundle->config, life->name);
}

/* ---- What is told ---- */

static void enter(struct life *life, enum service_state state, const char *why)
{
    life->state = state;
    if (why != life->why)
        snprintf(life->why, sizeof(life->why), "%s", why);
    life->lives->changed(life->lives->context, life);
}

static void tell_ports(void *data)
{
    struct life *life = data;

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

static void let_go_of_handle(struct life *life)
{
    if (--life->open_handles == 0)
        free(life);
}

static void on_handle_closed(uv_handle_t *handle)
{
    let_go_of_handle(handle->data);
}

static void on_watch_closed(uv_handle_t *handle)
{
    let_go_of_handle(((const struct port_watch *)handle->data)->owner.data);
}

static void close_handles(struct life *life)
{
    uv_close((uv_handle_t *)&life->timer, on_handle_closed);
    port_watch_close(&life->watch, on_watch_closed);
    uv_close((uv_handle_t *)&life->looks, on_handle_closed);
}

static void leave(struct life *life)
{
    enter(life, SERVICE_GONE, "");
    close_handles(life);
}

/* Whatever is being found out about its port. */
static void forget_port(struct life *life)
{
    vacancy_cancel(life->vacancy);
    asking_cancel(life->asking);
    life->vacancy = NULL;
    life->asking = NULL;
    life->port = 0;
    life->answered = false;
}

void life_drop(struct life *life)
{
    forget_port(life);
    output_end(life->output);
    passing_close(&life->proof.status);
    close_handles(life);
}

static void on_start_again(uv_timer_t *timer)
{
    start(timer->data);
}

/* Again after a while, which grows as long as it does not come to be served. */
static void wait_for_start(struct life *life, enum service_state state, const char *why)
{
    uint64_t delay, now = uv_now(life->lives->loop);

    if (life->alone != NULL) {
        enter(life, state, why);
        life->lives->over(life->lives->context, life, life->status);
        return;
    }
    if (life->ready_at_ms != 0 && now - life->ready_at_ms >= LIFE_SETTLED_MS)
        life->failures = 0;
    life->ready_at_ms = 0;
    delay = ending_pause_ms(life->failures++);
    log_error("surface %s: %s; it is started again in %.1f s", life->name,
              state == SERVICE_EXPOSED ? "its service was ended" : why, (double)delay / 1000);
    uv_timer_start(&life->timer, on_start_again, delay, 0);
    enter(life, state, why);
}

/* Nothing is left of it. */
static void on_ended(void *data, int status, const char *failed)
{
    struct life *life = data;
    const struct ending ending = {status, failed, life->late ? life->why : ""};
    bool exposed = life->state == SERVICE_EXPOSED;
    char why[WHY_SIZE];

    ending_describe(&ending, why);
    life->lives->exited(life->lives->context, life, status, life->late ? why : failed);
    life->tree = NULL;
    life->status = failed[0] != '\0' || exposed ? LIFE_NEVER_RAN : status;
    life->pid = 0;
    forget_port(life);
    port_watch_end(&life->watch);
    passing_close(&life->proof.status);
    output_end(life->output);
    life->output = NULL;
    uv_timer_stop(&life->timer);
    uv_timer_stop(&life->looks);
    tell_proven(life);
    if (life->ending) {
        leave(life);
        return;
    }
    tell_ports(life);
    if (!exposed && !ending_is_followed(&ending, surface_of(life))) {
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

static void end_tree(struct life *life, uint32_t patience_ms)
{
    if (patience_ms == 0 || tree_signal(life->tree, SIGTERM) != OK)
        tree_kill(life->tree);
    else
        uv_timer_start(&life->timer, on_patience_over, patience_ms, 0);
}

void life_end(struct life *life, uint32_t patience_ms)
{
    life->ending = true;
    uv_timer_stop(&life->timer);
    if (life->tree == NULL)
        leave(life);
    else
        end_tree(life, patience_ms);
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
    const struct leaks_subject subject = {life->lives->bundle->config, life->pid, life->port,
                                          life->uid, &life->known};
    enum service_sight sight;
    char found[LEAKS_FOUND_SIZE];
    uint64_t began = uv_hrtime(), pause_ms;
    enum error error = leaks_look(&subject, found, &sight);

    if (found[0] != '\0') {
        expose(life, found);
        return false;
    }
    if (sight != life->sight) {
        life->sight = sight;
        life->lives->seen(life->lives->context, life);
        if (error != OK)
            log_warning("surface %s: its processes cannot all be looked into (%s), so this host's "
                        "listeners are not attributed to them",
                        life->name, error_text(error));
    }
    pause_ms = (uv_hrtime() - began) / 1000000 * LIFE_LOOK_SHARE;
    uv_timer_start(&life->looks, on_look, pause_ms > LIFE_LOOK_MS ? pause_ms : LIFE_LOOK_MS, 0);
    return true;
}

static void on_look(uv_timer_t *timer)
{
    struct life *life = timer->data;
    char why[WHY_SIZE];

    if (life->state == SERVICE_READY && !life->ending && look(life) &&
        program_was_replaced(&life->program, life->name, why))
        enter(life, SERVICE_READY, why);
}

/* ---- Whether it is ready ---- */

static void prove(struct life *life, uint16_t port);
static void lose_port(struct life *life);

static void on_asked_in_vain(void *data, const char *why)
{
    struct life *life = data;

    if (strcmp(life->why, why) != 0)
        enter(life, SERVICE_STARTING, why);
}

static void on_port_lost(void *data)
{
    lose_port(data);
}

/* Meanwhile somebody may have come who has its port: that is looked for once more. */
static void on_asking_ended(void *data, const char *why)
{
    struct life *life = data;

    life->asking = NULL;
    if (life->ending)
        return;
    if (why[0] == '\0') {
        life->answered = true;
        prove(life, life->port);
        return;
    }
    life->late = true;
    log_error("surface %s: %s; it is ended", life->name, why);
    enter(life, SERVICE_STARTING, why);
    end_tree(life, LIFE_LATE_PATIENCE_MS);
}

/* It has a path to answer first. False: it is ready. */
static bool is_asked(struct life *life)
{
    const struct surface *surface = surface_of(life);
    struct asking_subject subject = {.diallings = life->lives->diallings,
                                     .tree = life->tree,
                                     .port = life->port,
                                     .until_ms = &life->ready_by_ms,
                                     .vain = on_asked_in_vain,
                                     .lost = on_port_lost,
                                     .ended = on_asking_ended,
                                     .data = life};

    if (life->answered || surface == NULL || surface->command.ready.path == NULL)
        return false;
    subject.ready = &surface->command.ready;
    life->asking = asking_begin(&subject);
    if (life->asking == NULL)
        tree_kill(life->tree);
    return true;
}

static void on_proven(void *data, enum error error, const union address *where)
{
    struct life *life = data;
    char found[VACANCY_FOUND_SIZE];

    life->vacancy = NULL;
    vacancy_describe(error, where, found);
    if (found[0] != '\0') {
        expose(life, found);
    } else if (!life->ending && look(life) && life->state != SERVICE_READY && !is_asked(life)) {
        life->ready_at_ms = uv_now(life->lives->loop);
        life->ready_by_ms = 0;
        log_info("surface %s: its service is ready: port %u exists for the gate alone", life->name,
                 life->port);
        enter(life, SERVICE_READY, "");
    }
    tell_proven(life);
}

/* The service has the port that is to be served. */
static void prove(struct life *life, uint16_t port)
{
    const struct vacancy_subject subject = {life->lives->bundle->config, port, false};

    life->port = port;
    life->vacancy = vacancy_begin(life->lives->loop, &subject, on_proven, life);
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

static bool fits(void *data, const struct port *port)
{
    const struct life *life = data;
    const struct surface *surface = surface_of(life);
    uint32_t wanted = surface != NULL ? surface->command.port : 0;

    return life->port == 0 && port->protocol == IPPROTO_TCP && !life->ending &&
           (wanted == 0 || wanted == port->number);
}

static void on_port_found(void *data, uint16_t port)
{
    struct life *life = data;

    if (!life->ending)
        prove(life, port);
}

/* Until somebody listens there again, or elsewhere. */
static void lose_port(struct life *life)
{
    forget_port(life);
    tell_proven(life);
    enter(life, SERVICE_STARTING, "");
    port_watch_again(&life->watch);
}

void life_refused(struct life *life)
{
    if (life->state != SERVICE_READY || life->ending)
        return;
    log_warning("surface %s: nobody listens on port %u of its service any more", life->name,
                life->port);
    lose_port(life);
}

/* ---- The start ---- */

static void on_started(void *data, const struct proof *proof, pid_t pid)
{
    struct life *life = data;

    life->pid = tree_pid(life->tree);
    life->proof = *proof;
    life->pid_inside = pid;
    life->lives->fenced(life->lives->context, life);
    tell_ports(life);
    port_watch_begin(&life->watch, life->tree);
}

static void on_refused(void *data, const struct refusal *refusal)
{
    struct life *life = data;

    refusal = refusals_tell(&life->refusals, life->name, life->lives->at_terminal, refusal);
    if (refusal != NULL)
        life->lives->refused(life->lives->context, life->slot, refusal);
}

static void on_port(void *data, const struct port *port)
{
    port_watch_port(&((struct life *)data)->watch, port);
}

static void on_listed(void *data)
{
    port_watch_listed(&((struct life *)data)->watch);
}

/* Its standard output and error are one pipe, unless it is alone. */
static enum error launch(struct life *life, const struct command *command)
{
    int writes = -1;
    enum error error = life->alone == NULL ? output_open(life->lives->loop, life->name,
                                                         &life->ration, &life->output, &writes)
                                           : OK;
    struct tree_options options = {.command = *command,
                                   .events = {.started = on_started,
                                              .port = on_port,
                                              .refused = on_refused,
                                              .listed = on_listed,
                                              .ended = on_ended},
                                   .standard = {-1, writes, writes},
                                   .data = life};

    if (error != OK)
        return error;
    if (life->alone != NULL) {
        memcpy(options.standard, life->alone, sizeof(options.standard));
        options.record = &life->alone[ERRAND_RECORD];
    }
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
    const struct surface *surface = surface_of(life);
    struct service service;
    struct service_fault fault = {.text = "the configuration has no such command any more"};
    enum error error = ERROR_INVALID;

    life->late = false;
    life->ready_by_ms = 0;
    life->sight = SIGHT_COUNT; /* that is to be told */
    leaks_know(&life->known);
    refusals_forget(&life->refusals);
    life->status = LIFE_NEVER_RAN;
    if (surface != NULL && surface_is_launched(surface))
        error = service_find(bundle, surface, environ, &service, &fault);
    if (error != OK) {
        wait_for_start(life, SERVICE_WAITING, fault.text);
        return;
    }
    life->uid = service.command.uid;
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
    const struct port_watch_owner owner = {fits, tell_ports, on_port_found, life};

    if (life == NULL)
        return ERROR_MEMORY;
    life->lives = lives;
    life->slot = slot;
    life->alone = alone;
    life->proof.status = -1;
    snprintf(life->name, sizeof(life->name), "%s", name);
    uv_timer_init(lives->loop, &life->timer);
    uv_timer_init(lives->loop, &life->looks);
    life->timer.data = life->looks.data = life;
    port_watch_init(&life->watch, lives->loop, &owner);
    life->open_handles = 2 + PORT_WATCH_HANDLES;
    uv_timer_start(&life->timer, on_start_again, 0, 0);
    *out = life;
    return OK;
}

/* ---- Connections ---- */

void life_dial(struct life *life, dial_done *done, void *data)
{
    const struct dialling_order order = {life->lives->diallings, done, data,
                                         dialling_patience_ms(surface_of(life))};

    if (life->state == SERVICE_READY)
        dialling_begin(&order, life->tree, life->port);
    else
        done(data, -1, ECONNREFUSED);
}
