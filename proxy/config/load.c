#include "config/load.h"

#include "config/reading.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_SOCKET_NAME   "/control.sock"
#define ARGUMENT_PATTERNS_MAX 64

/* ---- Executables: a path, or an object that says more ---- */

static const struct json_key executable_keys[] = {
    ROW_PATH("path", struct executable_rule, path, config_check_path, .required = true),
    ROW_TEXT("sha256", struct executable_rule, sha256, config_check_sha256),
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the elements are pointers */
    ROW_LIST("args", struct executable_rule, args, args_count, 0, ARGUMENT_PATTERNS_MAX,
             .set_offset = offsetof(struct executable_rule, args_set), .read = config_read_pattern,
             .clear = config_clear_pattern),
};
static const struct json_table executable_table = JSON_TABLE("an executable", executable_keys);

static void read_executable(struct json_reader *reader, json_t *value, void *into)
{
    struct executable_rule *rule = into;

    if (json_is_string(value))
        rule->path = json_reader_expanded(reader, value, config_expand_text, config_check_path,
                                          JSON_TEXT_BYTES_MAX);
    else if (json_is_object(value))
        json_table_read(reader, &executable_table, value, rule);
    else
        json_reader_fault(reader, "This must be a path or an object with a \"path\".");
}

/* ---- The whole ---- */

static const struct json_key operators_keys[] = {
    ROW_LIST("uids", struct config, operator_uids, operator_uid_count, 0, CONFIG_UIDS_MAX,
             .required = true, .read = config_read_uid),
};
static const struct json_table operators_table = JSON_TABLE("\"operators\"", operators_keys);

static const struct json_word audit_failures[] = {
    {"deny", AUDIT_FAILURE_DENY}, {"continue", AUDIT_FAILURE_CONTINUE}, {NULL, 0}};

static const struct json_key config_keys[] = {
    {.name = "$schema", .type = JSON_KEY_IGNORED},
    ROW_PATH("state_dir", struct config, state_dir, config_check_path, .required = true),
    ROW_PATH("control_socket", struct config, control_socket, config_check_socket),
    ROW_NUMBER("workers", struct config, workers, 1, CONFIG_WORKERS_MAX, 1),
    ROW_NUMBER("worker_memory_bytes", struct config, worker_memory_bytes, CONFIG_MEMORY_MIN,
               UINT32_MAX, CONFIG_WORKER_MEMORY),
    ROW_CHOICE("on_audit_failure", struct config, on_audit_failure, audit_failures,
               .preset = AUDIT_FAILURE_DENY),
    ROW_WITHIN("telemetry", struct config, telemetry, config_telemetry_table),
    ROW_SAME("operators", operators_table),
    ROW_LIST("executables", struct config, executables, executable_count, 0, CONFIG_EXECUTABLES_MAX,
             .read = read_executable, .table = &executable_table),
    ROW_MAP("surfaces", struct config, surfaces, surface_count, 1, CONFIG_SURFACES_MAX,
            config_check_surface_name, .required = true, .read = config_surface_read,
            .clear = config_surface_clear, .table = &config_surface_table),
};
const struct json_table config_table = JSON_TABLE("the configuration", config_keys);

/* The control socket lies in the state directory unless the configuration says otherwise. */
static void default_control_socket(struct json_reader *reader, json_t *root, struct config *config)
{
    if (config->state_dir == NULL || json_object_get(root, "control_socket") != NULL)
        return;
    if (asprintf(&config->control_socket, "%s%s", config->state_dir, CONTROL_SOCKET_NAME) < 0) {
        config->control_socket = NULL;
        reader->out_of_memory = true;
    } else if (config_check_socket(config->control_socket) != NULL) {
        json_reader_fault_at(reader, "state_dir",
                             "This is too long to hold the control socket; set \"control_socket\" "
                             "to a path of at most 107 bytes.");
    }
}

/* Clients must not be led to the socket that mints sessions. */
static void check_upstreams(struct json_reader *reader, const struct config *config)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface *surface = &config->surfaces[i];
        size_t place = json_reader_enter(reader, "surfaces");

        if (config->control_socket != NULL && surface->upstream_socket != NULL &&
            strcmp(config->control_socket, surface->upstream_socket) == 0) {
            json_reader_enter(reader, surface->name);
            json_reader_fault_at(reader, "upstream/socket",
                                 "\"%.64s\" is Sidelock's own control socket.",
                                 surface->upstream_socket);
        }
        json_reader_leave(reader, place);
    }
}

static void read_config(struct json_reader *reader, struct config *config)
{
    json_t *root;

    if (reader->length > CONFIG_BYTES_MAX) {
        json_reader_fault(reader, "The configuration is larger than 1 MiB.");
        return;
    }
    root = json_reader_parse(reader);
    if (root == NULL)
        return;
    json_table_read(reader, &config_table, root, config);
    default_control_socket(reader, root, config);
    config_listen_check_ports(reader, config);
    check_upstreams(reader, config);
    config_telemetry_finish(reader, config);
    config_limits_finish(reader, root, config);
    json_decref(root);
}

enum error config_load_from(const struct config_source *source, struct config **out,
                            struct json_faults *faults)
{
    struct config *config = calloc(1, sizeof(*config));
    struct config_reading reading = {.packs = source->packs,
                                     .pack_count = source->pack_count,
                                     .self_uid = source->self_uid,
                                     .variables = {.environment = source->environment}};
    struct json_reader reader = {
        .text = source->text, .length = source->length, .faults = faults, .context = &reading};
    enum error error;

    faults->count = 0;
    if (config == NULL)
        return ERROR_MEMORY;
    reading.variables.used = &config->variables;
    read_config(&reader, config);
    json_reader_end(&reader);
    json_faults_sort(faults);
    error = json_reader_result(&reader);
    if (error == OK)
        *out = config;
    else
        config_destroy(config);
    return error;
}

enum error config_load(const char *text, size_t length, const struct config_pack *packs,
                       size_t pack_count, uint32_t self_uid, struct config **out,
                       struct json_faults *faults)
{
    const struct config_source source = {.text = text,
                                         .length = length,
                                         .packs = packs,
                                         .pack_count = pack_count,
                                         .self_uid = self_uid};

    return config_load_from(&source, out, faults);
}

enum error config_list_packs(const char *text, size_t length, struct text_list *out)
{
    struct json_faults unheard = {.count = 0}; /* config_load() tells them */
    struct json_reader reader = {.text = text, .length = length, .faults = &unheard};
    json_t *root = json_reader_parse(&reader);
    struct text_list packs = {0};
    enum error error = json_reader_result(&reader);
    const char *name;
    json_t *surface;

    json_reader_end(&reader);
    if (root == NULL)
        return error == ERROR_MEMORY ? error : ERROR_SYNTAX;
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

void config_destroy(struct config *config)
{
    if (config == NULL)
        return;
    json_table_clear(&config_table, config);
    text_list_clear(&config->variables);
    free(config);
}

struct surface *config_take_surface(struct config *config, size_t index)
{
    struct surface *surface = malloc(sizeof(*surface));

    if (surface == NULL)
        return NULL;
    *surface = config->surfaces[index];
    config->surfaces[index] = (struct surface){.name = NULL};
    return surface;
}

void config_free_surface(struct surface *surface)
{
    if (surface == NULL)
        return;
    free(surface->name);
    config_surface_clear(surface);
    json_table_clear(&config_surface_table, surface);
    free(surface);
}
