#include "launch/relay/relay.h"

#include "base/log.h"
#include "launch/common/passing.h"
#include "launch/relay/deliver.h"
#include "launch/relay/request.h"
#include "launch/relay/words.h"
#include "system/sandbox.h"

#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define TICK_MS         500
#define DESCRIPTORS_MAX (RELAY_LINKS_MAX + 256)
#define DESCRIPTORS_HAD 2 /* those of a process that was started */
#define ANSWER_ROOM     (64 * 1024)
/* For all links and processes of one session: room for more than one answer as large as may be
 * configured, each of which is a line, an event and what waits to be taken. */
#define MEMORY_BYTES_MAX ((size_t)4096 * 1024 * 1024)

struct relay {
    struct house house; /* first */
    uv_loop_t loop;
    uv_poll_t channel;
    uv_timer_t tick;
    uint32_t links;   /* that were taken */
    uint64_t used_ms; /* when it had somebody last */
    int exit_code;
};

static void deliver_dry(void *data)
{
    struct session *session = data;

    session->dry = true;
    if (session->ended)
        session_gone(session);
    else
        session_end(session, "its process has closed its output", REASON_SERVICE_DOWN);
}

/* ---- What the launcher is asked ---- */

static void say(struct house *house, enum relay_word_type type, uint32_t number)
{
    struct relay *relay = (struct relay *)house;
    const struct relay_word word = {.type = type, .number = number};

    if (passing_send(RELAY_CHANNEL, &word, sizeof(word), NULL, 0) == OK)
        return;
    relay->exit_code = EX_SOFTWARE; /* it does not hear, or has gone */
    uv_stop(&relay->loop);
}

static void ask_start(struct house *house, uint32_t number)
{
    say(house, RELAY_START, number);
}

static void ask_stop(struct house *house, uint32_t number)
{
    say(house, RELAY_STOP, number);
}

/* ---- What it says ---- */

static const struct link_events link_events = {request_bytes, request_gone, request_drained};

static void take_link(struct relay *relay, int fd)
{
    struct house *house = &relay->house;
    struct link *link;

    relay->links++;

    if (house->links_open >= RELAY_LINKS_MAX) {
        close(fd);
        return;
    }
    if (link_open(&relay->loop, fd, &link_events, house, house->max_message_bytes,
                  house->max_answer_bytes + SESSION_BACKLOG_BYTES + LINK_FULL_BYTES + ANSWER_ROOM,
                  &link) == OK)
        house->links_open++;
}

static void take_started(struct house *house, uint32_t number, const int fds[DESCRIPTORS_HAD])
{
    struct session *session = session_of(house, number);

    if (session == NULL) {
        close(fds[0]);
        close(fds[1]);
    } else if (session_begin(session, fds[0], fds[1]) != OK) {
        session_end(session, "its process cannot be spoken to", REASON_INTERNAL);
    }
}

static void take_refused(struct house *house, const struct relay_word *word)
{
    struct session *session = session_of(house, word->number);
    enum reason reason = word->value > 0 && word->value < REASON_COUNT ? (enum reason)word->value
                                                                       : REASON_SERVICE_DOWN;

    if (session == NULL)
        return;
    session_end(session, reason_info(reason)->text, reason);
    session_gone(session);
}

static void take_ended(struct house *house, uint32_t number)
{
    struct session *session = session_of(house, number);

    if (session == NULL)
        return;
    session->ended = true;
    if (session->dry || session->ending)
        session_gone(session);
}

static void take_begin(struct relay *relay, const struct relay_word *word)
{
    relay->house.max_message_bytes = word->max_message_bytes;
    relay->house.max_answer_bytes = word->max_answer_bytes;
    relay->house.idle_ms = word->idle_ms;
}

static void take(struct relay *relay, const struct relay_word *word, int *fds, size_t count)
{
    if (word->type == RELAY_BEGIN)
        take_begin(relay, word);
    else if (word->type == RELAY_LINK && count == 1)
        take_link(relay, fds[0]);
    else if (word->type == RELAY_STARTED && count == DESCRIPTORS_HAD)
        take_started(&relay->house, word->number, fds);
    else if (word->type == RELAY_REFUSED)
        take_refused(&relay->house, word);
    else if (word->type == RELAY_ENDED)
        take_ended(&relay->house, word->number);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct relay *relay = poll->data;
    struct relay_word word;
    int fds[PASSING_DESCRIPTORS_MAX];
    size_t count = DESCRIPTORS_HAD;
    enum error error = passing_receive(RELAY_CHANNEL, &word, sizeof(word), fds, &count);

    (void)status; /* whatever it was: receiving tells */
    (void)events;
    if (error == OK)
        take(relay, &word, fds, count);
    else if (error != ERROR_STATE)
        uv_stop(&relay->loop);
}

/* Nobody is there, and no process. */
static void look_whether_resting(struct relay *relay, uint64_t now_ms)
{
    struct house *house = &relay->house;

    if (house->sessions != NULL || house->links_open > 0)
        relay->used_ms = now_ms;
    else if (house->idle_ms > 0 && now_ms - relay->used_ms >= house->idle_ms)
        say(house, RELAY_REST, relay->links);
}

/* One that goes takes itself out: the next is known before. */
static void on_tick(uv_timer_t *timer)
{
    struct relay *relay = timer->data;
    struct session *session = relay->house.sessions, *next;
    uint64_t now_ms = uv_now(&relay->loop);

    for (; session != NULL; session = next) {
        next = session->next;
        deliver_tick(session, now_ms);
        session_tick(session, now_ms);
    }
    look_whether_resting(relay, now_ms);
}

/* ---- The whole ---- */

static enum error open_all(struct relay *relay)
{
    enum error error = sandbox_prepare(STDERR_FILENO + 1);

    signal(SIGPIPE, SIG_IGN);
    log_never_wait();
    if (error == OK)
        error = json_scan_create(&relay->house.scan);
    if (error != OK)
        return error;
    if (uv_loop_init(&relay->loop) != 0 ||
        uv_poll_init(&relay->loop, &relay->channel, RELAY_CHANNEL) != 0 ||
        uv_timer_init(&relay->loop, &relay->tick) != 0)
        return ERROR_IO;
    relay->channel.data = relay->tick.data = relay;
    uv_poll_start(&relay->channel, UV_READABLE, on_channel);
    relay->used_ms = uv_now(&relay->loop);
    uv_timer_start(&relay->tick, on_tick, TICK_MS, TICK_MS);
    error = sandbox_limit_memory(MEMORY_BYTES_MAX);
    return error == OK ? sandbox_enter(DESCRIPTORS_MAX) : error;
}

int relay_run(void)
{
    static struct relay relay;
    enum error error;

    relay.house = (struct house){.loop = &relay.loop,
                                 .events = {deliver_line, deliver_too_long, deliver_dry},
                                 .start = ask_start,
                                 .stop = ask_stop};
    error = open_all(&relay);
    if (error != OK) {
        log_error("a relay cannot start: %s", error_text(error));
        return EX_OSERR;
    }
    uv_run(&relay.loop, UV_RUN_DEFAULT);
    return relay.exit_code;
}
