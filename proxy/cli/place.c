#include "cli/place.h"

#include "cli/terminal/args.h"
#include "policy/admission.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static const json_t *surface_of(const json_t *root, const char *name)
{
    json_t *surface;
    size_t i;

    json_array_foreach(json_object_get(root, "surfaces"), i, surface)
    {
        if (strcmp(text_of(surface, "name"), name) == 0)
            return surface;
    }
    return NULL;
}

static bool speaks_mcp(const json_t *route)
{
    json_t *name;
    size_t i;

    json_array_foreach(json_object_get(route, "subprotocols"), i, name)
    {
        if (json_is_string(name) && strcmp(json_string_value(name), "mcp") == 0)
            return true;
    }
    return false;
}

/* How well a route suits a client of MCP; 0: not at all. */
static int rank(const json_t *route, const struct place_wish *wish)
{
    const char *path = wish->path;
    const char *pattern = text_of(route, "path"), *kind = text_of(route, "kind");
    char plain[CONNECT_PATH_BYTES_MAX];

    if (path != NULL) {
        snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(path, "?"), path);
        if (!admission_path_matches(pattern, plain))
            return 0;
    } else if (strchr(pattern, '{') != NULL) {
        return 0;
    }
    if (wish->websocket && strcmp(kind, "websocket") != 0)
        return 0;
    if (strcmp(kind, "mcp-http") == 0)
        return strcmp(pattern, "/mcp") == 0 ? 5 : 4;
    if (strcmp(kind, "websocket") == 0)
        return speaks_mcp(route) ? 3 : 2;
    return 1;
}

static const json_t *choose(const json_t *surface, const struct place_wish *wish)
{
    const json_t *best = NULL;
    json_t *route;
    size_t i;

    json_array_foreach(json_object_get(surface, "routes"), i, route)
    {
        if (rank(route, wish) > (best != NULL ? rank(best, wish) : 0))
            best = route;
    }
    return best;
}

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

/* "127.0.0.1:8081", "[::1]:8081". */
static bool parse_address(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    struct sockaddr_in *four = (struct sockaddr_in *)out; /* with its port in the same place */
    const char *colon = strrchr(text, ':');
    bool is_six = text[0] == '[';
    char host[64];
    uint64_t port;

    if (colon == NULL || !args_number(colon + 1, UINT16_MAX, &port) ||
        (size_t)(colon - text) >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - 2 * is_six, text + is_six);
    *six = (struct sockaddr_in6){.sin6_port = htons((uint16_t)port)};
    out->ss_family = is_six ? AF_INET6 : AF_INET;
    return inet_pton(out->ss_family, host,
                     is_six ? (void *)&six->sin6_addr : (void *)&four->sin_addr) == 1;
}

/* The first of `hosts`, with the port that it means; else the address itself. */
static void fill_host(const json_t *surface, const char *address, struct place *place)
{
    const char *host = json_string_value(json_array_get(json_object_get(surface, "hosts"), 0));
    const char *bracket = host != NULL ? strrchr(host, ']') : NULL;
    const char *port = "";

    if (host == NULL)
        host = address;
    else if (strchr(bracket != NULL ? bracket : host, ':') == NULL)
        port = strrchr(address, ':');
    snprintf(place->at.host, sizeof(place->at.host), "%s%s", host, port);
}

static void fill_route(const json_t *route, const char *path, struct place *place)
{
    const char *kind = text_of(route, "kind");
    bool websocket = strcmp(kind, "websocket") == 0;

    copy(place->at.path, sizeof(place->at.path), path != NULL ? path : text_of(route, "path"));
    place->at.transport = websocket ? CONNECT_WEBSOCKET : CONNECT_HTTP;
    place->mcp = websocket || strcmp(kind, "mcp-http") == 0;
    if (speaks_mcp(route))
        copy(place->at.subprotocol, sizeof(place->at.subprotocol), "mcp");
}

static int fill(const json_t *surface, const struct place_wish *wish, struct place *place)
{
    const json_t *route = choose(surface, wish);
    const char *address = json_string_value(json_array_get(json_object_get(surface, "listen"), 0));

    if (address == NULL)
        return args_fail(EX_UNAVAILABLE, "the surface %s listens nowhere", place->surface);
    if (!parse_address(address, &place->at.address))
        return args_fail(EX_DATAERR, "%s is not an address", address);
    if (route == NULL && wish->path != NULL)
        return args_fail(EX_DATAERR, "no route of the surface %s suits the path %s", place->surface,
                         wish->path);
    if (route == NULL)
        return args_fail(EX_DATAERR,
                         "the routes of the surface %s have no fixed path; choose one with --path",
                         place->surface);
    place->tls = json_is_true(json_object_get(surface, "tls"));
    if (place->tls)
        copy(place->at.pin, sizeof(place->at.pin), text_of(surface, "certificate_sha256"));
    place->at.max_message_bytes =
        (uint32_t)json_integer_value(json_object_get(surface, "max_message_bytes"));
    place->at.max_answer_bytes =
        (uint32_t)json_integer_value(json_object_get(surface, "max_answer_bytes"));
    fill_host(surface, address, place);
    fill_route(route, wish->path, place);
    return EX_OK;
}

static bool is_path(const char *path)
{
    for (const char *at = path; *at != '\0'; at++) {
        if ((unsigned char)*at <= 0x20 || (unsigned char)*at == 0x7f || *at == '#')
            return false;
    }
    return path[0] == '/' && strlen(path) < CONNECT_PATH_BYTES_MAX;
}

int place_find(struct gate *gate, const struct place_wish *wish, struct place *out)
{
    struct place place = {.surface = wish->surface};
    json_t *root = NULL;
    int code;

    if (wish->path != NULL && !is_path(wish->path))
        return args_fail(EX_USAGE, "%s is not a path", wish->path);
    code = gate_ask(gate, "GET", NULL, &root, "/v1/surfaces");
    if (code == EX_OK && surface_of(root, wish->surface) == NULL)
        code = args_fail(EX_DATAERR, "there is no surface %s; `sidelock status` lists them",
                         wish->surface);
    if (code == EX_OK)
        code = fill(surface_of(root, wish->surface), wish, &place);
    json_decref(root);
    if (code == EX_OK)
        *out = place;
    return code;
}
