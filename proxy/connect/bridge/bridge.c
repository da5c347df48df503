#include "connect/connect.h"

#include "base/log.h"
#include "base/secret.h"
#include "connect/bridge/bridge.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

uint32_t connect_random(void)
{
    uint32_t value;

    return secret_random(&value, sizeof(value)) == OK ? value : 0;
}

/* The name that the certificate may be chosen by; an address is none. */
static const char *server_name(const struct connect *connect, char out[CONNECT_HOST_BYTES_MAX])
{
    const char *host = connect->place.host;
    size_t length = strcspn(host, ":");

    if (host[0] == '[' || strspn(host, "0123456789.") >= length)
        return NULL;
    snprintf(out, CONNECT_HOST_BYTES_MAX, "%.*s", (int)length, host);
    return out;
}

enum error connect_dial(struct connect *connect, const struct stream_user *user,
                        struct stream **out)
{
    const struct connect_place *place = &connect->place;
    char name[CONNECT_HOST_BYTES_MAX];
    const struct client_tls_options tls = {.pin = place->pin,
                                           .name = server_name(connect, name),
                                           .certificate = place->certificate,
                                           .key = place->key};
    const struct stream_target target = {.address = &place->address,
                                         .tls = place->pin[0] != '\0' ? &tls : NULL};
    enum error error = stream_open(&connect->loop, &target, user, out);

    if (error == ERROR_CRYPTO)
        connect_give_up(connect, EX_CONFIG, "the certificate and key cannot be used");
    return error;
}

static void answer_error(struct connect *connect, struct span id, int code, const char *message,
                         const char *reason)
{
    buffer_reset(&connect->scratch);
    rpc_write_error(&connect->scratch, id, code, message, reason);
    if (!buffer_failed(&connect->scratch))
        stdio_write(connect, (struct span){connect->scratch.data, connect->scratch.length});
}

void connect_fail(struct connect *connect, const char *key, int code, const char *message,
                  const char *reason)
{
    struct ledger_entry entry;

    if (ledger_take(&connect->ledger, key, &entry))
        answer_error(connect, span_of(entry.id), code, message, reason);
    connect_settle(connect);
}

void connect_fail_all(struct connect *connect, int code, const char *message, const char *reason)
{
    while (connect->ledger.count > 0)
        connect_fail(connect, connect->ledger.entries[0].key, code, message, reason);
}

void connect_line_too_long(struct connect *connect)
{
    answer_error(connect, (struct span){NULL, 0}, RPC_INVALID_REQUEST,
                 "the message is larger than the limit", NULL);
}

static bool remember(char **kept, const struct letter *letter)
{
    char *copy = text_copy((struct span){letter->bytes, letter->length});

    if (copy == NULL)
        return false;
    free(*kept);
    *kept = copy;
    return true;
}

/* What another connection will have to be told first. */
static void keep_for_replay(struct connect *connect, const struct letter *letter)
{
    if (letter->initialize && !letter->modern) {
        free(connect->initialized);
        connect->initialized = NULL;
        connect->version[0] = '\0';
        if (!remember(&connect->initialize, letter))
            log_warning("out of memory: a lost connection cannot be made good");
    } else if (letter->initialized && !remember(&connect->initialized, letter)) {
        log_warning("out of memory: a lost connection cannot be made good");
    }
}

static void add_headers(struct connect *connect, const struct rpc *rpc, struct letter *letter)
{
    if (!letter->modern || connect->place.transport != CONNECT_HTTP)
        return;
    buffer_reset(&connect->scratch);
    mcp_headers_write(connect->scan, rpc, connect->tools, &connect->scratch);
    if (!buffer_failed(&connect->scratch))
        letter->headers = text_copy((struct span){connect->scratch.data, connect->scratch.length});
}

/* True if the notification needs not be sent: the request's stream was closed instead. */
static bool cancelled(struct connect *connect, const struct rpc *rpc)
{
    char key[RPC_ID_KEY_SIZE];
    struct ledger_entry entry;

    if (strcmp(rpc->method, "notifications/cancelled") != 0 ||
        !rpc_cancelled_key(connect->scan, key) || !ledger_take(&connect->ledger, key, &entry))
        return false;
    return connect->transport->cancel(connect, &entry);
}

static void send_on(struct connect *connect, struct span line, const struct rpc *rpc)
{
    struct letter *letter;

    if (rpc->kind == RPC_NOTIFICATION && cancelled(connect, rpc))
        return;
    letter = letter_create(line, rpc);
    if (letter == NULL) {
        connect_fail(connect, rpc->id_key, RPC_LOST, "out of memory", NULL);
        return;
    }
    letter->since_ms = connect_now_ms(connect);
    add_headers(connect, rpc, letter);
    keep_for_replay(connect, letter);
    connect->transport->deliver(connect, letter);
}

void connect_line(struct connect *connect, struct span line)
{
    struct rpc rpc;
    enum error error;

    if (line.length == 0 || connect->stage == STAGE_GOODBYE)
        return;
    /* The buffer behind a line is ours and is forgotten after this. */
    error = rpc_read(connect->scan, &connect->descend, (char *)line.data, line.length, &rpc);
    if (error == OK && rpc.kind == RPC_REQUEST)
        error = ledger_add(&connect->ledger, &rpc);
    if (error == OK)
        send_on(connect, line, &rpc);
    else if (error == ERROR_SYNTAX)
        answer_error(connect, rpc.id, RPC_PARSE_ERROR, "not strict JSON", NULL);
    else if (error == ERROR_LIMIT)
        answer_error(connect, rpc.id, RPC_LOST, "too many requests have no answer yet", NULL);
    else if (error == ERROR_EXISTS) /* with its id, this would answer the first one */
        answer_error(connect, (struct span){NULL, 0}, RPC_INVALID_REQUEST,
                     "a request with this id has no answer yet", NULL);
    else
        answer_error(connect, rpc.id, RPC_INVALID_REQUEST, "not a JSON-RPC 2.0 message", NULL);
}

static void learn(struct connect *connect, enum ledger_lesson lesson, const struct rpc *rpc,
                  struct span text)
{
    if (rpc->failed)
        return;
    if (lesson == LEDGER_TOOLS)
        mcp_tools_learn(connect->tools, text);
    else if (lesson == LEDGER_INITIALIZE &&
             rpc_result_version(connect->scan, text.data, text.length, connect->version))
        connect->transport->initialized(connect);
}

/* The answer to our own initialize: the client must not notice that it was asked again. */
static void take_replayed(struct connect *connect, const struct rpc *rpc, struct span text)
{
    char version[RPC_VERSION_BYTES_MAX + 1];
    bool good = !rpc->failed &&
                rpc_result_version(connect->scan, text.data, text.length, version) &&
                (connect->version[0] == '\0' || strcmp(version, connect->version) == 0);

    if (good)
        memcpy(connect->version, version, sizeof(version));
    connect->transport->replayed(connect, good);
}

void connect_message(struct connect *connect, char *bytes, size_t length,
                     char answered[RPC_ID_KEY_SIZE])
{
    struct span text = {bytes, length};
    struct ledger_entry entry;
    struct rpc rpc;

    if (answered != NULL)
        answered[0] = '\0';
    if (rpc_read(connect->scan, NULL, bytes, length, &rpc) != OK) {
        log_warning("a message of the service was dropped: it is not a JSON-RPC message");
        return;
    }
    if (rpc.kind != RPC_RESPONSE) {
        stdio_write(connect, text);
        return;
    }
    if (answered != NULL)
        memcpy(answered, rpc.id_key, sizeof(rpc.id_key));
    if (strcmp(rpc.id_key, connect->replay_key) == 0) {
        take_replayed(connect, &rpc, text);
        return;
    }
    /* An answer that nobody waits for: to a request that was cancelled, or has failed. */
    if (!ledger_take(&connect->ledger, rpc.id_key, &entry))
        return;
    stdio_write(connect, text);
    learn(connect, entry.lesson, &rpc, text);
    connect_settle(connect);
}

void connect_pause_output(struct connect *connect, bool pause)
{
    if (pause == connect->output_paused)
        return;
    connect->output_paused = pause;
    connect->transport->pause(connect, pause);
}

void connect_finished(struct connect *connect)
{
    connect->finished = true;
    uv_stop(&connect->loop);
}

static void on_goodbye_over(uv_timer_t *timer)
{
    connect_finished(timer->data);
}

static void say_goodbye(struct connect *connect)
{
    if (connect->stage == STAGE_GOODBYE)
        return;
    connect->stage = STAGE_GOODBYE;
    connect_fail_all(connect, RPC_LOST, "ended before there was an answer", NULL);
    uv_timer_start(&connect->finish, on_goodbye_over, GOODBYE_MS, 0);
    connect->transport->finish(connect);
}

static void on_finish_over(uv_timer_t *timer)
{
    say_goodbye(timer->data);
}

/* Not at once: whoever calls is in the middle of something that the goodbye would end. */
void connect_settle(struct connect *connect)
{
    if (connect->stage == STAGE_FINISHING && connect->ledger.count == 0 &&
        connect->transport->idle(connect))
        uv_timer_start(&connect->finish, on_finish_over, 0, 0);
}

void connect_end(struct connect *connect, bool at_once)
{
    if (connect->stage == STAGE_GOODBYE)
        return;
    if (connect->stage == STAGE_RUNNING || at_once)
        uv_timer_start(&connect->finish, on_finish_over, at_once ? FINISH_QUICK_MS : FINISH_MS, 0);
    connect->stage = STAGE_FINISHING;
    connect_settle(connect);
}

void connect_give_up(struct connect *connect, int code, const char *reason)
{
    if (connect->code == EX_OK) {
        log_error("giving up: %s", reason);
        connect->code = code;
    }
    connect_fail_all(connect, RPC_REFUSED, "the gate refuses this client", reason);
    if (connect->stage == STAGE_RUNNING)
        connect->stage = STAGE_FINISHING;
    if (connect->stage == STAGE_FINISHING)
        uv_timer_start(&connect->finish, on_finish_over, 0, 0);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    connect_end(signal->data, true);
}

static void on_handle(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (handle->type == UV_TCP)
        stream_abort(handle);
    else if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* A number, because some services take no strings; of a size that no client counts to. */
static enum error make_replay_id(struct connect *connect)
{
    uint64_t value;
    enum error error = secret_random(&value, sizeof(value));

    if (error != OK)
        return error;
    snprintf(connect->replay_id, sizeof(connect->replay_id), "%llu",
             (unsigned long long)(REPLAY_ID_MIN + value % REPLAY_ID_MIN));
    memcpy(connect->replay_key, connect->replay_id, sizeof(connect->replay_id));
    return OK;
}

static enum error start(struct connect *connect)
{
    enum error error = json_scan_create(&connect->scan);

    if (error == OK)
        error = rpc_descend(&connect->descend);
    if (error == OK)
        error = mcp_tools_create(&connect->tools);
    if (error == OK)
        error = make_replay_id(connect);
    buffer_init(&connect->scratch, (size_t)64 * 1024);
    if (error == OK)
        error = connect->transport->start(connect);
    if (error == OK)
        error = stdio_start(connect);
    return error;
}

static void start_loop(struct connect *connect)
{
    uv_loop_init(&connect->loop);
    connect->loop.data = connect;
    uv_timer_init(&connect->loop, &connect->renewal);
    uv_timer_init(&connect->loop, &connect->finish);
    uv_signal_init(&connect->loop, &connect->sigterm);
    uv_signal_init(&connect->loop, &connect->sigint);
    connect->renewal.data = connect;
    connect->finish.data = connect;
    connect->sigterm.data = connect;
    connect->sigint.data = connect;
    uv_signal_start(&connect->sigterm, on_signal, SIGTERM);
    uv_signal_start(&connect->sigint, on_signal, SIGINT);
}

static void stop(struct connect *connect)
{
    connect->stage = STAGE_GOODBYE; /* whatever the loop still brings is of no interest */
    connect->finished = true;
    connect->transport->stop(connect);
    stdio_stop(connect, GOODBYE_MS);
    uv_walk(&connect->loop, on_handle, NULL);
    uv_run(&connect->loop, UV_RUN_DEFAULT); /* also waits for an errand that is still out */
    uv_loop_close(&connect->loop);
    pass_stop(connect);
    json_scan_destroy(connect->scan);
    text_list_clear(&connect->descend);
    mcp_tools_destroy(connect->tools);
    buffer_clear(&connect->scratch);
    free(connect->initialize);
    free(connect->initialized);
}

static int exit_code(enum connect_answer answer)
{
    return answer == CONNECT_LATER ? EX_UNAVAILABLE : EX_NOPERM;
}

int connect_run(const struct connect_control *control)
{
    struct connect *connect = calloc(1, sizeof(*connect));
    enum connect_answer answer;
    int code;

    if (connect == NULL)
        return EX_OSERR;
    signal(SIGPIPE, SIG_IGN);
    connect->control = control;
    start_loop(connect);
    answer = pass_start(connect);
    if (answer == CONNECT_DONE) {
        connect->transport =
            connect->place.transport == CONNECT_HTTP ? &streamable_transport : &websocket_transport;
        if (start(connect) == OK)
            uv_run(&connect->loop, UV_RUN_DEFAULT);
        else
            connect->code = EX_OSERR;
        stop(connect);
    } else {
        connect->code = exit_code(answer);
        uv_walk(&connect->loop, on_handle, NULL);
        uv_run(&connect->loop, UV_RUN_DEFAULT);
        uv_loop_close(&connect->loop);
    }
    code = connect->code;
    free(connect);
    return code;
}
