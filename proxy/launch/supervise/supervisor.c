#include "launch/supervise/supervisor.h"

#include "base/log.h"
#include "ipc/channel.h"
#include "launch/supervise/hardening.h"
#include "launch/supervise/telling.h"
#include "system/fence.h"
#include "system/proof.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define SEND_BUFFER_BYTES (512 * 1024) /* a request with a large stored record in one go */

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
    telling_say(&asked->supervisor->broker, &answer, fd);
    free(asked);
}

/* ---- What the broker asks ---- */

static enum error begin_stdio(struct supervisor *supervisor, uint32_t slot, const char *name)
{
    enum error error =
        stdio_begin(&supervisor->stdios, slot, name, &supervisor->places[slot].stdio);

    if (error == OK)
        telling_say_state(supervisor, slot, SERVICE_READY);
    return error;
}

/* NULL: no surface of this name needs a launcher, or no configuration came yet. */
static const struct surface *find_surface(const struct supervisor *supervisor, const char *name)
{
    const struct config *config = supervisor->bundle.config;
    const struct surface *surface = config != NULL ? config_surface(config, name) : NULL;

    return surface != NULL && surface_needs_launcher(surface) ? surface : NULL;
}

static enum error begin(struct supervisor *supervisor, const struct errand *errand,
                        const struct surface *surface)
{
    if (supervisor->finishing)
        return OK;
    if (!surface_is_launched(surface))
        return neighbour_begin(&supervisor->neighbours, errand->place, surface->name,
                               &supervisor->places[errand->place].neighbour);
    if (surface->upstream_stdio)
        return begin_stdio(supervisor, errand->place, surface->name);
    return life_begin(&supervisor->lives, errand->place, surface->name,
                      lone_is(&supervisor->lone, errand) ? supervisor->lone.standard : NULL,
                      &supervisor->places[errand->place].life);
}

/* One that the parent has started already is the broker's from now on, too. */
static enum error take_start(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    struct place *place = &supervisor->places[errand->place];
    const struct surface *surface = find_surface(supervisor, errand->text);
    const bool alone = lone_is(&supervisor->lone, errand);

    (void)fd;
    if (surface == NULL || (!place_is_free(place) && (!alone || supervisor->lone.told)))
        return ERROR_SYNTAX;
    supervisor->lone.told = supervisor->lone.told || alone;
    if (place_is_free(place))
        return begin(supervisor, errand, surface);
    telling_state(supervisor, place->life);
    telling_on_fenced(supervisor, place->life);
    telling_on_ports(supervisor, place->life);
    if (place->life->sight < SIGHT_COUNT)
        telling_on_seen(supervisor, place->life);
    return OK;
}

/* Of one that has gone as well: the broker may not have heard of that yet. */
static enum error take_end(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    (void)fd;
    place_end(&supervisor->places[errand->place], errand->number);
    return OK;
}

/* DIAL, or VISIT of a session. */
static enum error take_dial(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    const struct visitor visitor = {errand->text, fd, errand->number};
    const struct place *place = &supervisor->places[errand->place];
    struct asked *asked = malloc(sizeof(*asked));

    if (asked == NULL)
        return ERROR_MEMORY;
    *asked = (struct asked){supervisor, errand->place, errand->number};
    if (errand->kind == ERRAND_ENTER)
        place_enter(place, on_dialed, asked);
    else
        place_dial(place, errand->kind == ERRAND_VISIT ? &visitor : NULL, on_dialed, asked);
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
    (void)fd;
    place_prove(&supervisor->places[errand->place]); /* which may have ended meanwhile */
    return OK;
}

/* ---- What the parent says ---- */

/* Services that run are not touched: the broker says which are to end. */
static enum error take_config(struct supervisor *supervisor, bool at_terminal, int fd)
{
    struct config_bundle fresh;
    enum error error = bundle_unseal(fd, false, &fresh);

    if (error != OK) {
        bundle_clear(&fresh);
        return error;
    }
    bundle_clear(&supervisor->bundle);
    supervisor->bundle = fresh;
    supervisor->lives.at_terminal = at_terminal;
    return OK;
}

static enum error take_standard(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    return lone_take_standard(&supervisor->lone, errand, fd);
}

/* Before the broker asks for anything. */
static enum error take_alone(struct supervisor *supervisor, const struct errand *errand, int fd)
{
    const struct surface *surface = find_surface(supervisor, errand->text);
    enum error error = ERROR_SYNTAX;

    (void)fd;
    if (surface != NULL && surface_is_launched(surface) && !surface->upstream_stdio &&
        place_is_free(&supervisor->places[errand->place]))
        error = lone_begin(&supervisor->lone, errand);
    return error == OK ? begin(supervisor, errand, surface) : error;
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
    [ERRAND_STANDARD] = {SPEAKER_PARENT, false, WITH, take_standard},
    [ERRAND_ALONE] = {SPEAKER_PARENT, true, WITHOUT, take_alone},
    [ERRAND_START] = {SPEAKER_BROKER, true, WITHOUT, take_start},
    [ERRAND_END] = {SPEAKER_BROKER, true, WITHOUT, take_end},
    [ERRAND_DIAL] = {SPEAKER_BROKER, true, WITHOUT, take_dial},
    [ERRAND_PROVE] = {SPEAKER_BROKER, true, WITHOUT, take_prove},
    [ERRAND_VISIT] = {SPEAKER_BROKER, true, PERHAPS, take_dial},
    [ERRAND_LEAVE] = {SPEAKER_BROKER, true, WITHOUT, take_leave},
    [ERRAND_ENTER] = {SPEAKER_BROKER, true, WITHOUT, take_dial},
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
        return take_config(supervisor, errand->number != 0, fd); /* whose it is then */
    if (permitted && errand->kind == ERRAND_STOP) {
        telling_finish(supervisor, SUPERVISOR_PATIENCE_MS);
        error = OK;
    } else if (permitted) {
        error = messages[errand->kind].take(supervisor, errand, fd);
    }
    if (fd >= 0)
        close(fd);
    return error;
}

/* ---- Hearing ---- */

/* One message, if there is any. ERROR_IO: who says them has gone, and nothing else. */
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
    error = take(supervisor, line == &supervisor->parent, &errand, fd);
    return error == ERROR_IO ? ERROR_LIMIT : error;
}

static void hear(struct line *line)
{
    bool heard = true;
    enum error error = channel_flush(line->channel);

    while (error == OK && heard)
        error = hear_one(line, &heard);
    if (error == OK) {
        telling_watch(line);
        return;
    }
    uv_poll_stop(&line->poll);
    if (error == ERROR_IO)
        telling_finish(line->supervisor, SUPERVISOR_PATIENCE_MS); /* it has gone */
    else if (error == ERROR_SYNTAX || error == ERROR_INVALID)
        telling_fail(line->supervisor, "somebody says what none of ours says");
    else
        telling_fail(line->supervisor,
                     "what is asked for cannot be done: there is no memory, or no "
                     "descriptor, for it");
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

static enum error open_line(struct supervisor *supervisor, struct line *line, int fd)
{
    enum error error = channel_create(fd, &line->channel);

    line->supervisor = supervisor;
    line->heard = on_line;
    line->poll.data = line;
    if (error != OK)
        return error;
    if (uv_poll_init(&supervisor->loop, &line->poll, fd) != 0)
        return ERROR_IO;
    telling_watch(line);
    return OK;
}

/* ---- The whole ---- */

/* The last before anything is heard. Says what holds; whether it does, the broker asks the kernel.
 */
static enum error close_fences(struct supervisor *supervisor)
{
    struct proof proof;
    enum error error = hardening_close(&proof);

    if (error == OK && proof.status >= 0)
        telling_say(&supervisor->broker,
                    &(struct errand){.kind = ERRAND_PROOF,
                                     .place = proof.landlock,
                                     .number = proof.tried << 16 | proof.refused},
                    proof.status);
    return error;
}

static enum error open_all(struct supervisor *supervisor, const struct supervisor_options *options)
{
    enum error error = hardening_begin();

    if (error == OK)
        error = fence_without_rings();
    if (error == OK && uv_loop_init(&supervisor->loop) != 0)
        error = ERROR_IO;
    supervisor->diallings.loop = &supervisor->loop;
    supervisor->lives = (struct lives){.loop = &supervisor->loop,
                                       .diallings = &supervisor->diallings,
                                       .bundle = &supervisor->bundle,
                                       .changed = telling_on_changed,
                                       .ports = telling_on_ports,
                                       .fenced = telling_on_fenced,
                                       .exited = telling_on_exited,
                                       .refused = telling_on_refused,
                                       .seen = telling_on_seen,
                                       .proven = telling_on_proven,
                                       .lost = telling_on_lost,
                                       .over = telling_on_over,
                                       .context = supervisor};
    supervisor->stdios = (struct stdios){.lives = &supervisor->lives,
                                         .say = telling_on_said,
                                         .gone = telling_on_gone,
                                         .context = supervisor};
    supervisor->neighbours = (struct neighbours){.diallings = &supervisor->diallings,
                                                 .bundle = &supervisor->bundle,
                                                 .changed = telling_on_neighbour,
                                                 .proven = telling_on_neighbour_proven,
                                                 .context = supervisor};
    if (error == OK)
        error = launcher_create(&supervisor->loop, options->spawner, &supervisor->lives.launcher);
    if (error == OK)
        error = open_line(supervisor, &supervisor->parent, options->parent);
    if (error == OK)
        error = open_line(supervisor, &supervisor->broker, options->broker);
    return error == OK ? close_fences(supervisor) : error;
}

/* Trees first; then nobody waits for whoever takes no connection. */
static void close_all(struct supervisor *supervisor)
{
    launcher_destroy(supervisor->lives.launcher);
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        place_drop(&supervisor->places[i]);
    }
    dialling_end_all(&supervisor->diallings);
    uv_close((uv_handle_t *)&supervisor->parent.poll, NULL);
    uv_close((uv_handle_t *)&supervisor->broker.poll, NULL);
    uv_run(&supervisor->loop, UV_RUN_DEFAULT);
    uv_loop_close(&supervisor->loop);
    lone_clear(&supervisor->lone);
    caller_lookup_destroy(supervisor->neighbours.lookup);
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
    lone_init(&supervisor->lone);
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
