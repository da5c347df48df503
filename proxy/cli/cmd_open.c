/*
 * `sidelock open`: makes a session, asks the control socket for a login code, and prints the one
 * address that logs a browser in. Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/session_request.h"
#include "cli/terminal/args.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#define TTL_DEFAULT "8h" /* a working day, not the quarter of an hour that a program gets */

/* What stands in an address before the path; it goes into a query as it is. */
static bool host_valid(const char *host)
{
    static const char permitted[] = "abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

    return host[strspn(host, permitted)] == '\0';
}

static int print_url(const json_t *answer)
{
    return gate_print_member(answer, "url");
}

/* For a session that has been made; its token is not for anybody: the browser gets a cookie. */
static int log_in(struct gate *gate, const json_t *created, const char *host)
{
    const char *id = json_string_value(json_object_get(created, "id"));
    int code;

    if (id == NULL || !text_is_name(id))
        return args_fail(EX_PROTOCOL, "the answer of the running Sidelock has no session");
    code = gate_show(gate, "POST", NULL, print_url, "/v1/sessions/%s/login%s%s", id,
                     host != NULL ? "?host=" : "", host != NULL ? host : "");
    /* Nobody will use a session whose address was never printed. */
    if (code != EX_OK && gate_ask(gate, "DELETE", NULL, NULL, "/v1/sessions/%s", id) != EX_OK)
        args_fail(EX_SOFTWARE, "session %s stays; `sidelock session revoke` ends it", id);
    return code;
}

static int run(struct gate *gate, const struct session_options *options, const char *surface,
               const char *host)
{
    json_t *request, *created = NULL;
    int code = args_name(surface, "the name of a surface");

    if (code == EX_OK && host != NULL && !host_valid(host))
        code = args_fail(EX_DATAERR, "%s is not a host", host);
    if (code == EX_OK)
        code = session_request_build(surface, options, &request);
    if (code == EX_OK)
        code = gate_ask(gate, "POST", request, &created, "/v1/sessions");
    if (code == EX_OK)
        code = log_in(gate, created, host);
    json_decref(created);
    return code;
}

int cmd_open(int argc, char **argv)
{
    struct gate gate = {.control = NULL};
    struct session_options limits = {.params = NULL};
    const char *host = NULL; /* the gate chooses */
    const struct args_option options[] = {
        SESSION_OPTIONS(limits, 0),
        {.name = "--ttl",
         .takes = "TIME",
         .about = "how long it lives, as 90s, 15m, 8h or 7d",
         .value = &limits.ttl},
        {.name = "--caller",
         .takes = "uid=N",
         .about = "the user who may use the token; may be repeated",
         .list = &limits.callers},
        {.name = "--host",
         .takes = "HOST",
         .about = "another of the names of the surface",
         .value = &host},
        GATE_OPTIONS_JSON(gate),
    };
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 1, 1, &args);

    if (limits.ttl == NULL)
        limits.ttl = TTL_DEFAULT;
    if (code == EX_OK)
        code = run(&gate, &limits, args.operands[0], host);
    session_options_clear(&limits);
    return code;
}
