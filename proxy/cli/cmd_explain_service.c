#include "cli/cmd_explain_service.h"

#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown.h"
#include "setup/fences.h"
#include "setup/service.h"
#include "system/landlock.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

static json_t *list_of(char *const *items, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count && items[i] != NULL; i++)
        json_array_append_new(list, output_string(items[i]));
    return list;
}

static json_t *names_of(uint32_t fences)
{
    json_t *list = json_array();

    for (unsigned kind = 0; kind < FENCE_COUNT; kind++) {
        if ((fences & UINT32_C(1) << kind) != 0)
            json_array_append_new(list, json_string(fence_kind_name((enum fence_kind)kind)));
    }
    return list;
}

/* Of what it is started with: found as for each start. */
static int add_found(const struct config_bundle *bundle, const struct surface *surface, json_t *out)
{
    const bool anything = surface->command.execute_anything;
    struct service_fault fault;
    struct service service;

    if (service_find(bundle, surface, environ, &service, &fault) != OK)
        return args_fail(EX_CONFIG, "the service of %s cannot be started: %s", surface->name,
                         fault.text);
    json_object_set_new(out, "program", output_string(service.program));
    json_object_set_new(out, "uid", json_integer((json_int_t)service.command.uid));
    json_object_set_new(out, "directory", output_string(service.command.directory));
    json_object_set_new(out, "executables",
                        anything ? json_null() : list_of(service.command.executables, SIZE_MAX));
    json_object_set_new(out, "libraries",
                        anything ? json_null() : list_of(service.command.libraries, SIZE_MAX));
    json_object_set_new(out, "hidden", list_of(service.command.hidden, SIZE_MAX));
    service_clear(&service);
    return EX_OK;
}

/* Of limits null where there is none. */
static void add_limits(const struct surface_command *command, json_t *out)
{
    const struct surface_connect *connect = &command->connect;
    const struct surface_use *use = &command->use;
    json_t *ports = connect->ports_limited ? json_array() : json_null();

    for (size_t i = 0; connect->ports_limited && i < connect->port_count; i++)
        json_array_append_new(ports, json_integer(connect->ports[i]));
    json_object_set_new(out, "connect_ports", ports);
    json_object_set_new(out, "refused_networks",
                        list_of(connect->refused.items, connect->refused.count));
    json_object_set_new(out, "udp", json_string(connect->no_datagrams ? "none" : "leaves"));
    json_object_set_new(out, "memory_mib",
                        use->memory_mib > 0 ? json_integer(use->memory_mib) : json_null());
    json_object_set_new(out, "processes",
                        use->processes > 0 ? json_integer(use->processes) : json_null());
}

/* What the configuration says alone, and what of it this kernel does not hold. */
static void add_configured(const struct surface *surface, json_t *out)
{
    const struct surface_command *command = &surface->command;
    const unsigned landlock = landlock_version();
    const uint32_t promised = fences_promised(command);
    const uint32_t lacking = fences_lacking(promised, landlock);
    char sentence[FENCES_SENTENCE_SIZE];
    bool lacks = fences_tell_lacking(lacking, landlock, sentence);

    json_object_set_new(out, "write",
                        command->write_limited
                            ? list_of(command->writable.items, command->writable.count)
                            : json_null());
    add_limits(command, out);
    json_object_set_new(out, "port",
                        command->port != 0 ? json_integer((json_int_t)command->port) : json_null());
    json_object_set_new(out, "fences", names_of(promised & ~lacking));
    json_object_set_new(out, "lacking", names_of(lacking));
    json_object_set_new(out, "require", names_of(fences_required(command)));
    json_object_set_new(out, "advisory", lacks ? json_string(sentence) : json_null());
}

/* A list, or what an empty one or none stands for. */
static void print_member(const char *title, const json_t *value, const char *none)
{
    const json_t *item;
    size_t i;

    printf("%-13s ", title);
    if (json_is_integer(value))
        printf("%lld", (long long)json_integer_value(value));
    else if (json_is_string(value))
        shown_text(stdout, json_string_value(value));
    else if (!json_is_array(value))
        fputs(none, stdout);
    else if (json_array_size(value) == 0)
        fputs("nothing", stdout);
    json_array_foreach(value, i, item)
    {
        fputs(i > 0 ? ", " : "", stdout);
        if (json_is_integer(item))
            printf("%lld", (long long)json_integer_value(item));
        else
            shown_text(stdout, json_string_value(item));
    }
    putchar('\n');
}

static void print_text(const struct surface *surface, const json_t *service)
{
    const struct {
        const char *title, *member, *none;
    } rows[] = {
        {"program", "program", "what the record of its session names"},
        {"as user", "uid", "who runs Sidelock, or \"user\""},
        {"directory", "directory", "that of the configuration"},
        {"may execute", "executables", "anything"},
        {"has code from", "libraries", "anywhere"},
        {"may write", "write", "what its user may"},
        {"TCP leads to", "connect_ports", "any port"},
        {"never into", "refused_networks", ""},
        {"UDP", "udp", ""},
        {"memory in MiB", "memory_mib", "as much as there is"},
        {"processes", "processes", "as many as its user may have"},
        {"does not find", "hidden", "the gate's own places, and its user's sockets"},
        {"is served at", "port",
         surface->upstream_stdio ? "no port: by its standard input and output"
                                 : "the first port that it listens on"},
        {"fences", "fences", ""},
        {"required", "require", ""},
        {"lacking here", "lacking", ""},
        {"advisory", "advisory", "nothing"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        print_member(rows[i].title, json_object_get(service, rows[i].member), rows[i].none);
}

int explain_service(const struct config_bundle *bundle, const struct surface *surface, bool json)
{
    json_t *out;
    int code = EX_OK;

    if (!surface_is_launched(surface))
        return args_fail(EX_DATAERR,
                         "the service of %s is not started by Sidelock: name the PATH of a request",
                         surface->name);
    out = json_object();
    json_object_set_new(out, "surface", json_string(surface->name));
    json_object_set_new(out, "program", json_null());
    if (!surface_runs_records(surface))
        code = add_found(bundle, surface, out);
    if (code == EX_OK) {
        add_configured(surface, out);
        if (json)
            code = output_json_indented(out);
        else
            print_text(surface, out);
    }
    json_decref(out);
    return code;
}
