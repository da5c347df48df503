#include "launch/relay/deliver.h"

#include "base/log.h"
#include "launch/relay/answer.h"
#include "launch/relay/splice.h"

#include <stdio.h>
#include <string.h>

/* JSON-RPC's codes, without their minus, and MCP's of the modern era (revision 2026-07-28). */
#define METHOD_NOT_FOUND  32601
#define VERSION_UNKNOWN   32022
#define HEADER_MISMATCHES 32020

/* ---- Links ---- */

static bool waits_for_answer(const struct link *link)
{
    return link->wait == LINK_FIRST || link->wait == LINK_STREAM;
}

static struct link *find_asked(const struct session *session, const char *key)
{
    for (struct link *link = session->links; link != NULL; link = link->neighbour) {
        if (waits_for_answer(link) && link->key[0] != '\0' && strcmp(link->key, key) == 0)
            return link;
    }
    return NULL;
}

static struct link *find_token(const struct session *session, struct span token)
{
    for (struct link *link = session->links; token.data != NULL && link != NULL;
         link = link->neighbour) {
        if (waits_for_answer(link) && link->token_key[0] != '\0' &&
            span_equals(token, link->token_key))
            return link;
    }
    return NULL;
}

static struct link *find_waiting(const struct session *session)
{
    struct link *link = session->links;

    while (link != NULL && !waits_for_answer(link))
        link = link->neighbour;
    return link;
}

static const char *id_for(const struct session *session, const struct link *link)
{
    return link->opens ? session->id : "";
}

static void begin_stream(const struct session *session, struct link *link)
{
    if (link->wait != LINK_FIRST)
        return;
    answer_begin(link, id_for(session, link));
    link->wait = LINK_STREAM;
}

/* Whoever does not take what it is sent keeps the process from saying more. */
static void look_after(struct session *session, const struct link *link)
{
    if (link_is_full(link))
        child_pause(session->child, true);
}

void deliver_drained(struct session *session)
{
    for (const struct link *link = session->links; link != NULL; link = link->neighbour) {
        if (link_is_full(link))
            return;
    }
    child_pause(session->child, false);
}

static void send_event(struct session *session, struct link *link, struct span message)
{
    begin_stream(session, link);
    answer_event(link, message);
    look_after(session, link);
}

/* ---- Answers ---- */

/* How an error is answered in the modern era. */
static unsigned status_of(const struct json_scan *scan, const struct link *link)
{
    const struct json_member *error = json_scan_find(scan, -1, "error");
    struct json_member code;
    uint64_t number;

    if (!link->modern || error == NULL ||
        !reason_allows(json_scan_member_of(error->value, "code", &code)) || code.value.length < 2 ||
        code.value.data[0] != '-' ||
        !text_number((struct span){code.value.data + 1, code.value.length - 1}, 9, &number))
        return 200;
    if (number == METHOD_NOT_FOUND)
        return 404;
    return number >= HEADER_MISMATCHES && number <= VERSION_UNKNOWN ? 400 : 200;
}

/* The last that is written to the link for this session, so nothing is held back for it. */
static void send_answer(const struct session *session, struct link *link, struct span message,
                        unsigned status)
{
    if (link->wait == LINK_FIRST) {
        answer_message(link, status, message, id_for(session, link));
    } else {
        answer_event(link, message);
        answer_end(link);
    }
}

/* What an answer says of the process: that it speaks modern MCP, and in which revision. */
static void learn(struct session *session, const struct link *link, unsigned status, bool failed)
{
    session->spoke = session->spoke || status != 404;
    if (status == 200 && !failed && session->version[0] == '\0')
        memcpy(session->version, link->version, sizeof(session->version));
}

/* The request is over. */
static void answer(struct session *session, struct span line, const struct rpc *rpc)
{
    struct link *link = find_asked(session, rpc->id_key);
    unsigned status;
    bool failed_to_open;
    struct buffer text;

    if (link == NULL)
        return; /* who asked has gone */
    status = status_of(session->house->scan, link);
    if (link->modern)
        learn(session, link, status, rpc->failed);
    failed_to_open =
        (link->opens && rpc->failed) || (link->modern && status == 404 && !session->spoke);
    buffer_init(&text, line.length + RPC_ID_BYTES_MAX);
    if (link->modern) {
        rpc_write_with_id(&text, line, rpc->id, link->id);
        line = (struct span){text.data, text.length};
    }
    if (buffer_failed(&text))
        answer_error(link, 500, RPC_LOST, "there is no memory for the answer", "internal_error");
    else
        send_answer(session, link, line, status);
    buffer_clear(&text);
    session_part(session, link);
    link_rest(link);
    deliver_drained(session); /* it may be this link that was full */
    /* A process that speaks no modern MCP, or did not begin: nobody will come to it again. */
    if (failed_to_open && find_waiting(session) == NULL)
        session_end(session, "it was not opened", REASON_SERVICE_DOWN);
}

/* ---- Everything else ---- */

/* Requests of the modern era have ids and tokens of ours here. */
static void tell_modern(struct session *session, struct span line)
{
    const struct json_scan *scan = session->house->scan;
    struct span token = splice_told_token(scan), subscription = splice_subscription(scan);
    struct link *link = find_token(session, token);
    const char *theirs = NULL;
    struct buffer text;

    if (link != NULL)
        theirs = link->token;
    if (link == NULL && subscription.data != NULL) {
        char key[RPC_ID_KEY_SIZE];

        snprintf(key, sizeof(key), "%.*s", (int)subscription.length, subscription.data);
        link = find_asked(session, key);
        token = subscription;
        theirs = link != NULL ? link->id : NULL;
    }
    if (link == NULL)
        return; /* of nobody's, or of one who has gone */
    buffer_init(&text, line.length + RPC_ID_BYTES_MAX);
    splice_write(&text, line, (struct splice){token, theirs}, (struct splice){{NULL, 0}, NULL});
    if (!buffer_failed(&text))
        send_event(session, link, (struct span){text.data, text.length});
    buffer_clear(&text);
}

static void keep(struct session *session, struct span line)
{
    size_t before = session->backlog.length;

    answer_keep(&session->backlog, line);
    if (buffer_failed(&session->backlog))
        buffer_truncate(&session->backlog, before);
}

static void tell(struct session *session, struct span line)
{
    struct link *link = find_token(session, splice_told_token(session->house->scan));

    if (link == NULL)
        link = session_listener(session);
    if (link == NULL)
        link = find_waiting(session);
    if (link != NULL)
        send_event(session, link, line);
    else
        keep(session, line);
}

void deliver_backlog(struct session *session, struct link *link)
{
    if (session->backlog.length == 0)
        return;
    begin_stream(session, link);
    answer_kept(link, &session->backlog);
    look_after(session, link);
}

/* ---- Lines ---- */

static void say_strange(struct session *session)
{
    if (!session->strange)
        log_warning("process %u wrote a line to its standard output that is no JSON-RPC message: "
                    "such lines are left out",
                    session->number);
    session->strange = true;
}

void deliver_line(void *data, struct span line)
{
    struct session *session = data;
    struct rpc rpc;

    session->used_ms = uv_now(session->house->loop);
    if (session->ending && session->links == NULL)
        return;
    /* Between its ends a line holds no line break: nothing is written to it. */
    if (rpc_read(session->house->scan, (char *)line.data, line.length, &rpc) != OK) {
        say_strange(session);
        return;
    }
    if (session->kind == SESSION_SOCKET) {
        if (session->links != NULL && session->links->wait == LINK_SOCKET) {
            answer_frame(session->links, line);
            look_after(session, session->links);
        }
    } else if (rpc.kind == RPC_RESPONSE) {
        answer(session, line, &rpc);
    } else if (session->kind == SESSION_MODERN) {
        tell_modern(session, line);
    } else {
        tell(session, line);
    }
}

void deliver_too_long(void *data)
{
    struct session *session = data;

    log_warning("process %u wrote a line of more than %zu bytes, \"max_answer_bytes\": it is ended",
                session->number, session->house->max_answer_bytes);
    session_end(session, "its process wrote a message that is too long", REASON_ANSWER_TOO_BIG);
}

/* Not before its process is started: until then a refusal has a status. */
static bool has_waited(const struct session *session, const struct link *link, uint64_t now_ms)
{
    uint64_t since_ms = link->since_ms > session->began_ms ? link->since_ms : session->began_ms;
    uint64_t most_ms = link->modern ? DELIVER_MODERN_MS : DELIVER_FIRST_MS;

    return session->began && now_ms - since_ms >= most_ms;
}

void deliver_tick(struct session *session, uint64_t now_ms)
{
    for (struct link *link = session->links; link != NULL; link = link->neighbour) {
        if (link->wait == LINK_FIRST && has_waited(session, link, now_ms))
            begin_stream(session, link);
    }
    deliver_drained(session); /* one may have been emptied by a write of ours, which tells nobody */
}
