/*
 * `sidelock connect`: gets a session from the control socket, renews and revokes it, and leaves
 * the carrying to connect/. Called by its row in verbs.c; connect/ calls back for the session.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/place.h"
#include "cli/session_request.h"
#include "cli/terminal/args.h"
#include "connect/bridge/control.h"
#include "connect/connect.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#define TTL_MIN_S 2 /* it is renewed before that, and the gate counts whole seconds */

/* What the command line says; the context of the callbacks below. */
struct call {
    struct gate gate;
    struct session_options options;
    struct place_wish wish;
    const char *certificate, *key;
    int64_t ttl_s;
    int refused; /* why there was no first session: an exit code */
    char reason[GATE_REASON_SIZE];
};

/* After the first session, what goes wrong is told by proxy/connect, once. */
static enum connect_answer answer_of(struct call *call, int code)
{
    if (code == EX_OK) {
        call->gate.quiet = true;
        return CONNECT_DONE;
    }
    if (code == EX_UNAVAILABLE || code == EX_IOERR)
        return CONNECT_LATER;
    if (!call->gate.quiet)
        call->refused = code;
    return CONNECT_REFUSED;
}

static enum connect_answer locate(void *context, struct connect_place *out)
{
    struct call *call = context;
    struct place place;
    int code = place_find(&call->gate, &call->wish, &place);

    if (code == EX_OK && !place.mcp)
        code = args_fail(EX_DATAERR, "%s of the surface %s is not a route for MCP", place.at.path,
                         call->wish.surface);
    if (code == EX_OK && place.tls && strlen(place.at.pin) != SHA256_HEX_SIZE - 1)
        code = args_fail(EX_PROTOCOL,
                         "the running Sidelock does not say what certificate the surface %s has",
                         call->wish.surface);
    if (code != EX_OK)
        return answer_of(call, code);
    *out = place.at;
    out->certificate = call->certificate;
    out->key = call->key;
    return CONNECT_DONE;
}

static int read_pass(const struct call *call, const json_t *answer, struct connect_pass *out)
{
    const char *id = json_string_value(json_object_get(answer, "id"));
    const char *token = json_string_value(json_object_get(answer, "token"));

    if (id == NULL || token == NULL || strlen(id) >= sizeof(out->id) ||
        strlen(token) >= sizeof(out->token))
        return args_fail(EX_PROTOCOL, "the answer of the running Sidelock has no token");
    memcpy(out->id, id, strlen(id) + 1);
    memcpy(out->token, token, strlen(token) + 1);
    out->lifetime_ms = call->ttl_s * 1000;
    return EX_OK;
}

static enum connect_answer create(void *context, struct connect_pass *out)
{
    struct call *call = context;
    json_t *request, *answer = NULL;
    int code = session_request_build(call->wish.surface, &call->options, &request);

    if (code == EX_OK)
        code = gate_ask(&call->gate, "POST", request, &answer, "/v1/sessions");
    if (code == EX_OK)
        code = read_pass(call, answer, out);
    json_decref(answer);
    return answer_of(call, code);
}

static enum connect_answer renew(void *context, const char *id, struct connect_pass *out)
{
    struct call *call = context;
    json_t *answer = NULL;
    int code;

    call->reason[0] = '\0';
    code = gate_ask(&call->gate, "POST", json_pack("{s:I}", "ttl_s", (json_int_t)call->ttl_s),
                    &answer, "/v1/sessions/%s/renew", id);
    if (code == EX_OK)
        code = read_pass(call, answer, out);
    json_decref(answer);
    /* Whoever revoked it meant it; one that is over or forgotten may be replaced. */
    if (code == EX_OK || code == EX_UNAVAILABLE || code == EX_IOERR ||
        strcmp(call->reason, "session_revoked") == 0)
        return answer_of(call, code);
    return CONNECT_ENDED;
}

static void revoke(void *context, const char *id)
{
    struct call *call = context;

    call->gate.quiet = true;
    (void)gate_ask(&call->gate, "DELETE", NULL, NULL, "/v1/sessions/%s", id);
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
    code = args_name(call->wish.surface, "the name of a surface");
    if (code == EX_OK)
        code = gate_open(&call->gate);
    call->gate.reason = call->reason;
    if (code == EX_OK)
        code = connect_run(&control);
    return call->refused != EX_OK ? call->refused : code;
}

int cmd_connect(int argc, char **argv)
{
    struct call call = {.ttl_s = 0};
    const struct args_option options[] = {
        SESSION_OPTIONS(call.options, 0),
        {.name = "--ttl",
         .takes = "TIME",
         .about = "how long it lives, as 90s, 15m, 8h or 7d",
         .value = &call.options.ttl},
        {.name = "--path",
         .takes = "PATH",
         .about = "the route, by its path",
         .value = &call.wish.path},
        {.name = "--websocket",
         .about = "a WebSocket, where the surface has both",
         .flag = &call.wish.websocket},
        {.name = "--cert",
         .takes = "FILE",
         .about = "the certificate of the client",
         .value = &call.certificate},
        {.name = "--key",
         .takes = "FILE",
         .about = "the key of that certificate",
         .value = &call.key},
        GATE_OPTIONS(call.gate),
    };
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 1, 1, &args);

    if (code == EX_OK) {
        call.wish.surface = args.operands[0];
        code = run(&call);
    }
    session_options_clear(&call.options);
    return code;
}
