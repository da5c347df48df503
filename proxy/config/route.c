/* Reads a route, for surface.c: of a surface or of its dialect pack. */
#include "config/reading.h"

#include "wire/http_head.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_NAMES_MAX  32
#define SUBPROTOCOLS_MAX 16
#define METHODS_MAX      16
#define ANSWER_URLS_MAX  16

/* ---- The query ---- */

static const struct json_word encodings[] = {{"text", INJECT_TEXT},
                                             {"json", INJECT_JSON},
                                             {"base64-json", INJECT_BASE64_JSON},
                                             {"shell-words", INJECT_SHELL_WORDS},
                                             {NULL, 0}};

static const struct json_key inject_keys[] = {
    ROW_TEXT("from", struct query_inject, from, config_check_pointer, .required = true),
    ROW_CHOICE("encoding", struct query_inject, encoding, encodings, .required = true,
               .preset = INJECT_TEXT),
};
static const struct json_table inject_table = JSON_TABLE("an injected parameter", inject_keys);

static const struct json_key query_keys[] = {
    ROW_MAP("pass", struct route, pass, pass_count, 0, QUERY_NAMES_MAX, config_check_query_name,
            .value_offset = offsetof(struct query_pass, pattern), .read = config_read_pattern,
            .clear = config_clear_pattern),
    ROW_MAP("inject", struct route, inject, inject_count, 0, QUERY_NAMES_MAX,
            config_check_query_name, .table = &inject_table),
    ROW_TEXT("bearer", struct route, query_bearer, config_check_query_name,
             .maximum = CONFIG_NAME_BYTES_MAX),
};
static const struct json_table query_table = JSON_TABLE("a route's query", query_keys);

/* ---- What is asked of the service beforehand; bodies and answers of HTTP routes ---- */

#define MEMBER_ROW(owner, field)                                                                   \
    ROW_TEXT(#field, owner, field, json_check_word, .required = true,                              \
             .maximum = CONFIG_NAME_BYTES_MAX)
#define FROM_ROW(owner) ROW_TEXT("from", owner, from, config_check_pointer, .required = true)

static const struct json_key prepare_keys[] = {
    ROW_TEXT("path", struct route_prepare, path, config_check_request_path, .required = true),
    MEMBER_ROW(struct route_prepare, member),
    FROM_ROW(struct route_prepare),
    MEMBER_ROW(struct route_prepare, answer),
    ROW_TEXT("then", struct route_prepare, then, config_check_answer_path, .required = true),
};
static const struct json_table prepare_table = JSON_TABLE("a preparation", prepare_keys);

static const struct json_key body_keys[] = {
    MEMBER_ROW(struct route_body, member),
    FROM_ROW(struct route_body),
};
static const struct json_table body_table = JSON_TABLE("a stored body", body_keys);

static const struct json_key answer_keys[] = {
    ROW_TEXTS("urls", struct route_answer, urls, json_check_word, 1, ANSWER_URLS_MAX,
              .required = true),
    ROW_FLAG("strip_query", struct route_answer, strip_query),
};
static const struct json_table answer_table = JSON_TABLE("a route's answer", answer_keys);

/* ---- The Host header towards the service ---- */

static const struct json_key host_keys[] = {
    ROW_TEXT("fixed", struct config_host, fixed, config_check_host, .required = true),
};
const struct json_table config_host_table = JSON_TABLE("the host", host_keys);

void config_host_read(struct json_reader *reader, struct json_t *value, void *into)
{
    struct config_host *host = into;
    const char *text = json_string_value(value);

    if (json_is_object(value)) {
        host->kind = HOST_UPSTREAM_FIXED;
        json_table_read(reader, &config_host_table, value, host);
    } else if (text != NULL && strcmp(text, "public") == 0) {
        host->kind = HOST_UPSTREAM_PUBLIC;
    } else if (text != NULL && strcmp(text, "localhost") == 0) {
        host->kind = HOST_UPSTREAM_LOCALHOST;
    } else {
        json_reader_fault(reader,
                          "\"host\" must be \"localhost\", \"public\" or {\"fixed\": NAME}.");
    }
}

/* ---- A route ---- */

/* Which vocabulary the route speaks; the pack's first unless it says. */
static void read_messages(struct json_reader *reader, json_t *value, void *into)
{
    const struct config_reading *reading = reader->context;
    struct route *route = into;
    char *text = json_reader_text(reader, value, json_check_word, CONFIG_NAME_BYTES_MAX);

    if (text != NULL && reading->dialect != NULL) {
        route->vocabulary = dialect_vocabulary(reading->dialect, text);
        if (route->vocabulary == NULL)
            json_reader_fault(reader, "The dialect %s has no vocabulary called \"%.64s\".",
                              reading->dialect->name, text);
    }
    free(text);
}

static const struct json_key subprotocols_key = ROW_TEXTS(
    "subprotocols", struct route, subprotocols, config_check_subprotocol, 0, SUBPROTOCOLS_MAX);

/* Names, or "any". */
static void read_subprotocols(struct json_reader *reader, json_t *value, void *into)
{
    struct route *route = into;

    route->any_subprotocol = json_is_string(value) && strcmp(json_string_value(value), "any") == 0;
    if (json_is_array(value))
        json_table_read_key(reader, &subprotocols_key, value, route);
    else if (!route->any_subprotocol)
        json_reader_fault(reader, "This must be a list of subprotocols, or \"any\".");
}

static void clear_subprotocols(void *route)
{
    text_list_clear(&((struct route *)route)->subprotocols);
}

static const struct json_word kinds[] = {{"websocket", ROUTE_WEBSOCKET},
                                         {"http", ROUTE_HTTP},
                                         {"mcp-http", ROUTE_MCP_HTTP},
                                         {"closed", ROUTE_CLOSED},
                                         {NULL, 0}};

static const struct json_key route_keys[] = {
    ROW_TEXT("path", struct route, path, config_check_route_path, .required = true),
    ROW_CHOICE("kind", struct route, kind, kinds, .preset = ROUTE_WEBSOCKET),
    ROW_TEXTS("methods", struct route, methods, config_check_method, 1, METHODS_MAX),
    ROW_CUSTOM("messages", read_messages),
    ROW_SAME("query", query_table, .set_offset = offsetof(struct route, query_set)),
    ROW_TEXTS("headers", struct route, headers, config_check_header, 0, REQUEST_HEADERS_MAX),
    ROW_CUSTOM("subprotocols", read_subprotocols, .clear = clear_subprotocols),
    ROW_FLAG("subprotocol_required", struct route, subprotocol_required),
    ROW_FLAG("binary", struct route, binary),
    CONFIG_HOST_ROW(struct route),
    ROW_ALLOCATED("body", struct route, body, body_table),
    ROW_ALLOCATED("answer", struct route, answer, answer_table),
    ROW_ALLOCATED("prepare", struct route, prepare, prepare_table),
    ROW_TEXT("match_from", struct route, match_from, config_check_pointer),
};
const struct json_table config_route_table = JSON_TABLE("a route", route_keys);

/* A name that is both passed and injected would reach the service twice. */
static void check_query(struct json_reader *reader, const struct route *route)
{
    for (size_t i = 0; i < route->inject_count; i++) {
        for (size_t j = 0; j < route->pass_count; j++) {
            if (route->inject[i].name != NULL && route->pass[j].name != NULL &&
                strcmp(route->inject[i].name, route->pass[j].name) == 0)
                json_reader_fault(reader,
                                  "The query parameter \"%.64s\" is both passed and injected; "
                                  "keep one of the two.",
                                  route->inject[i].name);
        }
    }
}

/* Names are compared in lower case from here on, so "X-A" and "x-a" are one. */
static void lower_headers(struct json_reader *reader, struct route *route)
{
    for (size_t i = 0; i < route->headers.count; i++) {
        char *name = route->headers.items[i];

        for (char *at = name; *at != '\0'; at++)
            *at = (char)tolower((unsigned char)*at);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(route->headers.items[j], name) == 0)
                json_reader_fault(reader, "The header \"%.64s\" is listed twice.", name);
        }
    }
}

/* Keys that mean nothing to a route of this kind would be promises that nobody keeps. */
static void check_kind(struct json_reader *reader, json_t *value, const struct route *route)
{
    static const struct {
        const char *key;
        unsigned kinds; /* bits: 1 << enum route_kind */
    } rows[] = {
        {"methods", 1u << ROUTE_HTTP},
        {"body", 1u << ROUTE_HTTP},
        {"answer", 1u << ROUTE_HTTP},
        {"subprotocols", 1u << ROUTE_WEBSOCKET},
        {"binary", 1u << ROUTE_WEBSOCKET},
        {"prepare", 1u << ROUTE_WEBSOCKET},
        {"match_from", 1u << ROUTE_WEBSOCKET},
        {"messages", 1u << ROUTE_WEBSOCKET | 1u << ROUTE_MCP_HTTP},
        {"query", ~(1u << ROUTE_CLOSED)},
        {"headers", ~(1u << ROUTE_CLOSED)},
        {"host", ~(1u << ROUTE_CLOSED)},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((rows[i].kinds & 1u << route->kind) == 0 && json_object_get(value, rows[i].key) != NULL)
            json_reader_fault(reader, "\"%s\" means nothing to a route of this kind.", rows[i].key);
    }
    if (route->kind == ROUTE_MCP_HTTP && route->vocabulary != NULL &&
        route->vocabulary->envelope != ENVELOPE_JSON_RPC)
        json_reader_fault(reader, "A route of kind \"mcp-http\" needs a JSON-RPC vocabulary.");
}

/* What a route without "methods" takes: reading. */
static void default_methods(struct json_reader *reader, struct route *route)
{
    if (route->kind != ROUTE_HTTP || route->methods.count > 0)
        return;
    if (text_list_add(&route->methods, "GET", 3) != OK ||
        text_list_add(&route->methods, "HEAD", 4) != OK)
        reader->out_of_memory = true;
}

void config_route_read(struct json_reader *reader, struct json_t *value, void *into)
{
    const struct config_reading *reading = reader->context;
    struct route *route = into;

    if (reading->dialect != NULL)
        route->vocabulary = dialect_vocabulary(reading->dialect, NULL);
    json_table_read(reader, &config_route_table, value, route);
    lower_headers(reader, route);
    check_query(reader, route);
    check_kind(reader, value, route);
    default_methods(reader, route);
    if (route->subprotocol_required && route->subprotocols.count == 0 && !route->any_subprotocol)
        json_reader_fault(reader, "\"subprotocol_required\" needs \"subprotocols\" to require.");
    if (route->binary && route->vocabulary != NULL &&
        route->vocabulary->envelope != ENVELOPE_OPAQUE)
        json_reader_fault(reader, "\"binary\" is permitted only where nobody looks into messages: "
                                  "with a vocabulary whose envelope is opaque.");
}

void config_route_read_pack(struct json_reader *reader, struct surface *surface)
{
    static const struct json_key routes_key = CONFIG_ROUTES_ROW;
    const struct config_reading *reading = reader->context;
    struct json_reader inner = {.text = reading->pack.text,
                                .length = reading->pack.length,
                                .name = reading->pack.name,
                                .faults = reader->faults,
                                .context = reader->context};
    json_t *root = json_reader_parse(&inner), *routes = json_object_get(root, "routes");
    size_t place = json_reader_enter(&inner, "routes");

    if (routes != NULL) {
        json_table_read_key(&inner, &routes_key, routes, surface);
        config_route_check_paths(&inner, surface);
    } else if (root != NULL) {
        json_reader_fault(reader, "\"routes\" is missing here: the dialect %s brings none.",
                          reading->dialect->name);
    }
    json_reader_leave(&inner, place);
    json_decref(root);
    json_reader_end(&inner);
    reader->faulty |= inner.faulty;
    reader->out_of_memory |= inner.out_of_memory;
}

/* Whether two paths match the same requests: equal but for the names in braces. */
static bool same_shape(const char *left, const char *right)
{
    while (*left != '\0' && *right != '\0') {
        if (*left == '{' && *right == '{') {
            left += strcspn(left, "}");
            right += strcspn(right, "}");
        }
        if (*left++ != *right++)
            return false;
    }
    return *left == *right;
}

void config_route_check_paths(struct json_reader *reader, const struct surface *surface)
{
    for (size_t i = 1; i < surface->route_count; i++) {
        const char *path = surface->routes[i].path;

        for (size_t j = 0; j < i && path != NULL; j++) {
            const char *earlier = surface->routes[j].path;
            size_t place;

            if (earlier == NULL || !same_shape(earlier, path) ||
                (surface->routes[j].kind == ROUTE_WEBSOCKET) !=
                    (surface->routes[i].kind == ROUTE_WEBSOCKET))
                continue;
            place = json_reader_enter_index(reader, i);
            json_reader_fault(reader, "\"%.64s\" matches the same requests as route %zu.", path, j);
            json_reader_leave(reader, place);
            break;
        }
    }
}
