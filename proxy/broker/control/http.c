#include "broker/control/http.h"

#include "base/log.h"
#include "broker/control/routes.h"
#include "wire/http_response.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_BYTES_MAX     512
#define CLOSING_ROUNDS_MIN 4 /* how many libwebsockets needs: see control_http_destroy */
#define CLOSING_ROUNDS_MAX 16
/* libwebsockets' own descriptors beside the connections. */
#define SPARE_DESCRIPTORS 16

struct control_http {
    struct gate *gate;
    uv_loop_t *loop;
    struct lws_context *context; /* libwebsockets sets it to NULL when it is gone */
    struct lws_vhost *vhost;
    size_t calls; /* live */
};

/* One connection, which carries one request. Freed in WSI_DESTROY. */
struct call {
    struct control_http *http;
    char method[8];
    struct control_request request;
    size_t body_bytes; /* announced */
    struct buffer body;
    bool answered;
};

static void call_destroy(struct call *call)
{
    if (call == NULL)
        return;
    buffer_wipe(&call->body);
    call->http->calls--;
    free(call);
}

/*
 * Sends the answer and has the connection closed. Written from the callback
 * that completed the request, in one piece: libwebsockets keeps what the socket
 * does not take and flushes it before it closes, and a client that has shut
 * down its sending side is answered too.
 */
static int send_answer(struct lws *wsi, const struct control_answer *answer)
{
    char head[HEAD_BYTES_MAX];
    struct buffer out;
    int length = snprintf(head, sizeof(head),
                          "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                          "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                          answer->status, http_status_phrase(answer->status), answer->content_type,
                          answer->body.length);

    buffer_init(&out, LWS_PRE + HEAD_BYTES_MAX + CONTROL_ANSWER_BYTES_MAX);
    if (buffer_reserve(&out, LWS_PRE) != NULL) {
        memset(out.data, 0, LWS_PRE);
        buffer_commit(&out, LWS_PRE);
    }
    buffer_append(&out, head, (size_t)length);
    buffer_append(&out, answer->body.data, answer->body.length);
    if (!buffer_failed(&out))
        lws_write(wsi, (unsigned char *)out.data + LWS_PRE, out.length - LWS_PRE, LWS_WRITE_HTTP);
    buffer_wipe(&out);
    return -1;
}

static int send_problem(struct lws *wsi, struct call *call, unsigned status, const char *detail)
{
    struct control_answer answer;
    int result;

    call->answered = true;
    buffer_init(&answer.body, CONTROL_ANSWER_BYTES_MAX);
    control_exchange_problem(&answer, status, REASON_INTERNAL, detail);
    result = send_answer(wsi, &answer);
    buffer_clear(&answer.body);
    return result;
}

static int answer_request(struct lws *wsi, struct call *call)
{
    struct control_answer answer = {.status = 500};
    int result;

    call->answered = true;
    call->request.body = (struct span){call->body.data, call->body.length};
    buffer_init(&answer.body, CONTROL_ANSWER_BYTES_MAX);
    control_routes_answer(call->http->gate, &call->request, &answer);
    result = send_answer(wsi, &answer);
    buffer_wipe(&answer.body);
    return result;
}

static bool read_method(struct lws *wsi, struct call *call)
{
    static const struct {
        int index;
        const char *name;
    } methods[] = {{LWSHUMETH_GET, "GET"},
                   {LWSHUMETH_POST, "POST"},
                   {LWSHUMETH_PUT, "PUT"},
                   {LWSHUMETH_DELETE, "DELETE"}};
    char *path;
    int length;
    int index = lws_http_get_uri_and_method(wsi, &path, &length);

    call->request.method = call->method;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (methods[i].index == index) {
            snprintf(call->method, sizeof(call->method), "%s", methods[i].name);
            return true;
        }
    }
    return false;
}

/* Paths of this API hold names and ids only. */
static bool read_path(struct call *call, const char *path, size_t length)
{
    static const char permitted[] =
        "/-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    if (path == NULL || length >= sizeof(call->request.path) || strspn(path, permitted) != length)
        return false;
    memcpy(call->request.path, path, length);
    call->request.path[length] = '\0';
    return true;
}

/* libwebsockets has split the query at '&' and decoded it. */
static bool read_query(struct lws *wsi, struct control_request *request)
{
    char text[sizeof(request->query[0].name) + sizeof(request->query[0].value)];

    for (int i = 0; lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i) > 0; i++) {
        struct control_query *query = &request->query[request->query_count];
        char *value;

        if (request->query_count == CONTROL_QUERY_MAX ||
            lws_hdr_copy_fragment(wsi, text, sizeof(text), WSI_TOKEN_HTTP_URI_ARGS, i) <= 0)
            return false;
        value = strchr(text, '=');
        if (value == NULL)
            return false;
        *value++ = '\0';
        if (strlen(text) >= sizeof(query->name) || strlen(value) >= sizeof(query->value))
            return false;
        memcpy(query->name, text, strlen(text) + 1);
        memcpy(query->value, value, strlen(value) + 1);
        request->query_count++;
    }
    return true;
}

/* The announced length of the body, or false if it is not one plain number. */
static bool read_length(struct lws *wsi, size_t *out)
{
    char text[16];
    int length = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);

    *out = 0;
    if (length == 0)
        return true;
    if (length > 10 || lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0 ||
        strspn(text, "0123456789") != (size_t)length)
        return false;
    *out = strtoul(text, NULL, 10);
    return true;
}

static int on_request(struct lws *wsi, struct call *call, void *in, size_t length)
{
    if (!read_method(wsi, call))
        return send_problem(wsi, call, 405, "the control API knows GET, POST, PUT and DELETE");
    if (!read_path(call, in, length))
        return send_problem(wsi, call, 404, "there is no such path in the control API");
    if (!read_query(wsi, &call->request))
        return send_problem(wsi, call, 400, "the query is too long or not name=value");
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0 ||
        !read_length(wsi, &call->body_bytes))
        return send_problem(wsi, call, 411, "a body needs exactly one valid Content-Length");
    if (call->body_bytes > CONTROL_BODY_BYTES_MAX)
        return send_problem(wsi, call, 413, "the body is too large");
    if (call->body_bytes > 0 && !control_routes_takes_body(call->method))
        return send_problem(wsi, call, 400, "this method takes no body");
    if (call->body_bytes > 0)
        return 0;
    return answer_request(wsi, call);
}

static int on_body(struct lws *wsi, struct call *call, void *in, size_t length)
{
    (void)wsi;
    if (call->answered)
        return -1;
    buffer_append(&call->body, in, length);
    return buffer_failed(&call->body) ? -1 : 0;
}

static int on_body_complete(struct lws *wsi, struct call *call, void *in, size_t length)
{
    (void)in;
    (void)length;
    if (call->answered || call->body.length != call->body_bytes)
        return -1;
    return answer_request(wsi, call);
}

static int on_destroy(struct lws *wsi, struct call *call, void *in, size_t length)
{
    (void)in;
    (void)length;
    lws_set_opaque_user_data(wsi, NULL);
    call_destroy(call);
    return 0;
}

/* Nothing here is a WebSocket or a tunnel; what is in `in` is not looked at. */
static int on_refused(struct lws *wsi, struct call *call, void *in, size_t length)
{
    (void)wsi;
    (void)call;
    (void)in;
    (void)length;
    return -1;
}

static const struct {
    enum lws_callback_reasons reason;
    int (*handle)(struct lws *wsi, struct call *call, void *in, size_t length);
} handlers[] = {
    {LWS_CALLBACK_HTTP, on_request},
    {LWS_CALLBACK_HTTP_BODY, on_body},
    {LWS_CALLBACK_HTTP_BODY_COMPLETION, on_body_complete},
    {LWS_CALLBACK_WSI_DESTROY, on_destroy},
    {LWS_CALLBACK_HTTP_CONFIRM_UPGRADE, on_refused},
    {LWS_CALLBACK_RAW_ADOPT, on_refused},
    {LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION, on_refused},
};

static int dispatch(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t length)
{
    struct call *call = wsi != NULL ? lws_get_opaque_user_data(wsi) : NULL;

    (void)user;
    for (size_t i = 0; call != NULL && i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].reason == reason)
            return handlers[i].handle(wsi, call, in, length);
    }
    return 0;
}

static void log_line(int level, const char *line)
{
    int length = (int)strcspn(line, "\n");

    if (level == LLL_ERR)
        log_error("libwebsockets: %.*s", length, line);
    else
        log_warning("libwebsockets: %.*s", length, line);
}

static enum error create_context(struct control_http *http)
{
    static const struct lws_protocols protocols[] = {{.name = "control", .callback = dispatch},
                                                     {.name = NULL}};
    void *loops[1] = {http->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .pcontext = &http->context,
        .timeout_secs = CONTROL_TIMEOUT_S,
        .fd_limit_per_thread = CONTROL_CONNECTIONS_MAX + SPARE_DESCRIPTORS,
        .vhost_name = "control",
    };

    lws_set_log_level(LLL_ERR | LLL_WARN, log_line);
    http->context = lws_create_context(&info);
    if (http->context == NULL)
        return ERROR_IO;
    http->vhost = lws_create_vhost(http->context, &info);
    return http->vhost != NULL ? OK : ERROR_IO;
}

enum error control_http_create(struct gate *gate, uv_loop_t *loop, struct control_http **out)
{
    struct control_http *http = calloc(1, sizeof(*http));
    enum error error;

    if (http == NULL)
        return ERROR_MEMORY;
    http->gate = gate;
    http->loop = loop;
    error = create_context(http);
    if (error != OK) {
        control_http_destroy(http);
        return error;
    }
    *out = http;
    return OK;
}

bool control_http_serve(struct control_http *http, int fd, uint32_t uid)
{
    struct call *call = http->calls < CONTROL_CONNECTIONS_MAX ? calloc(1, sizeof(*call)) : NULL;
    struct lws *wsi;

    if (call == NULL)
        return false;
    call->http = http;
    call->request.uid = uid;
    buffer_init(&call->body, CONTROL_BODY_BYTES_MAX);
    http->calls++;
    wsi = lws_adopt_socket_vhost(http->vhost, fd); /* closes fd if it fails */
    if (wsi == NULL)
        call_destroy(call);
    else
        lws_set_opaque_user_data(wsi, call);
    return true;
}

/*
 * On a foreign libuv loop libwebsockets closes in steps, each a turn of the
 * loop: its connections, then its own handles; a second call frees the rest.
 */
void control_http_destroy(struct control_http *http)
{
    if (http == NULL)
        return;
    if (http->context != NULL)
        lws_context_destroy(http->context);
    for (int i = 0; i < CLOSING_ROUNDS_MAX && (http->calls > 0 || i < CLOSING_ROUNDS_MIN); i++)
        uv_run(http->loop, UV_RUN_NOWAIT);
    if (http->context != NULL)
        lws_context_destroy(http->context);
    free(http);
}
