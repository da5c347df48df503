/*
 * `sidelock connect`: gets a session from the control socket, renews and revokes it, and leaves
 * the carrying to connect/. Called by its row in verbs.c; connect/ calls back for the session.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/output.h"
#include "cli/place.h"
#include "cli/session_request.h"
#include "connect/bridge/control.h"
#include "connect/connect.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define TTL_MIN_S 2 /* it is renewed before that, and the gate counts whole seconds */

/* What the command line says; the context of the callbacks below. */
struct call {
    struct client client;
    struct session_options options;
    struct place_wish wish;
    const char *certificate, *key;
    int64_t ttl_s;
    char reason[CLIENT_REASON_SIZE];
};

/* After the first answer, what goes wrong is told by proxy/connect, once. */
static enum connect_answer answer_of(struct call *call, int code)
{
    if (code == EX_OK) {
        call->client.quiet = true;
        return CONNECT_DONE;
    }
    return code == EX_UNAVAILABLE || code == EX_IOERR ? CONNECT_LATER : CONNECT_REFUSED;
}

static bool parse_address(const char *text, struct sockaddr_storage *out)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    bool six = text[0] == '[';
    uint64_t port;

    if (colon == NULL || !args_number(colon + 1, UINT16_MAX, &port) ||
        (size_t)(colon - text) >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - (six ? 2 : 0), text + (six ? 1 : 0));
    memset(out, 0, sizeof(*out));
    if (six) {
        struct sockaddr_in6 *address = (struct sockaddr_in6 *)out;

        address->sin6_family = AF_INET6;
        address->sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, host, &address->sin6_addr) == 1;
    }
    ((struct sockaddr_in *)out)->sin_family = AF_INET;
    ((struct sockaddr_in *)out)->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &((struct sockaddr_in *)out)->sin_addr) == 1;
}

static enum connect_answer locate(void *context, struct connect_place *out)
{
    struct call *call = context;
    struct place place;
    int code = place_find(&call->client, &call->wish, &place);

    if (code == EX_OK && !place.websocket && !place.mcp_http)
        code = args_fail(EX_DATAERR, "%s of the surface %s is not a route for MCP", place.path,
                         call->wish.surface);
    if (code == EX_OK && place.tls && strlen(place.pin) != SHA256_HEX_SIZE - 1)
        code = args_fail(EX_PROTOCOL,
                         "the running Sidelock does not say what certificate the "
                         "surface %s has",
                         call->wish.surface);
    if (code == EX_OK && !parse_address(place.address, &out->address))
        code = args_fail(EX_DATAERR, "%s is not an address", place.address);
    if (code != EX_OK)
        return answer_of(call, code);
    out->transport = place.websocket ? CONNECT_WEBSOCKET : CONNECT_HTTP;
    out->max_message_bytes = place.max_message_bytes;
    snprintf(out->host, sizeof(out->host), "%s", place.host);
    snprintf(out->path, sizeof(out->path), "%s", place.path);
    snprintf(out->pin, sizeof(out->pin), "%s", place.tls ? place.pin : "");
    out->certificate = call->certificate;
    out->key = call->key;
    snprintf(out->subprotocol, sizeof(out->subprotocol), "%s", place.subprotocol);
    return CONNECT_DONE;
}

static int read_pass(const struct call *call, const struct buffer *answer, struct connect_pass *out)
{
    json_t *root = output_parse((struct span){answer->data, answer->length});
    const char *id = json_string_value(json_object_get(root, "id"));
    const char *token = json_string_value(json_object_get(root, "token"));
    int code = EX_OK;

    if (id == NULL || token == NULL || strlen(id) >= sizeof(out->id) ||
        strlen(token) >= sizeof(out->token))
        code = args_fail(EX_PROTOCOL, "the answer of the running Sidelock has no token");
    if (code == EX_OK) {
        snprintf(out->id, sizeof(out->id), "%s", id);
        snprintf(out->token, sizeof(out->token), "%s", token);
        out->lifetime_ms = call->ttl_s * 1000;
    }
    json_decref(root);
    return code;
}

static int ask_pass(const struct call *call, const char *path, struct span body,
                    struct connect_pass *out)
{
    struct buffer answer;
    int code;

    buffer_init(&answer, CLIENT_ANSWER_BYTES_MAX);
    code = client_call(&call->client, "POST", path, body, &answer);
    if (code == EX_OK)
        code = read_pass(call, &answer, out);
    buffer_wipe(&answer);
    return code;
}

static enum connect_answer create(void *context, struct connect_pass *out)
{
    struct call *call = context;
    struct buffer request;
    int code;

    buffer_init(&request, CLIENT_ANSWER_BYTES_MAX);
    code = session_request_build(call->wish.surface, &call->options, &request);
    if (code == EX_OK)
        code = ask_pass(call, "/v1/sessions", (struct span){request.data, request.length}, out);
    buffer_clear(&request);
    return answer_of(call, code);
}

static enum connect_answer renew(void *context, const char *id, struct connect_pass *out)
{
    struct call *call = context;
    char path[CLIENT_PATH_BYTES_MAX], body[64];
    int code;

    snprintf(path, sizeof(path), "/v1/sessions/%s/renew", id);
    snprintf(body, sizeof(body), "{\"ttl_s\":%lld}", (long long)call->ttl_s);
    call->reason[0] = '\0';
    code = ask_pass(call, path, span_of(body), out);
    /* Whoever revoked it meant it; one that is over or forgotten may be replaced. */
    if (code == EX_OK || code == EX_UNAVAILABLE || code == EX_IOERR ||
        strcmp(call->reason, "session_revoked") == 0)
        return answer_of(call, code);
    return CONNECT_ENDED;
}

static void revoke(void *context, const char *id)
{
    struct call *call = context;
    char path[CLIENT_PATH_BYTES_MAX];
    struct buffer answer;

    call->client.quiet = true;
    snprintf(path, sizeof(path), "/v1/sessions/%s", id);
    buffer_init(&answer, CLIENT_ANSWER_BYTES_MAX);
    client_call(&call->client, "DELETE", path, (struct span){NULL, 0}, &answer);
    buffer_clear(&answer);
}

static int run(struct call *call)
{
    const struct connect_control control = {
        .context = call, .locate = locate, .create = create, .renew = renew, .revoke = revoke};
    int code = session_request_ttl(&call->options, &call->ttl_s);

    if (code != EX_OK)
        return code;
    if (call->ttl_s < TTL_MIN_S)
        return args_usage("connect", "--ttl is at least %ds", TTL_MIN_S);
    if ((call->certificate != NULL) != (call->key != NULL))
        return args_usage("connect", "--cert and --key go together");
    if (!text_is_name(call->wish.surface))
        return args_fail(EX_DATAERR, "%s is not the name of a surface", call->wish.surface);
    code = client_open(&call->client);
    if (code != EX_OK)
        return code;
    call->client.reason = call->reason;
    code = connect_run(&control);
    client_close(&call->client);
    return code;
}

int cmd_connect(int argc, char **argv)
{
    struct call call = {.ttl_s = 0};
    const struct args_option options[] = {
        {.name = "--params", .value = &call.options.params},
        {.name = "--ttl", .value = &call.options.ttl},
        {.name = "--allow", .list = &call.options.verbs},
        {.name = "--tool", .list = &call.options.targets},
        {.name = "--path", .value = &call.wish.path},
        {.name = "--websocket", .flag = &call.wish.websocket},
        {.name = "--cert", .value = &call.certificate},
        {.name = "--key", .value = &call.key},
        {.name = "-c", .value = &call.client.config},
        {.name = "--control", .value = &call.client.control},
    };
    struct args args;
    int code = args_parse(argc, argv, options, sizeof(options) / sizeof(options[0]), 1, 1, &args);

    if (code == EX_OK) {
        call.wish.surface = args.operands[0];
        code = run(&call);
    }
    text_list_clear(&call.options.verbs);
    text_list_clear(&call.options.targets);
    return code;
}
