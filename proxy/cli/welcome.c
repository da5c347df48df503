#include "cli/welcome.h"

#include "cli/gate.h"
#include "cli/session_request.h"
#include "cli/terminal/args.h"
#include "cli/wrap/recipe.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define BROWSER_TTL "8h" /* as `sidelock open` has it */

static bool has_pages(const char *dialect)
{
    return strcmp(dialect, "opaque") == 0 || strcmp(dialect, "autogen-studio") == 0;
}

/* One address that logs a browser in, as `sidelock open` makes it. */
static void tell_login(const struct welcome *welcome)
{
    struct gate gate = {.control = welcome->control};
    const struct session_options options = {.ttl = BROWSER_TTL};
    json_t *request = NULL, *session = NULL, *login = NULL;
    const char *id;
    int code = session_request_build(welcome->surface, &options, &request);

    if (code == EX_OK)
        code = gate_ask(&gate, "POST", request, &session, "/v1/sessions");
    id = json_string_value(json_object_get(session, "id"));
    if (code == EX_OK && id != NULL && text_is_name(id))
        code = gate_ask(&gate, "POST", NULL, &login, "/v1/sessions/%s/login", id);
    if (code == EX_OK && json_is_string(json_object_get(login, "url")))
        fprintf(stderr, "sidelock: in a browser, once and within 60 seconds: %s\n",
                json_string_value(json_object_get(login, "url")));
    json_decref(session);
    json_decref(login);
}

static void tell_dialect(const struct welcome *welcome, uint16_t port)
{
    const char *guess = recipe_guess(welcome->command, port);

    if (welcome->dialect == NULL && guess != NULL)
        fprintf(stderr,
                "sidelock: by its command line it speaks %s, which is judged so; --dialect says "
                "otherwise\n",
                guess);
    else if (welcome->dialect == NULL)
        fputs("sidelock: what it speaks is not known: who has a session may say anything to it "
              "(dialect opaque); "
              "--dialect says what it speaks\n",
              stderr);
}

/* The port in "127.0.0.1:8081", "[::1]:8081". */
static uint16_t port_of(const json_t *ready, const char *surface)
{
    const json_t *addresses = json_object_get(json_object_get(ready, "surfaces"), surface);
    const char *address = json_string_value(json_array_get(addresses, 0));
    const char *colon = address != NULL ? strrchr(address, ':') : NULL;
    uint64_t port = 0;

    return colon != NULL && args_number(colon + 1, UINT16_MAX, &port) ? (uint16_t)port : 0;
}

static void tell_address(const struct welcome *welcome, uint16_t port)
{
    if (!welcome->stdio) {
        fprintf(stderr,
                "sidelock: localhost:%u is the gate's, and the port of %s exists behind it alone\n",
                port, welcome->surface);
        tell_dialect(welcome, port);
        return;
    }
    fprintf(stderr,
            "sidelock: localhost:%u is the gate's, with a process of %s for each MCP session\n"
            "sidelock: http://localhost:%u/mcp takes Streamable HTTP, ws://localhost:%u/mcp "
            "WebSocket\n",
            port, welcome->surface, port, port);
}

/* The token of a session is nowhere among it: what is printed here may be kept in a log. */
void welcome_say(const struct welcome *welcome, const char *line)
{
    json_t *ready = json_loads(line, 0, NULL);
    uint16_t port = port_of(ready, welcome->surface);
    const char *guess = recipe_guess(welcome->command, port);
    const char *dialect = welcome->dialect != NULL ? welcome->dialect
                          : guess != NULL          ? guess
                                                   : "opaque";

    json_decref(ready);
    tell_address(welcome, port);
    fprintf(stderr, "sidelock: to come in: export SIDELOCK_CONTROL=%s\n", welcome->control);
    if (welcome->stdio || strcmp(dialect, "mcp") == 0)
        fprintf(stderr, "sidelock:   sidelock connect %s, or session create %s --print mcp-json\n",
                welcome->surface, welcome->surface);
    else if (has_pages(dialect))
        fprintf(stderr, "sidelock:   sidelock open %s, or session create %s --print curl\n",
                welcome->surface, welcome->surface);
    else
        fprintf(stderr, "sidelock:   sidelock session create %s\n", welcome->surface);
    if (!welcome->stdio && has_pages(dialect) && isatty(STDERR_FILENO))
        tell_login(welcome);
    if (welcome->ready_fd >= 0)
        dprintf(welcome->ready_fd, "%s\n", line);
}
