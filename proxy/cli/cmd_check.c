/*
 * `sidelock check`: reads the configuration and looks at what it names on this host as `serve` and
 * `reload` do, and prints each fault with its JSON pointer and line. Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/examine.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown.h"
#include "setup/fences.h"
#include "setup/insiders.h"
#include "setup/places.h"
#include "setup/service.h"
#include "system/fence_kind.h"
#include "system/landlock.h"
#include "system/trusted_file.h"
#include "system/trusted_socket.h"
#include "wire/http_names.h"
#include "wire/url.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define SENTENCE_BYTES_MAX 512

/* Prints what is no fault, but worth a second look; or adds it to `list`, if that is one. */
static void warn(json_t *list, const char *path, const char *format, ...) PRINTF_LIKE(3, 4);

static void warn(json_t *list, const char *path, const char *format, ...)
{
    char text[SENTENCE_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (list != NULL) {
        json_array_append_new(list, output_string(text));
        return;
    }
    fprintf(stderr, "sidelock: %s: warning: ", path);
    shown_text(stderr, text);
    fputc('\n', stderr);
}

/* Whether the surface looks into messages and yet permits every verb. */
static bool permits_every_verb(const struct surface *surface)
{
    for (size_t i = 0; i < surface->route_count && !surface->allow_verbs_set; i++) {
        if (surface->routes[i].vocabulary->envelope != ENVELOPE_OPAQUE)
            return true;
    }
    return false;
}

/*
 * What is compared with the stored record could be said once more, otherwise, in the query; and
 * whom a service may believe is the operator's to say.
 */
static void warn_of_routes(json_t *warnings, const char *path, const struct surface *surface)
{
    for (size_t i = 0; i < surface->route_count; i++) {
        const struct route *route = &surface->routes[i];

        if (route->body != NULL && !route->query_set)
            warn(warnings, path,
                 "The route \"%s\" of the surface \"%s\" compares the body with the stored record "
                 "and lets any query pass; say \"query\": {}, or what may.",
                 route->path, surface->name);
        for (size_t j = 0; j < route->headers.count; j++) {
            if (http_name_trusted(span_of(route->headers.items[j])))
                warn(warnings, path,
                     "The route \"%s\" of the surface \"%s\" lets a client write \"%s\", which a "
                     "service may believe of a proxy in front of it.",
                     route->path, surface->name, route->headers.items[j]);
        }
    }
}

static bool names(const struct text_list *list, bool set, const char *verb)
{
    return !set || text_list_contains(list, span_of(verb));
}

/* Whether some route's messages know the verb in a direction, and never let it pass. */
static bool is_closed(const struct surface *surface, enum direction direction, const char *verb)
{
    for (size_t i = 0; i < surface->route_count; i++) {
        const struct vocabulary *vocabulary = surface->routes[i].vocabulary;
        const struct verb_rule *rule =
            vocabulary != NULL ? vocabulary_verb(vocabulary, direction, span_of(verb)) : NULL;

        if (rule != NULL && rule->never)
            return true;
    }
    return false;
}

/* What the dialect closes and the lists open, or seem to. */
static void warn_of_closed(json_t *warnings, const char *path, const struct surface *surface)
{
    for (size_t i = 0; i < surface->allow_reopen.count; i++) {
        const char *verb = surface->allow_reopen.items[i];

        if (names(&surface->allow_verbs, surface->allow_verbs_set, verb) ||
            names(&surface->allow_server_verbs, surface->allow_server_verbs_set, verb))
            warn(warnings, path, "The surface \"%s\" opens \"%s\", which its dialect closes.",
                 surface->name, verb);
        else
            warn(warnings, path,
                 "The surface \"%s\" reopens \"%s\", but it stays closed: name it in "
                 "\"allow\": {\"verbs\"} too.",
                 surface->name, verb);
    }
    for (size_t i = 0; i < surface->allow_verbs.count; i++) {
        const char *verb = surface->allow_verbs.items[i];

        if (is_closed(surface, DIRECTION_C2S, verb))
            warn(warnings, path,
                 "The surface \"%s\" allows \"%s\", but it is closed by the dialect: name it in "
                 "\"allow\": {\"reopen\"} too, or leave it out.",
                 surface->name, verb);
    }
}

/* Whether DevTools answer to it: localhost or an address, against rebinding. */
static bool is_plain_host(const char *host)
{
    const char *end = strrchr(host, ':');
    size_t length = end != NULL && end[1 + strspn(end + 1, "0123456789")] == '\0'
                        ? (size_t)(end - host)
                        : strlen(host);
    bool brackets = host[0] == '[', loopback;
    char name[CONFIG_NAME_BYTES_MAX];

    if (brackets)
        length -= 2;
    snprintf(name, sizeof(name), "%.*s", (int)length, host + (brackets ? 1 : 0));
    return strcmp(name, "localhost") == 0 || host_is_address(name, &loopback);
}

/* What is told such a service that is known to refuse it; NULL: nothing. */
static const char *refused_host(const struct surface *surface, const struct route *route)
{
    const char *fixed = route->host.kind == HOST_UPSTREAM_FIXED ? route->host.fixed : NULL;
    const char *dialect = route->vocabulary != NULL ? route->vocabulary->name : "";

    if (strcmp(dialect, "mcp") == 0) {
        if (route->host.kind == HOST_UPSTREAM_LOCALHOST)
            return "localhost";
        return fixed != NULL && strchr(fixed[0] == '[' ? strchr(fixed, ']') : fixed, ':') == NULL
                   ? fixed
                   : NULL;
    }
    if (strcmp(dialect, "cdp") != 0 && strcmp(dialect, "node-inspector") != 0)
        return NULL;
    for (size_t i = 0; route->host.kind == HOST_UPSTREAM_PUBLIC && i < surface->hosts.count; i++) {
        if (!is_plain_host(surface->hosts.items[i]))
            return surface->hosts.items[i];
    }
    return fixed != NULL && !is_plain_host(fixed) ? fixed : NULL;
}

static void warn_of_told_host(json_t *warnings, const char *path, const struct surface *surface)
{
    for (size_t i = 0; i < surface->route_count; i++) {
        const struct route *route = &surface->routes[i];
        const char *host = refused_host(surface, route);

        if (host == NULL)
            continue;
        warn(warnings, path,
             "The surface \"%s\" tells its service the Host \"%s\", which %s; without \"host\" it "
             "is localhost with the port.",
             surface->name, host,
             strcmp(route->vocabulary->name, "mcp") == 0
                 ? "MCP servers refuse that want a port in it (421 or 403)"
                 : "DevTools refuse: they answer to localhost and addresses alone");
        return;
    }
}

static void warn_of_surface(json_t *warnings, const char *path, const struct surface *surface)
{
    const char *name = surface->name;

    if (surface->why == NULL)
        warn(warnings, path, "The surface \"%s\" does not say \"why\" it exists.", name);
    if (surface->can_do == NULL)
        warn(warnings, path, "The surface \"%s\" does not say what its service \"can_do\".", name);
    if (permits_every_verb(surface))
        warn(warnings, path,
             "The surface \"%s\" permits every verb of its dialect; name the ones it needs in "
             "\"allow\".",
             name);
    if (surface->mode == MODE_OBSERVE)
        warn(warnings, path, "The surface \"%s\" only observes: no message is refused.", name);
    if (surface->allow_non_loopback)
        warn(warnings, path, "The surface \"%s\" may listen where other machines reach it.", name);
    for (size_t i = 0; surface->callers_named && i < surface->listen_count; i++) {
        if (!surface->listen[i].loopback)
            warn(warnings, path,
                 "The surface \"%s\" names callers by uid, and clients of other machines have "
                 "none here: at \"%s\" none of them is let in; \"certificates\" can name them.",
                 name, surface->listen[i].text);
    }
    warn_of_closed(warnings, path, surface);
    warn_of_routes(warnings, path, surface);
    warn_of_told_host(warnings, path, surface);
}

/* A rule that no program, or no program of others, can meet refuses them. */
static void warn_of_programs(json_t *warnings, const char *path, const struct surface *surface)
{
    bool others = surface->caller_gid_count > 0;

    for (size_t i = 0; i < surface->caller_executables.count; i++) {
        const char *program = surface->caller_executables.items[i];
        char *resolved = realpath(program, NULL);

        if (resolved == NULL)
            warn(warnings, path, "The program \"%s\" that may call \"%s\" is not there: %s",
                 program, surface->name, strerror(errno));
        else if (strcmp(resolved, program) != 0)
            warn(warnings, path,
                 "The program \"%s\" that may call \"%s\" is a link: write \"%s\", which is what "
                 "runs.",
                 program, surface->name, resolved);
        free(resolved);
    }
    for (size_t i = 0; i < surface->caller_uid_count; i++)
        others = others || surface->caller_uids[i] != geteuid();
    if (surface->caller_executables.count > 0 && others && geteuid() != 0)
        warn(warnings, path,
             "The surface \"%s\" permits \"executables\" of other users, whose processes only root "
             "may look into: a gate that does not run as root refuses them.",
             surface->name);
}

/* Devices and files of the kernel, which root may open, are not the mounts' matter. */
static void warn_of_root(json_t *warnings, const char *path, const struct surface *surface)
{
    const char *user = surface->command.user;

    if (geteuid() != 0 || !surface->command.write_limited ||
        (user != NULL && strcmp(user, "root") != 0 && strcmp(user, "0") != 0))
        return;
    warn(warnings, path,
         "The service of \"%s\" is root, whom \"write\" keeps from no device and from few files "
         "of the kernel: give it a \"user\" of its own.",
         surface->name);
}

/* A service may well start after the gate, so it is no fault. */
static void warn_of_service(json_t *warnings, const char *path, const struct surface *surface)
{
    struct trust trust;
    struct trusted_way way;
    char why[WHY_SIZE];
    int fd;

    if (surface_is_launched(surface) || trusted_upstream(surface, &trust, why) != OK)
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    way = TRUSTED_WAY(surface->upstream_socket, trust);
    why[0] = '\0';
    if (fd >= 0 && trusted_way_connect(&way, fd, why) != OK && errno != EAGAIN)
        warn(warnings, path, "The service of \"%s\" does not answer at \"%s\" now: %s",
             surface->name, surface->upstream_socket, why[0] != '\0' ? why : strerror(errno));
    trusted_way_clear(&way);
    if (fd >= 0)
        close(fd);
}

static void warn_of_executable(json_t *warnings, const char *path,
                               const struct executable_rule *rule)
{
    char why[WHY_SIZE];
    int fd = -1;

    if (!rule->args_set)
        warn(warnings, path,
             "The executable \"%s\" may run with any arguments; give patterns in \"args\".",
             rule->path);
    if (trusted_file_open(rule->path, TRUSTED_FILE_POLICY, TRUST_OWN, &fd, why) == ERROR_DENIED)
        warn(warnings, path, "The executable \"%s\" will not run: %s", rule->path, why);
    if (fd >= 0)
        close(fd);
}

struct insiders_warned {
    json_t *warnings;
    const char *path;
};

static void warn_of_insider(void *context, const char *sentence)
{
    const struct insiders_warned *warned = context;

    warn(warned->warnings, warned->path, "%s", sentence);
}

/* What the gate's own processes do without on this kernel, fence by fence. */
static void warn_of_kernel(json_t *warnings, const char *path)
{
    static const struct {
        const char *whose;
        uint32_t fences;
    } processes[] = {
        {"the parent", FENCES_PARENT}, {"the broker", FENCES_BROKER}, {"a worker", FENCES_WORKER}};
    unsigned version = landlock_version();

    for (size_t i = 0; i < sizeof(processes) / sizeof(processes[0]); i++) {
        char sentence[FENCE_SENTENCE_SIZE];

        if (fence_kinds_tell_lacking(processes[i].fences, version, processes[i].whose, sentence))
            warn(warnings, path, "T%s", sentence + 1);
    }
}

/* What of the fences around each service that is launched it does without. */
static void warn_of_fences(json_t *warnings, const struct config_bundle *bundle)
{
    const unsigned landlock = landlock_version();

    for (size_t i = 0; i < bundle->config->surface_count; i++) {
        const struct surface *surface = &bundle->config->surfaces[i];
        const uint32_t lacking = fences_lacking(fences_promised(&surface->command), landlock);
        char sentence[FENCES_SENTENCE_SIZE];

        if (surface_is_launched(surface) && fences_tell_lacking(lacking, landlock, sentence))
            warn(warnings, bundle->path, "The service of \"%s\": %s.", surface->name, sentence);
    }
}

static void warn_of_host(json_t *warnings, const struct config_bundle *bundle)
{
    char why[WHY_SIZE];

    if (places_clock_is_back(bundle->config, why))
        warn(warnings, bundle->path, "%s", why);
    warn_of_kernel(warnings, bundle->path);
    warn_of_fences(warnings, bundle);
    insiders_tell(bundle->config, geteuid(), warn_of_insider,
                  &(struct insiders_warned){warnings, bundle->path});
    for (size_t i = 0; i < bundle->config->surface_count; i++)
        warn_of_service(warnings, bundle->path, &bundle->config->surfaces[i]);
    for (size_t i = 0; i < bundle->config->surface_count; i++)
        warn_of_programs(warnings, bundle->path, &bundle->config->surfaces[i]);
    for (size_t i = 0; i < bundle->config->surface_count; i++)
        warn_of_root(warnings, bundle->path, &bundle->config->surfaces[i]);
}

static void warn_of_all(json_t *warnings, const struct config_bundle *bundle)
{
    const struct config *config = bundle->config;

    for (size_t i = 0; i < config->executable_count; i++)
        warn_of_executable(warnings, bundle->path, &config->executables[i]);
    for (size_t i = 0; i < config->surface_count; i++)
        warn_of_surface(warnings, bundle->path, &config->surfaces[i]);
}

/* What a service that is launched may execute, as it is found on this host; null: whatever there
 * is. */
static json_t *find_executables(const struct config_bundle *bundle, const struct surface *surface)
{
    struct service_fault fault;
    struct service service;
    json_t *list;

    if (surface->command.execute_anything ||
        service_find(bundle, surface, environ, &service, &fault) != OK)
        return json_null();
    list = json_array();
    for (char **file = service.command.executables; *file != NULL; file++)
        json_array_append_new(list, output_string(*file));
    service_clear(&service);
    return list;
}

/* By surface, of those that start their services; NULL where the host was not to be looked at. */
static json_t *find_all_executables(const struct config_bundle *bundle,
                                    const struct json_faults *faults)
{
    json_t *all = json_object();

    for (size_t i = 0; faults->count == 0 && i < bundle->config->surface_count; i++) {
        const struct surface *surface = &bundle->config->surfaces[i];

        if (surface_is_launched(surface) && !surface_runs_records(surface))
            json_object_set_new(all, surface->name, find_executables(bundle, surface));
    }
    return all;
}

static int print_json(const struct config_bundle *bundle, const struct json_faults *faults,
                      json_t *warnings, bool elsewhere)
{
    json_t *list = json_array();

    for (size_t i = 0; i < faults->count; i++)
        json_array_append_new(list, json_pack("{s:o, s:I, s:o}", "pointer",
                                              output_string(faults->items[i].pointer), "line",
                                              (json_int_t)faults->items[i].line, "text",
                                              output_string(faults->items[i].text)));
    return output_json(json_pack("{s:b, s:o, s:o, s:O, s:o}", "valid", faults->count == 0, "file",
                                 bundle->path != NULL ? output_string(bundle->path) : json_null(),
                                 "faults", list, "warnings", warnings, "executables",
                                 elsewhere ? json_null() : find_all_executables(bundle, faults)));
}

static void print_executables(const char *name, const json_t *list)
{
    const json_t *file;
    size_t i;

    printf("surface \"%s\": its service may execute", name);
    if (json_is_null(list))
        printf(" anything");
    json_array_foreach(list, i, file) printf("%s %s", i > 0 ? "," : "", json_string_value(file));
    printf("\n");
}

static void print_text(const struct config_bundle *bundle, const struct json_faults *faults,
                       bool elsewhere)
{
    json_t *all = elsewhere ? json_object() : find_all_executables(bundle, faults), *list;
    const char *name;

    config_file_print_faults(bundle, faults);
    if (faults->count == 0)
        printf("%s: ok, %zu surface%s\n", bundle->path, bundle->config->surface_count,
               bundle->config->surface_count == 1 ? "" : "s");
    json_object_foreach(all, name, list) print_executables(name, list);
    json_decref(all);
}

int cmd_check(int argc, char **argv)
{
    struct json_faults faults;
    struct config_bundle bundle;
    json_t *warnings;
    bool json = false, elsewhere = false;
    const char *path = NULL;
    const struct args_option options[] = {
        {.name = "-c", .takes = "FILE", .about = "the configuration", .value = &path},
        {.name = "--elsewhere",
         .about = "the file is for another machine: look only at what is written in it",
         .flag = &elsewhere},
        {.name = "--json", .about = "JSON in the place of text", .flag = &json}};
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 0, &args), printed = EX_OK;

    if (code != EX_OK)
        return code;
    code = config_file_read(path, TRUST_OWN, &bundle, &faults);
    if (code == EX_OK && !elsewhere && examine_places(&bundle, &faults) != OK)
        code = EX_CONFIG;
    warnings = json ? json_array() : NULL;
    if (code == EX_OK)
        warn_of_all(warnings, &bundle);
    if (code == EX_OK && !elsewhere)
        warn_of_host(warnings, &bundle);
    if (json)
        printed = print_json(&bundle, &faults, warnings, elsewhere);
    else
        print_text(&bundle, &faults, elsewhere);
    json_decref(warnings);
    bundle_clear(&bundle);
    return code != EX_OK ? code : printed;
}
