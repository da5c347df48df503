#include "connect/bridge/bridge.h"

#include "base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define FINISH_MS       10000   /* for answers that are still due when the input has ended */
#define FINISH_QUICK_MS 1000    /* the same after a signal */
#define GOODBYE_MS      2000    /* for closing the session behind, and the output to be taken */
#define OUTPUT_PAUSE    4194304 /* more bytes than this not taken by the client: read no more */
#define INPUT_PAUSE     8388608 /* more bytes than this not taken by the gate: read no more */
#define SCRATCH_BYTES   65536

enum error bridge_dial(struct bridge *bridge, const struct stream_user *user, struct stream **out)
{
    enum error error = stream_open(&bridge->loop, &bridge->pass.place, user, out);

    if (error == ERROR_CRYPTO)
        bridge_give_up(bridge, EX_CONFIG, "the certificate and key cannot be used");
    return error;
}

/* ---- Answers of our own ---- */

static void answer_error(struct bridge *bridge, struct span id, int code, const char *message,
                         const char *reason)
{
    buffer_reset(&bridge->scratch);
    rpc_write_error(&bridge->scratch, id, code, message, reason);
    if (!buffer_failed(&bridge->scratch))
        stdio_write(&bridge->stdio, (struct span){bridge->scratch.data, bridge->scratch.length});
}

void bridge_fail(struct bridge *bridge, const char *key, int code, const char *message,
                 const char *reason)
{
    struct ledger_entry entry;

    if (ledger_take(&bridge->ledger, key, &entry))
        answer_error(bridge, span_of(entry.id), code, message, reason);
    bridge_settle(bridge);
}

static void fail_all(struct bridge *bridge, int code, const char *message, const char *reason)
{
    while (bridge->ledger.count > 0)
        bridge_fail(bridge, bridge->ledger.entries[0].key, code, message, reason);
}

/* ---- From the client ---- */

/* True if the notification needs not be sent: the request's stream was closed instead. */
static bool cancelled(struct bridge *bridge, const struct rpc *rpc)
{
    char key[RPC_ID_KEY_SIZE];
    struct ledger_entry entry;

    if (strcmp(rpc->method, "notifications/cancelled") != 0 ||
        !rpc_cancelled_key(bridge->scan, key) || !ledger_take(&bridge->ledger, key, &entry))
        return false;
    return bridge->transport->cancel != NULL && bridge->transport->cancel(bridge, &entry);
}

static void send_on(struct bridge *bridge, struct span line, const struct rpc *rpc)
{
    struct letter *letter;

    if (rpc->kind == RPC_NOTIFICATION && cancelled(bridge, rpc))
        return;
    letter = letter_create(line, rpc, bridge_now_ms(bridge));
    if (letter == NULL) {
        bridge_fail(bridge, rpc->id_key, RPC_LOST, "out of memory", NULL);
        return;
    }
    if (letter->modern && bridge->pass.place.transport == CONNECT_HTTP) {
        buffer_init(&letter->headers, SCRATCH_BYTES);
        mcp_headers_write(bridge->scan, rpc, &bridge->tools, &letter->headers);
    }
    replay_keep(&bridge->replay, line, rpc);
    letters_append(&bridge->queue, letter);
    bridge->transport->flush(bridge);
    bridge_settle(bridge);
}

static void on_line(void *context, struct span line)
{
    struct bridge *bridge = context;
    struct rpc rpc;
    enum error error;

    if (line.length == 0 || bridge->stage == STAGE_GOODBYE)
        return;
    /* The buffer behind a line is ours and is forgotten after this. */
    error = rpc_read(bridge->scan, (char *)line.data, line.length, &rpc);
    if (error == OK && rpc.kind == RPC_REQUEST)
        error = ledger_add(&bridge->ledger, &rpc);
    if (error == OK)
        send_on(bridge, line, &rpc);
    else if (error == ERROR_SYNTAX)
        answer_error(bridge, rpc.id, RPC_PARSE_ERROR, "not strict JSON", NULL);
    else if (error == ERROR_LIMIT)
        answer_error(bridge, rpc.id, RPC_LOST, "too many requests have no answer yet", NULL);
    else if (error == ERROR_EXISTS) /* with its id, this would answer the first one */
        answer_error(bridge, (struct span){NULL, 0}, RPC_INVALID_REQUEST,
                     "a request with this id has no answer yet", NULL);
    else
        answer_error(bridge, rpc.id, RPC_INVALID_REQUEST, "not a JSON-RPC 2.0 message", NULL);
}

static void on_too_long(void *context)
{
    answer_error(context, (struct span){NULL, 0}, RPC_INVALID_REQUEST,
                 "the message is larger than the limit", NULL);
}

/* ---- To the client ---- */

static void learn(struct bridge *bridge, enum ledger_lesson lesson, const struct rpc *rpc,
                  struct span text)
{
    if (rpc->failed)
        return;
    if (lesson == LEDGER_TOOLS) {
        mcp_tools_learn(&bridge->tools, text);
    } else if (lesson == LEDGER_INITIALIZE && rpc->negotiated[0] != '\0') {
        memcpy(bridge->replay.version, rpc->negotiated, sizeof(rpc->negotiated));
        bridge->replay.needed = false;
    }
}

bool bridge_message(struct bridge *bridge, char *bytes, size_t length, const char *key)
{
    struct ledger_entry entry = {.lesson = LEDGER_NOTHING};
    struct span text = {bytes, length};
    struct rpc rpc;
    bool answer;

    if (rpc_read(bridge->scan, bytes, length, &rpc) != OK) {
        log_warning("a message of the service was dropped: it is not a JSON-RPC message");
        return false;
    }
    answer = rpc.kind == RPC_RESPONSE;
    if (answer && strcmp(rpc.id_key, bridge->replay.id) == 0) {
        bridge->transport->replayed(bridge, replay_answered(&bridge->replay, &rpc));
    } else if (!answer || ledger_take(&bridge->ledger, rpc.id_key, &entry)) {
        /* Not an answer that nobody waits for: to a request that was cancelled, or has failed. */
        stdio_write(&bridge->stdio, text);
        learn(bridge, entry.lesson, &rpc, text);
        bridge_settle(bridge);
    }
    return answer && key[0] != '\0' && strcmp(rpc.id_key, key) == 0;
}

/* ---- The gate goes away and comes back ---- */

static void expire_letters(struct bridge *bridge)
{
    struct letter *letter;

    while ((letter = letters_take_expired(&bridge->queue, bridge_now_ms(bridge))) != NULL) {
        if (letter->key[0] != '\0')
            bridge_fail(bridge, letter->key, RPC_LOST, "the gate cannot be reached",
                        letter->reason[0] != '\0' ? letter->reason : NULL);
        letter_destroy(letter);
    }
    bridge_settle(bridge);
}

static void on_retry(uv_timer_t *timer)
{
    struct bridge *bridge = timer->data;
    unsigned wants = bridge->wants;

    expire_letters(bridge);
    bridge->waiting = true;
    bridge->wants = 0;
    pass_want(&bridge->pass, WANT_PLACE | wants);
}

void bridge_go_down(struct bridge *bridge, unsigned wants)
{
    bridge->wants |= wants;
    if (bridge->down || bridge->stage == STAGE_GOODBYE)
        return;
    bridge->down = true;
    uv_timer_start(&bridge->retry, on_retry, backoff_draw_ms(&bridge->backoff), 0);
}

static void on_pass(void *context, enum connect_answer answer)
{
    struct bridge *bridge = context;

    if (answer == CONNECT_REFUSED) {
        bridge_give_up(bridge, EX_NOPERM, "the session for the gate was refused");
        return;
    }
    expire_letters(bridge);
    if (answer != CONNECT_DONE || !bridge->waiting || bridge->stage == STAGE_GOODBYE)
        return;
    bridge->waiting = bridge->down = false;
    bridge->transport->come_back(bridge);
}

/* ---- The end ---- */

void bridge_finished(struct bridge *bridge)
{
    bridge->finished = true;
    pass_end(&bridge->pass);
    uv_stop(&bridge->loop);
}

static void on_goodbye_over(uv_timer_t *timer)
{
    bridge_finished(timer->data);
}

static void on_finish_over(uv_timer_t *timer)
{
    struct bridge *bridge = timer->data;

    if (bridge->stage == STAGE_GOODBYE)
        return;
    bridge->stage = STAGE_GOODBYE;
    fail_all(bridge, RPC_LOST, "ended before there was an answer", NULL);
    uv_timer_start(&bridge->finish, on_goodbye_over, GOODBYE_MS, 0);
    bridge->transport->finish(bridge);
}

static void end(void *context, bool at_once)
{
    struct bridge *bridge = context;

    if (bridge->stage == STAGE_GOODBYE)
        return;
    if (bridge->stage == STAGE_RUNNING || at_once)
        uv_timer_start(&bridge->finish, on_finish_over, at_once ? FINISH_QUICK_MS : FINISH_MS, 0);
    bridge->stage = STAGE_FINISHING;
    bridge_settle(bridge);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    end(signal->data, true);
}

void bridge_give_up(struct bridge *bridge, int code, const char *reason)
{
    if (bridge->code == EX_OK) {
        log_error("giving up: %s", reason);
        bridge->code = code;
    }
    fail_all(bridge, RPC_REFUSED, "the gate refuses this client", reason);
    if (bridge->stage == STAGE_RUNNING)
        bridge->stage = STAGE_FINISHING;
    if (bridge->stage == STAGE_FINISHING)
        uv_timer_start(&bridge->finish, on_finish_over, 0, 0);
}

void bridge_settle(struct bridge *bridge)
{
    size_t unsent = bridge->transport->unsent(bridge);
    bool paused = stdio_unwritten(&bridge->stdio) > OUTPUT_PAUSE;

    stdio_pause_input(&bridge->stdio, unsent + bridge->queue.bytes > INPUT_PAUSE);
    if (paused != bridge->output_paused) {
        bridge->output_paused = paused;
        bridge->transport->pause(bridge, paused);
    }
    /* Not at once: whoever calls is in the middle of something that the goodbye would end. */
    if (bridge->stage == STAGE_FINISHING && bridge->ledger.count == 0 &&
        bridge->queue.first == NULL && unsent == 0)
        uv_timer_start(&bridge->finish, on_finish_over, 0, 0);
}

static void on_taken(void *context)
{
    bridge_settle(context);
}

/* ---- The beginning ---- */

static enum error start(struct bridge *bridge)
{
    const struct stdio_user user = {.context = bridge,
                                    .line = on_line,
                                    .too_long = on_too_long,
                                    .ended = end,
                                    .taken = on_taken};
    enum error error = json_scan_create(&bridge->scan);

    letters_init(&bridge->queue);
    buffer_init(&bridge->scratch, SCRATCH_BYTES);
    if (error == OK)
        error = replay_init(&bridge->replay);
    if (error != OK)
        return error;
    bridge->transport_state = calloc(1, bridge->transport->state_bytes);
    if (bridge->transport_state == NULL)
        return ERROR_MEMORY;
    bridge->transport->start(bridge);
    return stdio_start(&bridge->stdio, &bridge->loop, bridge->pass.place.max_message_bytes, &user);
}

static void watch_signal(struct bridge *bridge, uv_signal_t *signal, int number)
{
    uv_signal_init(&bridge->loop, signal);
    signal->data = bridge;
    uv_signal_start(signal, on_signal, number);
}

static void start_loop(struct bridge *bridge)
{
    uv_loop_init(&bridge->loop);
    uv_timer_init(&bridge->loop, &bridge->retry);
    uv_timer_init(&bridge->loop, &bridge->finish);
    bridge->retry.data = bridge;
    bridge->finish.data = bridge;
    watch_signal(bridge, &bridge->sigterm, SIGTERM);
    watch_signal(bridge, &bridge->sigint, SIGINT);
}

static void on_handle(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Whatever the loop still brings is of no interest; also waits for an errand that is still out. */
static void stop(struct bridge *bridge, bool started)
{
    bridge->stage = STAGE_GOODBYE;
    pass_end(&bridge->pass);
    if (bridge->transport_state != NULL) {
        bridge->transport->stop(bridge);
        free(bridge->transport_state);
        stdio_stop(&bridge->stdio, GOODBYE_MS);
    }
    uv_walk(&bridge->loop, on_handle, NULL);
    uv_run(&bridge->loop, UV_RUN_DEFAULT);
    uv_loop_close(&bridge->loop);
    pass_stop(&bridge->pass);
    if (started)
        letters_clear(&bridge->queue);
    json_scan_destroy(bridge->scan);
    mcp_tools_clear(&bridge->tools);
    replay_clear(&bridge->replay);
    buffer_clear(&bridge->scratch);
}

int bridge_run(const struct connect_control *control, const struct transport *const *transports)
{
    struct bridge *bridge = calloc(1, sizeof(*bridge));
    enum connect_answer answer;
    int code;

    if (bridge == NULL)
        return EX_OSERR;
    signal(SIGPIPE, SIG_IGN);
    start_loop(bridge);
    bridge->pass.told = on_pass;
    bridge->pass.context = bridge;
    answer = pass_start(&bridge->pass, &bridge->loop, control);
    if (answer == CONNECT_DONE) {
        bridge->transport = transports[bridge->pass.place.transport];
        if (start(bridge) == OK)
            uv_run(&bridge->loop, UV_RUN_DEFAULT);
        else
            bridge->code = EX_OSERR;
    } else {
        bridge->code = answer == CONNECT_LATER ? EX_UNAVAILABLE : EX_NOPERM;
    }
    stop(bridge, answer == CONNECT_DONE);
    code = bridge->code;
    free(bridge);
    return code;
}
