#include "cli/snippet.h"

#include "cli/terminal/args.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static bool is_websocket(const struct place *place)
{
    return place->at.transport == CONNECT_WEBSOCKET;
}

static void url_of(const struct place *place, char *out, size_t size)
{
    snprintf(out, size, "%s%s://%s%s", is_websocket(place) ? "ws" : "http", place->tls ? "s" : "",
             place->at.host, place->at.path);
}

/* Within single quotes, for a shell. */
static void print_quoted(const char *text)
{
    putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
    }
    putchar('\'');
}

/* Two entries of one meaning: a client that starts programs takes the first, another the second. */
static int print_mcp_json(const struct place *place, const char *token)
{
    char url[CONNECT_PATH_BYTES_MAX + 512], name[128], bearer[4096];
    json_t *root, *servers;

    url_of(place, url, sizeof(url));
    snprintf(name, sizeof(name), "%s-%s", place->surface, is_websocket(place) ? "ws" : "http");
    snprintf(bearer, sizeof(bearer), "Bearer %s", token);
    servers = json_object();
    if (place->mcp)
        json_object_set_new(
            servers, place->surface,
            json_pack("{s:s,s:[s,s]}", "command", "sidelock", "args", "connect", place->surface));
    json_object_set_new(servers, name,
                        json_pack("{s:s,s:s,s:{s:s}}", "type", is_websocket(place) ? "ws" : "http",
                                  "url", url, "headers", "Authorization", bearer));
    root = json_pack("{s:o}", "mcpServers", servers);
    if (root == NULL || json_dumpf(root, stdout, JSON_INDENT(2)) != 0) {
        json_decref(root);
        return args_fail(EX_OSERR, "out of memory");
    }
    putchar('\n');
    json_decref(root);
    fprintf(stderr,
            "sidelock: keep one of the two. \"%s\" needs no token and renews its own session;\n"
            "sidelock: \"%s\" is for clients that send headers and ends when the session does.\n",
            place->surface, name);
    return EX_OK;
}

/* A here-document feeds curl its header: neither argv nor a file ever holds the token. */
static int print_curl(const struct place *place, const char *token)
{
    static const char initialize[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"curl\",\"version\":\"1\"}}}";
    char url[CONNECT_PATH_BYTES_MAX + 512];
    struct place plain = *place;

    plain.at.transport = CONNECT_HTTP;
    url_of(&plain, url, sizeof(url));
    fputs("curl -sS --fail-with-body -H @- ", stdout);
    if (is_websocket(place))
        fputs("--http1.1 --include --no-buffer --max-time 5 -H 'Connection: Upgrade' "
              "-H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' "
              "-H 'Sec-WebSocket-Key: c2lkZWxvY2stc25pcHBldA==' ",
              stdout);
    if (place->at.subprotocol[0] != '\0' && is_websocket(place))
        printf("-H 'Sec-WebSocket-Protocol: %s' ", place->at.subprotocol);
    if (place->mcp && !is_websocket(place)) {
        fputs("-H 'Content-Type: application/json' "
              "-H 'Accept: application/json, text/event-stream' --data ",
              stdout);
        print_quoted(initialize);
        putchar(' ');
    }
    print_quoted(url);
    printf(" <<'END'\nAuthorization: Bearer %s\nEND\n", token);
    return EX_OK;
}

static int print_env(const struct place *place, const char *token)
{
    char url[CONNECT_PATH_BYTES_MAX + 512];

    url_of(place, url, sizeof(url));
    printf("export SIDELOCK_TOKEN=%s\nexport SIDELOCK_URL=", token);
    print_quoted(url);
    putchar('\n');
    return EX_OK;
}

static const struct {
    const char *kind;
    int (*print)(const struct place *place, const char *token);
} snippets[] = {{"mcp-json", print_mcp_json}, {"curl", print_curl}, {"env", print_env}};

bool snippet_known(const char *kind)
{
    for (size_t i = 0; i < sizeof(snippets) / sizeof(snippets[0]); i++) {
        if (strcmp(snippets[i].kind, kind) == 0)
            return true;
    }
    return false;
}

int snippet_print(const char *kind, const struct place *place, const json_t *created)
{
    const char *token = json_string_value(json_object_get(created, "token"));

    if (place->tls && strcmp(kind, "env") != 0)
        fputs("sidelock: the client must trust the authority in ca.pem; `sidelock certs show` says "
              "how.\n",
              stderr);
    if (token == NULL)
        return args_fail(EX_PROTOCOL, "the answer of the running Sidelock has no token");
    for (size_t i = 0; i < sizeof(snippets) / sizeof(snippets[0]); i++) {
        if (strcmp(snippets[i].kind, kind) == 0)
            return snippets[i].print(place, token);
    }
    return args_fail(EX_USAGE, "there is no snippet %s", kind);
}
