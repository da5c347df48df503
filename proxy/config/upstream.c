/* What stands behind a surface: a socket, an address, or a command that is launched. surface.c
 * calls it. */
#include "config/reading.h"

#include "base/subnet.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USER_NAME_BYTES_MAX 32 /* useradd(8) */
#define ARGUMENTS_MAX       1024
#define VARIABLES_MAX       512
#define FILES_MAX           16
#define EXECUTABLES_MAX     128
#define LIBRARIES_MAX       32
#define WRITABLE_MAX        32
#define REQUIRED_MAX        16
#define PORTS_MAX           64 /* with the next, as launch/common/reach.h */
#define NETWORKS_MAX        64
#define VALUE_BYTES_MAX     (32 * 1024)
#define IDLE_STOP_S_MIN     5 /* by then no worker keeps a link to it any more (worker/http/pool.c) */
#define IDLE_STOP_S_MAX     (24 * 60 * 60)
#define READY_TIMEOUT_S     60
#define READY_TIMEOUT_S_MAX (60 * 60)
#define MEMORY_MIB_MIN      16 /* what starting takes, and some more */
#define MEMORY_MIB_MAX      (64 * 1024 * 1024)
#define PROCESSES_MAX       (4 * 1024 * 1024) /* as many as the kernel has numbers for */

/* A uid, kept as its digits, or the name of a user. */
static void read_user(struct json_reader *reader, json_t *value, void *into)
{
    char **user = into;
    uint32_t uid;

    if (json_is_string(value)) {
        *user = json_reader_text(reader, value, config_check_user, USER_NAME_BYTES_MAX);
    } else if (json_reader_number(reader, value, 0, UINT32_MAX - 1, &uid) &&
               asprintf(user, "%u", uid) < 0) {
        *user = NULL;
        reader->out_of_memory = true;
    }
}

static void clear_text(void *text)
{
    free(*(char **)text);
}

/* An argument may be empty, and hold whatever a program takes. */
static void read_text(struct json_reader *reader, json_t *value, void *into)
{
    *(char **)into = json_reader_text(reader, value, NULL, VALUE_BYTES_MAX);
}

static const char *check_variable(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

    if (name[0] == '\0' || strchr(letters, name[0]) == NULL ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] !=
            '\0')
        return "must be of letters, digits and underscores to name a variable";
    return NULL;
}

static const struct json_word restarts[] = {{"always", RESTART_ALWAYS},
                                            {"on-failure", RESTART_ON_FAILURE},
                                            {"never", RESTART_NEVER},
                                            {NULL, 0}};
static const struct json_word starts[] = {
    {"at_once", START_AT_ONCE}, {"on_demand", START_ON_DEMAND}, {NULL, 0}};

static const struct json_key executables_key = ROW_PATHS(
    "executables", struct surface_command, executables, config_check_path, 0, EXECUTABLES_MAX);

/* Paths of programs, or "any". */
static void read_executables(struct json_reader *reader, json_t *value, void *into)
{
    struct surface_command *command = into;
    const char *word = json_string_value(value);

    if (word != NULL && strcmp(word, "any") == 0)
        command->execute_anything = true;
    else if (json_is_array(value))
        json_table_read_key(reader, &executables_key, value, command);
    else
        json_reader_fault(reader, "This must be a list of programs' paths, or \"any\".");
}

static void clear_executables(void *command)
{
    text_list_clear(&((struct surface_command *)command)->executables);
}

/* As it stands in a request (RFC 9112 section 3.2.1). */
static const char *check_ready_path(const char *path)
{
    static const char characters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/?-._~%!$&'()*+,;=:@";

    if (strlen(path) > CONFIG_READY_BYTES_MAX)
        return "must be at most 255 bytes long";
    if (path[0] != '/' || path[strspn(path, characters)] != '\0')
        return "must begin with a slash and be as in a URL, percent-encoded, without a fragment";
    return NULL;
}

static const struct json_key ready_keys[] = {
    ROW_TEXT("path", struct surface_readiness, path, check_ready_path, .required = true),
    ROW_NUMBER("timeout_s", struct surface_readiness, timeout_s, 1, READY_TIMEOUT_S_MAX,
               READY_TIMEOUT_S),
};
static const struct json_table ready_table = JSON_TABLE("what is ready", ready_keys);

/* The operator's word where it cannot be found out (setup/neighbour.h). */
static const struct json_word namespaces[] = {
    {"proven", NAMESPACE_PROVEN}, {"shared", NAMESPACE_SHARED}, {NULL, 0}};

static const struct json_key use_keys[] = {
    ROW_NUMBER("memory_mib", struct surface_use, memory_mib, 0, MEMORY_MIB_MAX, 0),
    ROW_NUMBER("processes", struct surface_use, processes, 0, PROCESSES_MAX, 0),
};
static const struct json_table use_table = JSON_TABLE("limits of a service", use_keys);

static void read_port(struct json_reader *reader, json_t *value, void *into)
{
    (void)json_reader_number(reader, value, 1, UINT16_MAX, into);
}

static void read_datagrams(struct json_reader *reader, json_t *value, void *into)
{
    if (!json_is_boolean(value))
        json_reader_fault(reader, "This must be true or false.");
    *(bool *)into = json_is_false(value);
}

static const struct json_key connect_keys[] = {
    ROW_LIST("ports", struct surface_connect, ports, port_count, 0, PORTS_MAX, .read = read_port,
             .set_offset = offsetof(struct surface_connect, ports_limited)),
    ROW_TEXTS("refuse", struct surface_connect, refused, subnet_check, 0, NETWORKS_MAX),
    ROW_CUSTOM("udp", read_datagrams, .offset = offsetof(struct surface_connect, no_datagrams)),
};
static const struct json_table connect_table = JSON_TABLE("where to connect", connect_keys);

static const struct json_key upstream_keys[] = {
    ROW_PATH("socket", struct surface, upstream_socket, config_check_socket),
    ROW_CUSTOM("tcp", config_listen_read_upstream, .offset = offsetof(struct surface, upstream_tcp),
               .clear = config_listen_clear),
    ROW_CHOICE("namespace", struct surface, upstream_namespace, namespaces,
               .preset = NAMESPACE_PROVEN),
    ROW_CUSTOM("owner", read_user, .offset = offsetof(struct surface, upstream_owner),
               .clear = clear_text),
    ROW_LIST("command", struct surface, command.arguments, command.argument_count, 1, ARGUMENTS_MAX,
             .read = read_text, .clear = clear_text),
    ROW_MAP("env", struct surface, command.variables, command.variable_count, 0, VARIABLES_MAX,
            check_variable, .read = read_text, .clear = clear_text,
            .value_offset = offsetof(struct command_variable, value)),
    ROW_PATHS("env_files", struct surface, command.environment_files, config_check_path, 0,
              FILES_MAX),
    ROW_PATH("cwd", struct surface, command.directory, config_check_path),
    ROW_CUSTOM("user", read_user, .offset = offsetof(struct surface, command.user),
               .clear = clear_text),
    ROW_NUMBER("port", struct surface, command.port, 0, UINT16_MAX, 0),
    ROW_FLAG("stdio", struct surface, upstream_stdio),
    ROW_WITHIN("ready", struct surface, command.ready, ready_table),
    ROW_CHOICE("restart", struct surface, command.restart, restarts, .preset = RESTART_ALWAYS),
    ROW_CHOICE("start", struct surface, command.start, starts, .preset = START_AT_ONCE),
    ROW_NUMBER("idle_stop_s", struct surface, command.idle_stop_s, 0, IDLE_STOP_S_MAX, 0),
    ROW_CUSTOM("executables", read_executables, .offset = offsetof(struct surface, command),
               .clear = clear_executables),
    ROW_PATHS("libraries", struct surface, command.libraries, config_check_path, 0, LIBRARIES_MAX),
    ROW_PATHS("write", struct surface, command.writable, config_check_path, 0, WRITABLE_MAX,
              .set_offset = offsetof(struct surface, command.write_limited)),
    ROW_WITHIN("connect", struct surface, command.connect, connect_table),
    ROW_TEXTS("require", struct surface, command.required, NULL, 0, REQUIRED_MAX),
    ROW_WITHIN("limits", struct surface, command.use, use_table),
};
const struct json_table config_upstream_table = JSON_TABLE("an upstream", upstream_keys);

/* What another kind of upstream has. */
static void check_members(struct json_reader *reader, const json_t *value, const char *rule,
                          const char *const *members)
{
    for (; *members != NULL; members++) {
        if (json_object_get(value, *members) != NULL)
            json_reader_fault_at(reader, *members, "\"%s\" %s.", *members, rule);
    }
}

/* A path that does not begin at "/" would begin who knows where. Arguments are nobody's paths. */
static void finish_program(struct json_reader *reader, struct surface_command *command)
{
    const size_t place = json_reader_enter(reader, "command");
    char *program = NULL;

    if (command->argument_count > 0 && command->arguments[0] != NULL) {
        json_reader_enter_index(reader, 0);
        program = config_expand_text(reader, command->arguments[0]);
    }
    if (program != NULL) {
        free(command->arguments[0]);
        command->arguments[0] = program;
        if (program[0] == '\0' || (strchr(program, '/') != NULL && program[0] != '/'))
            json_reader_fault(reader,
                              "\"%.64s\" must be an absolute path, or a name that is looked for in "
                              "the service's PATH.",
                              program);
    }
    json_reader_leave(reader, place);
}

/* Nobody would start it again. */
static void check_idle(struct json_reader *reader, const json_t *value)
{
    const char *start = json_string_value(json_object_get(value, "start"));
    json_int_t idle_s = json_integer_value(json_object_get(value, "idle_stop_s"));

    if (idle_s > 0 && idle_s < IDLE_STOP_S_MIN)
        json_reader_fault_at(reader, "idle_stop_s", "This must be 0, or %d at least.",
                             IDLE_STOP_S_MIN);
    if (idle_s > 0 && (start == NULL || strcmp(start, "on_demand") != 0))
        json_reader_fault_at(reader, "idle_stop_s",
                             "A service that ends when nobody asks for it is started by whoever "
                             "does: say \"start\": \"on_demand\".");
}

/* With less it could not even be started. */
static void check_use(struct json_reader *reader, const struct surface_use *use)
{
    const size_t place = json_reader_enter(reader, "limits");

    if (use->memory_mib > 0 && use->memory_mib < MEMORY_MIB_MIN)
        json_reader_fault_at(reader, "memory_mib", "This must be 0, or %d at least.",
                             MEMORY_MIB_MIN);
    json_reader_leave(reader, place);
}

void config_upstream_finish(struct json_reader *reader, const json_t *value,
                            struct surface_command *command)
{
    static const char *const of_socket[] = {"owner", NULL};
    static const char *const of_tcp[] = {"namespace", NULL};
    static const char *const of_command[] = {
        "env",     "env_files", "cwd",         "user",        "port",      "ready",
        "restart", "start",     "idle_stop_s", "executables", "libraries", "write",
        "connect", "require",   "limits",      "stdio",       NULL};
    static const char *const of_listener[] = {"port",  "ready",       "restart",
                                              "start", "idle_stop_s", NULL};
    static const char *const of_program[] = {"env", "cwd", NULL};
    const bool socket = json_object_get(value, "socket") != NULL;
    const bool tcp = json_object_get(value, "tcp") != NULL;
    const bool stdio = json_is_true(json_object_get(value, "stdio"));
    const bool launched = json_object_get(value, "command") != NULL;

    if (!json_is_object(value))
        return;
    if (socket + tcp + (launched || stdio) != 1)
        json_reader_fault(reader, "An upstream is either a \"socket\" on which the service "
                                  "listens, or its \"tcp\" address, or a \"command\" that starts "
                                  "it, or \"stdio\": true with a command or the sessions' "
                                  "parameter records: say one of them.");
    else if (socket || tcp)
        check_members(reader, value, "goes with \"command\" alone", of_command);
    else
        check_members(reader, value, "goes with \"socket\" or \"tcp\" alone", of_socket);
    if (!tcp)
        check_members(reader, value, "goes with \"tcp\" alone", of_tcp);
    if (stdio)
        check_members(reader, value, "is of a service that listens, not of \"stdio\"", of_listener);
    if (stdio && !launched)
        check_members(reader, value, "is what the session's parameter record says", of_program);
    finish_program(reader, command);
    check_idle(reader, value);
    check_use(reader, &command->use);
}
