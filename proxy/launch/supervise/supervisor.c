#include "launch/supervise/supervisor.h"

#include "base/log.h"
#include "ipc/channel.h"
#include "launch/supervise/place.h"
#include "system/fence.h"
#include "system/proof.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define SEND_BUFFER_BYTES (512 * 1024) /* a request with a large stored record in one go */

/* Who is heard: parent or broker. */
struct line {
    struct supervisor *supervisor;
    struct channel *channel;
    uv_poll_t poll;
};

struct supervisor {
    uv_loop_t loop;
    struct lives lives;
    struct stdios stdios;
    struct config_bundle bundle;
    struct line parent, broker;
    struct place places[CONFIG_SLOTS_MAX]; /* by slot */
    bool finishing;
    int exit_code;
    unsigned char buffer[IPC_MESSAGE_BYTES_MAX];
};

/* ---- The end ---- */

static bool is_empty(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        if (!place_is_free(&supervisor->places[i]))
            return false;
    }
    return true;
}

/* All services have their time to end; then there is nothing more to do. */
static void finish(struct supervisor *supervisor)
{
    if (supervisor->finishing)
        return;
    supervisor->finishing = true;
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        place_end(&supervisor->places[i], SUPERVISOR_PATIENCE_MS);
    if (is_empty(supervisor))
        uv_stop(&supervisor->loop);
}

static void fail(struct supervisor *supervisor, const char *why)
{
    log_error("%s; the launcher ends, and with it its services", why);
    supervisor->exit_code = EX_SOFTWARE;
    uv_stop(&supervisor->loop);
}

static void on_lost(void *context)
{
    fail(context, "the process that makes trees has gone");
}

/* ---- What the broker is told ---- */

static void watch(struct line *line);

/* `fd` (-1: none) is taken over. A broker that does not hear is about to end. */
static void say(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    struct ipc_writer writer = {.bytes = supervisor->buffer};
    enum error error;

    errand_encode(&writer, errand);
    error = channel_send(supervisor->broker.channel, &writer, fd);
    if (error == ERROR_LIMIT)
        fail(supervisor, "the broker hears nothing");
    else if (error == OK)
        watch(&supervisor->broker);
}

static void on_changed(void *context, struct life *life)
{
    struct supervisor *supervisor = context;

    say(supervisor,
        &(struct errand){
            .kind = ERRAND_SERVICE, .place = life->slot, .number = life->state, .text = life->why},
        -1);
    if (life->state != SERVICE_GONE)
        return;
    supervisor->places[life->slot].life = NULL;
    if (supervisor->finishing && is_empty(supervisor))
        uv_stop(&supervisor->loop);
}

static void on_ports(void *context, struct life *life)
{
    say(context,
        &(struct errand){.kind = ERRAND_PORTS,
                         .place = life->slot,
                         .number = (uint32_t)life->pid,
                         .text = life->ports},
        -1);
}

static void on_exited(void *context, struct life *life, int status, const char *failed)
{
    say(context,
        &(struct errand){
            .kind = ERRAND_EXITED, .place = life->slot, .number = (uint32_t)status, .text = failed},
        -1);
}

static void on_proven(void *context, struct life *life)
{
    say(context, &(struct errand){.kind = ERRAND_PROVEN, .place = life->slot}, -1);
}

static void on_said(void *context, const struct errand *errand)
{
    say(context, errand, -1);
}

static void say_state(struct supervisor *supervisor, uint32_t slot, enum service_state state)
{
    say(supervisor,
        &(struct errand){.kind = ERRAND_SERVICE, .place = slot, .number = state, .text = ""}, -1);
}

static void on_gone(void *context, uint32_t slot)
{
    struct supervisor *supervisor = context;

    say_state(supervisor, slot, SERVICE_GONE);
    supervisor->places[slot].stdio = NULL;
    if (supervisor->finishing && is_empty(supervisor))
        uv_stop(&supervisor->loop);
}

/* Whom a connection is for. */
struct asked {
    struct supervisor *supervisor;
    uint32_t slot, number;
};

static void on_dialed(void *data, int fd, int error)
{
    struct asked *asked = data;
    const int one = 1, size = SEND_BUFFER_BYTES;
    struct life *life = asked->supervisor->places[asked->slot].life;
    struct errand answer = {.kind = ERRAND_DIALED, .number = asked->number};

    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    } else {
        answer.kind = ERRAND_UNDIALED;
        answer.place = (uint32_t)error;
        if (error == ECONNREFUSED && life != NULL)
            life_refused(life); /* which the broker hears first, and then waits */
    }
    say(asked->supervisor, &answer, fd);
    free(asked);
}

/* ---- What the broker asks ---- */

static enum error begin_stdio(struct supervisor *supervisor, uint32_t slot, const char *name)
{
    enum error error =
        stdio_begin(&supervisor->stdios, slot, name, &supervisor->places[slot].stdio);

    if (error == OK)
        say_state(supervisor, slot, SERVICE_READY);
    return error;
}

static enum error take_start(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    struct place *place = &supervisor->places[errand->place];
    const struct config *config = supervisor->bundle.config; /* NULL: none came yet */
    const struct surface *surface = config != NULL ? config_surface(config, errand->text) : NULL;

    (void)fd;
    if (surface == NULL || !surface_is_launched(surface) || !place_is_free(place))
        return ERROR_SYNTAX;
    if (supervisor->finishing)
        return OK;
    return surface->upstream_stdio
               ? begin_stdio(supervisor, errand->place, surface->name)
               : life_begin(&supervisor->lives, errand->place, surface->name, &place->life);
}

static enum error take_end(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    const struct place *place = &supervisor->places[errand->place];

    (void)fd;
    if (place_is_free(place))
        return supervisor->finishing ? OK : ERROR_SYNTAX;
    place_end(place, errand->number);
    return OK;
}

/* DIAL, or VISIT of a session. */
static enum error take_dial(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    struct asked *asked = malloc(sizeof(*asked));

    if (asked == NULL)
        return ERROR_MEMORY;
    *asked = (struct asked){supervisor, errand->place, errand->number};
    place_dial(&supervisor->places[errand->place], errand->text, fd, on_dialed, asked);
    return OK;
}

static enum error take_leave(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    struct stdio *stdio = supervisor->places[errand->place].stdio;

    (void)fd;
    if (stdio != NULL) /* else it ended meanwhile */
        stdio_leave(stdio, errand->text);
    return OK;
}

static enum error take_prove(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    struct life *life = supervisor->places[errand->place].life;

    (void)fd;
    if (life != NULL) /* else it ended meanwhile, which the broker hears */
        life_prove(life);
    return OK;
}

/* ---- What the parent says ---- */

/* Services that run are not touched: the broker says which are to end. */
static enum error take_config(struct supervisor *supervisor, int fd)
{
    struct config_bundle fresh;
    enum error error = bundle_unseal(fd, false, &fresh);

    if (error != OK) {
        bundle_clear(&fresh);
        return error;
    }
    bundle_clear(&supervisor->bundle);
    supervisor->bundle = fresh;
    return OK;
}

/* ---- Who may say what ---- */

enum speaker { SPEAKER_PARENT = 1, SPEAKER_BROKER };

static const struct {
    enum speaker speaker; /* 0: nobody */
    bool slot;            /* `place` is one */
    enum { WITHOUT = 0, WITH, PERHAPS } descriptor;
    /* The descriptor stays the caller's. */
    enum error (*take)(struct supervisor *supervisor, const struct errand *errand, int fd);
} messages[ERRAND_KIND_COUNT] = {
    [ERRAND_CONFIG] = {SPEAKER_PARENT, false, WITH, NULL},
    [ERRAND_STOP] = {SPEAKER_PARENT, false, WITHOUT, NULL},
    [ERRAND_START] = {SPEAKER_BROKER, true, WITHOUT, take_start},
    [ERRAND_END] = {SPEAKER_BROKER, true, WITHOUT, take_end},
    [ERRAND_DIAL] = {SPEAKER_BROKER, true, WITHOUT, take_dial},
    [ERRAND_PROVE] = {SPEAKER_BROKER, true, WITHOUT, take_prove},
    [ERRAND_VISIT] = {SPEAKER_BROKER, true, PERHAPS, take_dial},
    [ERRAND_LEAVE] = {SPEAKER_BROKER, true, WITHOUT, take_leave},
};

static bool may_say(enum speaker speaker, const struct errand *errand, int fd)
{
    return messages[errand->kind].speaker == speaker &&
           (messages[errand->kind].descriptor == PERHAPS ||
            (messages[errand->kind].descriptor == WITH) == (fd >= 0)) &&
           (!messages[errand->kind].slot || errand->place < CONFIG_SLOTS_MAX);
}

static enum error take(struct supervisor *supervisor, bool parent, const struct errand *errand,
                       int fd)
{
    bool permitted = may_say(parent ? SPEAKER_PARENT : SPEAKER_BROKER, errand, fd);
    enum error error = ERROR_SYNTAX;

    if (permitted && errand->kind == ERRAND_CONFIG)
        return take_config(supervisor, fd); /* whose it is then */
    if (permitted && errand->kind == ERRAND_STOP) {
        finish(supervisor);
        error = OK;
    } else if (permitted) {
        error = messages[errand->kind].take(supervisor, errand, fd);
    }
    if (fd >= 0)
        close(fd);
    return error;
}

/* ---- Hearing ---- */

/* One message, if there is any. */
static enum error hear_one(struct line *line, bool *heard)
{
    struct supervisor *supervisor = line->supervisor;
    struct errand errand;
    const void *bytes;
    size_t length;
    int fd;
    enum error error = channel_receive(line->channel, &bytes, &length, &fd);

    *heard = error == OK && length > 0;
    if (!*heard)
        return error;
    error = errand_decode(bytes, length, &errand);
    if (error != OK) {
        if (fd >= 0)
            close(fd);
        return error;
    }
    return take(supervisor, line == &supervisor->parent, &errand, fd);
}

static void hear(struct line *line)
{
    bool heard = true;
    enum error error = channel_flush(line->channel);

    while (error == OK && heard)
        error = hear_one(line, &heard);
    if (error == OK) {
        watch(line);
        return;
    }
    uv_poll_stop(&line->poll);
    if (error == ERROR_IO)
        finish(line->supervisor); /* it has gone */
    else
        fail(line->supervisor, "somebody says what none of ours says");
}

/* The parent is heard first: what it put in force is what the broker speaks of. */
static void on_line(uv_poll_t *poll, int status, int events)
{
    struct line *line = poll->data;
    struct supervisor *supervisor = line->supervisor;

    (void)status;
    (void)events;
    if (line == &supervisor->broker && uv_is_active((uv_handle_t *)&supervisor->parent.poll))
        hear(&supervisor->parent);
    hear(line);
}

static void watch(struct line *line)
{
    if (line->supervisor->finishing && !uv_is_active((uv_handle_t *)&line->poll))
        return;
    uv_poll_start(&line->poll, UV_READABLE | (channel_wants_write(line->channel) ? UV_WRITABLE : 0),
                  on_line);
}

static enum error open_line(struct supervisor *supervisor, struct line *line, int fd)
{
    enum error error = channel_create(fd, &line->channel);

    line->supervisor = supervisor;
    line->poll.data = line;
    if (error != OK)
        return error;
    if (uv_poll_init(&supervisor->loop, &line->poll, fd) != 0)
        return ERROR_IO;
    watch(line);
    return OK;
}

/* ---- The whole ---- */

/* Each process of a stdio service costs it some; services are not forked from here. */
static enum error raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ERROR_IO;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? OK : ERROR_IO;
}

/* It knows the secrets of services for a moment each. */
static enum error harden(void)
{
    const struct rlimit none = {0, 0};

    return raise_descriptors() == OK && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                   setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
               ? OK
               : ERROR_IO;
}

/* The last before anything is heard. Says what holds; whether it does, the broker asks the kernel.
 */
static enum error close_fences(struct supervisor *supervisor)
{
    struct proof proof;
    enum error error = proof_hold(FENCES_LAUNCHER, NULL, 0, &proof);

    if (error == OK)
        error = fence_launcher_calls();
    if (error == OK && proof.status >= 0)
        say(supervisor,
            &(struct errand){.kind = ERRAND_PROOF,
                             .place = proof.landlock,
                             .number = proof.tried << 16 | proof.refused},
            proof.status);
    return error;
}

static enum error open_all(struct supervisor *supervisor, const struct supervisor_options *options)
{
    enum error error = harden();

    if (error == OK && uv_loop_init(&supervisor->loop) != 0)
        error = ERROR_IO;
    supervisor->lives = (struct lives){.loop = &supervisor->loop,
                                       .bundle = &supervisor->bundle,
                                       .changed = on_changed,
                                       .ports = on_ports,
                                       .exited = on_exited,
                                       .proven = on_proven,
                                       .lost = on_lost,
                                       .context = supervisor};
    supervisor->stdios = (struct stdios){
        .lives = &supervisor->lives, .say = on_said, .gone = on_gone, .context = supervisor};
    if (error == OK)
        error = launcher_create(&supervisor->loop, options->spawner, &supervisor->lives.launcher);
    if (error == OK)
        error = open_line(supervisor, &supervisor->parent, options->parent);
    if (error == OK)
        error = open_line(supervisor, &supervisor->broker, options->broker);
    return error == OK ? close_fences(supervisor) : error;
}

/* Trees first. */
static void close_all(struct supervisor *supervisor)
{
    launcher_destroy(supervisor->lives.launcher);
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        place_drop(&supervisor->places[i]);
    }
    uv_close((uv_handle_t *)&supervisor->parent.poll, NULL);
    uv_close((uv_handle_t *)&supervisor->broker.poll, NULL);
    uv_run(&supervisor->loop, UV_RUN_DEFAULT);
    uv_loop_close(&supervisor->loop);
    channel_destroy(supervisor->parent.channel);
    channel_destroy(supervisor->broker.channel);
    bundle_clear(&supervisor->bundle);
    free(supervisor);
}

int supervisor_run(const struct supervisor_options *options)
{
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    enum error error;
    int code;

    if (supervisor == NULL)
        return EX_OSERR;
    signal(SIGPIPE, SIG_IGN);
    error = open_all(supervisor, options);
    if (error != OK) {
        log_error("the launcher cannot start: %s", error_text(error));
        return EX_OSERR;
    }
    uv_run(&supervisor->loop, UV_RUN_DEFAULT);
    code = supervisor->exit_code;
    close_all(supervisor);
    return code;
}
