#include "cli/cautions.h"

#include "setup/exposure.h"
#include "setup/fences.h"
#include "setup/insiders.h"
#include "setup/places.h"
#include "setup/service.h"
#include "system/caller.h"
#include "system/fence_kind.h"
#include "system/landlock.h"
#include "system/trusted_file.h"
#include "system/trusted_socket.h"
#include "wire/http_names.h"
#include "wire/url.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SENTENCE_BYTES_MAX 512

static void warn(const struct cautions *to, const char *format, ...) PRINTF_LIKE(2, 3);

static void warn(const struct cautions *to, const char *format, ...)
{
    char text[SENTENCE_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    to->tell(to->context, text);
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
static void warn_of_routes(const struct cautions *to, const struct surface *surface)
{
    for (size_t i = 0; i < surface->route_count; i++) {
        const struct route *route = &surface->routes[i];

        if (route->body != NULL && !route->query_set)
            warn(to,
                 "The route \"%s\" of the surface \"%s\" compares the body with the stored record "
                 "and lets any query pass; say \"query\": {}, or what may.",
                 route->path, surface->name);
        for (size_t j = 0; j < route->headers.count; j++) {
            if (http_name_trusted(span_of(route->headers.items[j])))
                warn(to,
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
static void warn_of_closed(const struct cautions *to, const struct surface *surface)
{
    for (size_t i = 0; i < surface->allow_reopen.count; i++) {
        const char *verb = surface->allow_reopen.items[i];

        if (names(&surface->allow_verbs, surface->allow_verbs_set, verb) ||
            names(&surface->allow_server_verbs, surface->allow_server_verbs_set, verb))
            warn(to, "The surface \"%s\" opens \"%s\", which its dialect closes.", surface->name,
                 verb);
        else
            warn(to,
                 "The surface \"%s\" reopens \"%s\", but it stays closed: name it in "
                 "\"allow\": {\"verbs\"} too.",
                 surface->name, verb);
    }
    for (size_t i = 0; i < surface->allow_verbs.count; i++) {
        const char *verb = surface->allow_verbs.items[i];

        if (is_closed(surface, DIRECTION_C2S, verb))
            warn(to,
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

static void warn_of_told_host(const struct cautions *to, const struct surface *surface)
{
    for (size_t i = 0; i < surface->route_count; i++) {
        const struct route *route = &surface->routes[i];
        const char *host = refused_host(surface, route);

        if (host == NULL)
            continue;
        warn(to,
             "The surface \"%s\" tells its service the Host \"%s\", which %s; without \"host\" it "
             "is localhost with the port.",
             surface->name, host,
             strcmp(route->vocabulary->name, "mcp") == 0
                 ? "MCP servers refuse that want a port in it (421 or 403)"
                 : "DevTools refuse: they answer to localhost and addresses alone");
        return;
    }
}

static void warn_of_surface(const struct cautions *to, const struct surface *surface)
{
    const char *name = surface->name;

    if (surface->why == NULL)
        warn(to, "The surface \"%s\" does not say \"why\" it exists.", name);
    if (surface->can_do == NULL)
        warn(to, "The surface \"%s\" does not say what its service \"can_do\".", name);
    if (permits_every_verb(surface))
        warn(to,
             "The surface \"%s\" permits every verb of its dialect; name the ones it needs in "
             "\"allow\".",
             name);
    if (surface->mode == MODE_OBSERVE)
        warn(to, "The surface \"%s\" only observes: no message is refused.", name);
    if (surface->allow_non_loopback)
        warn(to, "The surface \"%s\" may listen where other machines reach it.", name);
    for (size_t i = 0; surface->tls == NULL && i < surface->listen_count; i++) {
        if (!surface->listen[i].loopback)
            warn(to,
                 "The surface \"%s\" has no \"tls\": whoever is on the way to \"%s\" reads its "
                 "tokens, and all that is said.",
                 name, surface->listen[i].text);
    }
    warn_of_closed(to, surface);
    warn_of_routes(to, surface);
    warn_of_told_host(to, surface);
}

/* A rule that no program, or no program of others, can meet refuses them. */
static void warn_of_programs(const struct cautions *to, const struct surface *surface)
{
    bool others = surface->caller_gid_count > 0;

    for (size_t i = 0; i < surface->caller_executables.count; i++) {
        const char *program = surface->caller_executables.items[i];
        char *resolved = realpath(program, NULL);

        if (resolved == NULL)
            warn(to, "The program \"%s\" that may call \"%s\" is not there: %s", program,
                 surface->name, strerror(errno));
        else if (strcmp(resolved, program) != 0)
            warn(to,
                 "The program \"%s\" that may call \"%s\" is a link: write \"%s\", which is what "
                 "runs.",
                 program, surface->name, resolved);
        free(resolved);
    }
    for (size_t i = 0; i < surface->caller_uid_count; i++)
        others = others || surface->caller_uids[i] != geteuid();
    if (surface->caller_executables.count > 0 && others && geteuid() != 0)
        warn(to,
             "The surface \"%s\" permits \"executables\" of other users, whose processes only root "
             "may look into: a gate that does not run as root refuses them.",
             surface->name);
}

/* Whose a state directory is says who the gate is to be; until it is there, root may not be. */
static void warn_of_trier(const struct cautions *to, const struct config *config)
{
    bool launches = false;

    for (size_t i = 0; i < config->surface_count; i++)
        launches |= surface_is_launched(&config->surfaces[i]);
    if (!launches || geteuid() != 0 || access(config->state_dir, F_OK) == 0)
        return;
    warn(to,
         "Whether services can be started here was tried as root, and there is no %.200s yet whose "
         "owner says who runs the gate: if another user does, check as that user.",
         config->state_dir);
}

/* Files of the kernel, which root may open, are not all the mounts' matter. */
static void warn_of_root(const struct cautions *to, const struct surface *surface)
{
    const char *user = surface->command.user;

    if (geteuid() != 0 || !surface->command.write_limited ||
        (user != NULL && strcmp(user, "root") != 0 && strcmp(user, "0") != 0))
        return;
    warn(to,
         "The service of \"%s\" is root, whom \"write\" keeps from few files of the kernel: give "
         "it a \"user\" of its own.",
         surface->name);
}

static void warn_of_address(const struct cautions *to, const struct surface *surface)
{
    struct sockaddr_storage address = {0};
    struct caller_lookup *lookup;
    uint32_t uid, inode;

    (void)exposure_address(&surface->upstream_tcp, &address);
    if (caller_lookup_create(&lookup) != OK)
        return;
    if (caller_listener(lookup, (struct sockaddr *)&address, &uid, &inode) == ERROR_NOT_FOUND)
        warn(to, "The service of \"%s\" does not answer at \"%s\" now: nobody listens there.",
             surface->name, surface->upstream_tcp.text);
    caller_lookup_destroy(lookup);
}

/* A service may well start after the gate, so it is no fault. */
static void warn_of_service(const struct cautions *to, const struct surface *surface)
{
    struct trust trust;
    struct trusted_way way;
    char why[WHY_SIZE];
    int fd;

    if (surface->upstream_tcp.host != NULL)
        warn_of_address(to, surface);
    if (surface_needs_launcher(surface) || trusted_upstream(surface, &trust, why) != OK)
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    way = TRUSTED_WAY(surface->upstream_socket, trust);
    why[0] = '\0';
    if (fd >= 0 && trusted_way_connect(&way, fd, why) != OK && errno != EAGAIN)
        warn(to, "The service of \"%s\" does not answer at \"%s\" now: %s", surface->name,
             surface->upstream_socket, why[0] != '\0' ? why : strerror(errno));
    trusted_way_clear(&way);
    if (fd >= 0)
        close(fd);
}

static void warn_of_executable(const struct cautions *to, const struct executable_rule *rule)
{
    char why[WHY_SIZE];
    int fd = -1;

    if (!rule->args_set)
        warn(to, "The executable \"%s\" may run with any arguments; give patterns in \"args\".",
             rule->path);
    if (trusted_file_open(rule->path, TRUSTED_FILE_POLICY, TRUST_OWN, &fd, why) == ERROR_DENIED)
        warn(to, "The executable \"%s\" will not run: %s", rule->path, why);
    if (fd >= 0)
        close(fd);
}

static void warn_of_insider(void *context, const char *sentence)
{
    const struct cautions *to = context;

    to->tell(to->context, sentence);
}

/* What the gate's own processes do without on this kernel, fence by fence. */
void cautions_of_kernel(const struct cautions *to)
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
            warn(to, "T%s", sentence + 1);
    }
}

/* What of the fences around each service that is launched it does without. */
static void warn_of_fences(const struct cautions *to, const struct config_bundle *bundle)
{
    const unsigned landlock = landlock_version();

    for (size_t i = 0; i < bundle->config->surface_count; i++) {
        const struct surface *surface = &bundle->config->surfaces[i];
        const uint32_t lacking = fences_lacking(fences_promised(&surface->command), landlock);
        char sentence[FENCES_SENTENCE_SIZE];

        if (surface_is_launched(surface) && fences_tell_lacking(lacking, landlock, sentence))
            warn(to, "The service of \"%s\": %s.", surface->name, sentence);
    }
}

/* The process that listens at the control socket; 0: none, -1: one that is not seen from here. */
static pid_t find_gate(const char *control_socket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {.pid = 0};
    socklen_t length = sizeof(peer);
    pid_t found = 0;
    int fd;

    if (strlen(control_socket) >= sizeof(address.sun_path))
        return 0;
    memcpy(address.sun_path, control_socket, strlen(control_socket) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0)
        found = peer.pid > 0 ? peer.pid : -1;
    if (fd >= 0)
        close(fd);
    return found;
}

void cautions_of_network(const struct config_bundle *bundle, const struct cautions *to)
{
    static const char own[] = "what is found out here of services at a \"tcp\" address is of this "
                              "process's network: run this where the gate runs, as in its "
                              "container.";
    const struct config *config = bundle->config;
    struct stat here, there;
    char path[64];
    bool meant = false;
    pid_t pid;

    for (size_t i = 0; i < config->surface_count; i++)
        meant = meant || config->surfaces[i].upstream_tcp.host != NULL;
    pid = meant ? find_gate(config->control_socket) : 0;
    if (pid == 0 || stat("/proc/self/ns/net", &here) < 0)
        return;
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    if (pid < 0 || stat(path, &there) < 0)
        warn(to,
             "Whether the gate that runs is in this network namespace is not seen from here; %s",
             own);
    else if (here.st_ino != there.st_ino || here.st_dev != there.st_dev)
        warn(to, "The gate that runs is in another network namespace; %s", own);
}

void cautions_of_host(const struct config_bundle *bundle, const struct cautions *to)
{
    char why[WHY_SIZE];

    if (places_clock_is_back(bundle->config, why))
        warn(to, "%s", why);
    warn_of_fences(to, bundle);
    warn_of_trier(to, bundle->config);
    insiders_tell(bundle->config, geteuid(), warn_of_insider, (void *)to);
    for (size_t i = 0; i < bundle->config->surface_count; i++)
        warn_of_service(to, &bundle->config->surfaces[i]);
    for (size_t i = 0; i < bundle->config->surface_count; i++)
        warn_of_programs(to, &bundle->config->surfaces[i]);
    for (size_t i = 0; i < bundle->config->surface_count; i++)
        warn_of_root(to, &bundle->config->surfaces[i]);
}

void cautions_of_text(const struct config_bundle *bundle, const struct cautions *to)
{
    const struct config *config = bundle->config;

    for (size_t i = 0; i < config->executable_count; i++)
        warn_of_executable(to, &config->executables[i]);
    for (size_t i = 0; i < config->surface_count; i++)
        warn_of_surface(to, &config->surfaces[i]);
}
