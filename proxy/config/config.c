#include "config/config.h"

#include "config/listen.h"
#include "config/surface.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_SOCKET_NAME   "/control.sock"
#define ARGUMENT_PATTERNS_MAX 64

/* ---- Executables: a path, or an object that says more ---- */

static void read_argument(struct config_reader *reader, const char *name, json_t *value, void *into)
{
    (void)name;
    config_reader_pattern(reader, value, into);
}

static const struct config_key executable_keys[] = {
    {.name = "path",
     .type = CONFIG_TEXT,
     .required = true,
     .offset = offsetof(struct executable_rule, path),
     .check = config_check_path},
    {.name = "sha256",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct executable_rule, sha256),
     .check = config_check_sha256},
    {.name = "args",
     .type = CONFIG_LIST,
     .offset = offsetof(struct executable_rule, args),
     .count_offset = offsetof(struct executable_rule, args_count),
     .set_offset = offsetof(struct executable_rule, args_set),
     .size = sizeof(struct config_pattern *),
     .maximum = ARGUMENT_PATTERNS_MAX,
     .read = read_argument},
};
static const struct config_table executable_table = CONFIG_TABLE("an executable", executable_keys);

static void read_executable(struct config_reader *reader, const char *name, json_t *value,
                            void *into)
{
    struct executable_rule *rule = into;

    (void)name;
    if (json_is_string(value))
        rule->path = config_reader_text(reader, value, config_check_path, CONFIG_TEXT_BYTES_MAX);
    else if (json_is_object(value))
        config_table_read(reader, &executable_table, value, rule);
    else
        config_reader_fault(reader, "This must be a path or an object with a \"path\".");
}

static void executable_clear(struct executable_rule *rule)
{
    free(rule->path);
    free(rule->sha256);
    for (size_t i = 0; i < rule->args_count; i++)
        config_pattern_destroy(rule->args[i]);
    free(rule->args);
}

/* ---- The whole ---- */

static const struct config_key operators_keys[] = {
    CONFIG_UIDS_KEY(struct config, operator_uids, operator_uid_count, 0),
};
static const struct config_table operators_table = CONFIG_TABLE("\"operators\"", operators_keys);

static const struct config_key config_keys[] = {
    {.name = "$schema", .type = CONFIG_IGNORED},
    {.name = "state_dir",
     .type = CONFIG_TEXT,
     .required = true,
     .offset = offsetof(struct config, state_dir),
     .check = config_check_path},
    {.name = "control_socket",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct config, control_socket),
     .check = config_check_socket},
    {.name = "workers",
     .type = CONFIG_NUMBER,
     .offset = offsetof(struct config, workers),
     .minimum = 1,
     .maximum = CONFIG_WORKERS_MAX,
     .preset = 1},
    {.name = "operators", .type = CONFIG_OBJECT, .table = &operators_table},
    {.name = "executables",
     .type = CONFIG_LIST,
     .offset = offsetof(struct config, executables),
     .count_offset = offsetof(struct config, executable_count),
     .size = sizeof(struct executable_rule),
     .maximum = CONFIG_EXECUTABLES_MAX,
     .read = read_executable,
     .table = &executable_table},
    {.name = "surfaces",
     .type = CONFIG_MAP,
     .required = true,
     .offset = offsetof(struct config, surfaces),
     .count_offset = offsetof(struct config, surface_count),
     .size = sizeof(struct surface),
     .minimum = 1,
     .maximum = CONFIG_SURFACES_MAX,
     .read = config_surface_read,
     .table = &config_surface_table},
};
static const struct config_table top_table = CONFIG_TABLE("the configuration", config_keys);

const struct config_table *config_table_top(void)
{
    return &top_table;
}

/* The control socket lies in the state directory unless the configuration says otherwise. */
static void default_control_socket(struct config_reader *reader, json_t *root,
                                   struct config *config)
{
    size_t place;

    if (config->state_dir == NULL || json_object_get(root, "control_socket") != NULL)
        return;
    if (asprintf(&config->control_socket, "%s%s", config->state_dir, CONTROL_SOCKET_NAME) < 0) {
        config->control_socket = NULL;
        reader->out_of_memory = true;
    } else if (config_check_socket(config->control_socket) != NULL) {
        place = config_reader_enter(reader, "state_dir");
        config_reader_fault(reader, "This is too long to hold the control socket; set "
                                    "\"control_socket\" to a path of at most 107 bytes.");
        config_reader_leave(reader, place);
    }
}

/* Clients must not be led to the socket that mints sessions. */
static void check_upstreams(struct config_reader *reader, const struct config *config)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface *surface = &config->surfaces[i];
        size_t place = config_reader_enter(reader, "surfaces");

        if (config->control_socket != NULL && surface->upstream_socket != NULL &&
            strcmp(config->control_socket, surface->upstream_socket) == 0) {
            config_reader_enter(reader, surface->name);
            config_reader_enter(reader, "upstream");
            config_reader_enter(reader, "socket");
            config_reader_fault(reader, "\"%.64s\" is Sidelock's own control socket.",
                                surface->upstream_socket);
        }
        config_reader_leave(reader, place);
    }
}

/* Tables are read in their own order; people read files from the top. */
static void sort_faults(struct config_faults *faults)
{
    for (size_t i = 1; i < faults->count; i++) {
        struct config_fault fault = faults->items[i];
        size_t at = i;

        for (; at > 0 && faults->items[at - 1].line > fault.line; at--)
            faults->items[at] = faults->items[at - 1];
        faults->items[at] = fault;
    }
}

static void read_config(struct config_reader *reader, struct config *config)
{
    json_t *root;

    if (reader->length > CONFIG_BYTES_MAX) {
        config_reader_fault(reader, "The configuration is larger than 1 MiB.");
        return;
    }
    root = config_reader_parse(reader);
    if (root == NULL)
        return;
    config_table_read(reader, &top_table, root, config);
    default_control_socket(reader, root, config);
    config_listen_check_ports(reader, config);
    check_upstreams(reader, config);
    json_decref(root);
}

enum error config_load(const char *text, size_t length, const struct config_pack *packs,
                       size_t pack_count, uint32_t self_uid, struct config **out,
                       struct config_faults *faults)
{
    struct config_reader reader = {.text = text,
                                   .length = length,
                                   .faults = faults,
                                   .packs = packs,
                                   .pack_count = pack_count,
                                   .self_uid = self_uid};
    struct config *config = calloc(1, sizeof(*config));

    faults->count = 0;
    if (config == NULL)
        return ERROR_MEMORY;
    read_config(&reader, config);
    sort_faults(faults);
    if (reader.out_of_memory || reader.faulty) {
        config_destroy(config);
        return reader.out_of_memory ? ERROR_MEMORY : ERROR_INVALID;
    }
    *out = config;
    return OK;
}

enum error config_list_packs(const char *text, size_t length, struct text_list *out)
{
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    struct text_list packs = {0};
    enum error error = OK;
    const char *name;
    json_t *surface;

    if (root == NULL)
        return ERROR_SYNTAX;
    json_object_foreach(json_object_get(root, "surfaces"), name, surface)
    {
        const char *pack = json_string_value(json_object_get(surface, "dialect"));

        if (pack != NULL && strchr(pack, '/') != NULL && error == OK &&
            !text_list_contains(&packs, span_of(pack)))
            error = text_list_add(&packs, pack, strlen(pack));
    }
    json_decref(root);
    if (error != OK) {
        text_list_clear(&packs);
        return error;
    }
    *out = packs;
    return OK;
}

const char *config_route_host(const struct route *route, const char *client_host)
{
    if (route->host == HOST_UPSTREAM_PUBLIC && client_host != NULL)
        return client_host;
    return route->host == HOST_UPSTREAM_FIXED ? route->host_fixed : "localhost";
}

const struct surface *config_surface(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        if (strcmp(config->surfaces[i].name, name) == 0)
            return &config->surfaces[i];
    }
    return NULL;
}

void config_destroy(struct config *config)
{
    if (config == NULL)
        return;
    free(config->state_dir);
    free(config->control_socket);
    free(config->operator_uids);
    for (size_t i = 0; i < config->executable_count; i++)
        executable_clear(&config->executables[i]);
    free(config->executables);
    for (size_t i = 0; i < config->surface_count; i++)
        config_surface_clear(&config->surfaces[i]);
    free(config->surfaces);
    free(config);
}
