/*
 * What the readers of a configuration know beside the document (the context of
 * their json_reader), and what each of them offers the others. Private to config/.
 */
#pragma once

#include "config/config.h"
#include "config/pattern.h"
#include "config/variable.h"
#include "json/table.h"

struct config_reading {
    const struct config_pack *packs;
    size_t pack_count;
    uint32_t self_uid;
    struct config_variables variables;
    /* Of the surface being read. */
    struct config_pack pack;
    const struct dialect *dialect; /* NULL: none that is usable */
};

/* ---- check.c: what a string may be, each a json_check (json/reader.h) ---- */

/* Free text for people: no control characters. */
const char *config_check_sentence(const char *text);
/* An absolute path in canonical form: nothing a symbolic link or ".." could bend on sight. */
const char *config_check_path(const char *text);
/* The same, short enough for sun_path (unix(7)). */
const char *config_check_socket(const char *text);
/* The name of a user, as useradd(8) permits it; whether there is one is not asked. */
const char *config_check_user(const char *text);
const char *config_check_surface_name(const char *text);
const char *config_check_sha256(const char *text);
/* A JSON pointer (RFC 6901); "" is the whole document. */
const char *config_check_pointer(const char *text);
/* A Host header's value (RFC 9110 section 7.2) in lower case: a name or address, and maybe a port.
 */
const char *config_check_host(const char *text);
/* A serialised origin (RFC 6454 section 6.2) as browsers send it. */
const char *config_check_origin(const char *text);
/* A request header that a route may forward: not one the gate itself answers for. */
const char *config_check_header(const char *text);
/* A request method (RFC 9110 section 9.1) in upper case; never CONNECT or TRACE. */
const char *config_check_method(const char *text);
/* A subprotocol (RFC 6455 section 4.1): a token, short enough for the WebSocket library. */
const char *config_check_subprotocol(const char *text);
const char *config_check_query_name(const char *text);
/* A route's path: canonical, with {name} for one segment, {name...} at the end for the rest. */
const char *config_check_route_path(const char *text);
/* A path without {name} segments, and one with {answer} as its only one. */
const char *config_check_request_path(const char *text);
const char *config_check_answer_path(const char *text);

/* A json_expand: config_expand() of a path, with the variables of config_reading. */
char *config_expand_text(struct json_reader *reader, const char *text);
/* Rows of paths, in which "~" and variables stand for others. */
#define ROW_PATH(key, owner, field, checks, ...)                                                   \
    ROW_TEXT(key, owner, field, checks, .expand = config_expand_text, __VA_ARGS__)
#define ROW_PATHS(key, owner, field, checks, least, most, ...)                                     \
    ROW_TEXTS(key, owner, field, checks, least, most, .expand = config_expand_text, __VA_ARGS__)

/* A json_read of a regular expression into a struct config_pattern *. */
void config_read_pattern(struct json_reader *reader, struct json_t *value, void *into);
/* Frees that. */
void config_clear_pattern(void *pattern);
/* A json_read of "self" or a number into a uint32_t. */
void config_read_uid(struct json_reader *reader, struct json_t *value, void *into);
/* A json_read of a number into a uint32_t. */
void config_read_gid(struct json_reader *reader, struct json_t *value, void *into);

/* ---- surface.c ---- */

extern const struct json_table config_surface_table;
/* A json_read of one entry of "surfaces". */
void config_surface_read(struct json_reader *reader, struct json_t *value, void *into);
/* Frees what the table does not know. */
void config_surface_clear(void *surface);

/* ---- upstream.c ---- */

/* The object "upstream" of a struct surface. */
extern const struct json_table config_upstream_table;
/* Notes a fault where it is not exactly one of the two, a socket or a command; of that, finds which
 * program is meant. */
void config_upstream_finish(struct json_reader *reader, const struct json_t *value,
                            struct surface_command *command);

/* ---- limits.c ---- */

/* After all surfaces: what is preset by what a worker keeps, and faults of what it cannot. */
void config_limits_finish(struct json_reader *reader, const struct json_t *root,
                          struct config *config);

/* ---- route.c ---- */

extern const struct json_table config_route_table;
/* A json_read of one route. */
void config_route_read(struct json_reader *reader, struct json_t *value, void *into);
/* The row "routes" of a struct surface. */
#define CONFIG_ROUTES_ROW                                                                          \
    ROW_LIST("routes", struct surface, routes, route_count, 1, CONFIG_ROUTES_MAX,                  \
             .read = config_route_read, .table = &config_route_table)

extern const struct json_table config_host_table;
/* A json_read of "host" into a struct config_host. */
void config_host_read(struct json_reader *reader, struct json_t *value, void *into);
/* The row "host" of a route or a surface. */
#define CONFIG_HOST_ROW(owner)                                                                     \
    ROW_CUSTOM("host", config_host_read, .offset = offsetof(owner, host),                          \
               .table = &config_host_table)

/* Reads the default routes of the surface's pack; a fault if it has none. */
void config_route_read_pack(struct json_reader *reader, struct surface *surface);
/* Notes a fault for a route whose path another one of the list takes first. */
void config_route_check_paths(struct json_reader *reader, const struct surface *surface);

/* ---- network.c ---- */

/* A json_read of a network into a struct config_network. */
void config_network_read(struct json_reader *reader, struct json_t *value, void *into);
void config_network_clear(void *network);

/* ---- listen.c ---- */

/* A json_read of "host:port" into a struct listen_address. */
void config_listen_read(struct json_reader *reader, struct json_t *value, void *into);
/* A json_read of an upstream's address: of loopback, and no name. */
void config_listen_read_upstream(struct json_reader *reader, struct json_t *value, void *into);
/* Notes a fault for every address that is not loopback unless the surface permits it. */
void config_listen_check_loopback(struct json_reader *reader, const struct surface *surface);
/* Notes a fault for every address that an earlier one, of any surface, already takes, and for a
 * service's that is the gate's own. */
void config_listen_check_ports(struct json_reader *reader, const struct config *config);
/* Whether whoever binds one of them cannot bind the other on the same port. */
bool config_listen_overlap(const struct listen_address *left, const struct listen_address *right);
void config_listen_clear(void *address);

/* ---- telemetry.c ---- */

/* The object "telemetry" of a struct config. */
extern const struct json_table config_telemetry_table;
/* After all surfaces: notes a fault for a place that is somebody else's, or nobody's business. */
void config_telemetry_finish(struct json_reader *reader, const struct config *config);
