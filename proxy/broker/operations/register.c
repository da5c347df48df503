#include "broker/operations/register.h"

#include "broker/core/journal.h"
#include "setup/fences.h"

#include <inttypes.h>

void register_facts_clear(struct register_facts *facts)
{
    text_list_clear(&facts->listeners);
}

static void append_list(struct buffer *out, const struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        buffer_append_format(out, "%s%s", i > 0 ? ", " : "", list->items[i]);
}

static void append_listen(struct buffer *out, const struct surface *surface)
{
    for (size_t i = 0; i < surface->listen_count; i++)
        buffer_append_format(out, "%s%s", i > 0 ? ", " : "", surface->listen[i].text);
}

static void build_surface(const struct register_facts *facts, struct register_cell *cell)
{
    buffer_append_format(&cell->value, "%s (%s) on ", facts->surface->name,
                         facts->surface->dialect->name);
    if (facts->live && facts->listeners.count > 0) {
        append_list(&cell->value, &facts->listeners);
        cell->proven = true;
        cell->how = "the addresses of the listeners that the gate holds, asked of the kernel";
        return;
    }
    append_listen(&cell->value, facts->surface);
    if (facts->live) {
        buffer_append_text(&cell->value, "; the gate holds no listener for it");
        cell->how = "the gate runs, but its listeners could not be asked";
        cell->finding = true;
    }
}

static void build_why(const struct register_facts *facts, struct register_cell *cell)
{
    if (facts->surface->why != NULL) {
        buffer_append_text(&cell->value, facts->surface->why);
        cell->how = "the operator's words";
        return;
    }
    buffer_append_text(&cell->value, "Nobody has said why: add \"why\" to the surface");
    cell->finding = true;
}

static void build_reach(const struct register_facts *facts, struct register_cell *cell)
{
    bool loopback = facts->live && facts->listeners.count > 0 ? facts->listeners_loopback
                                                              : !facts->surface->allow_non_loopback;

    if (loopback) {
        buffer_append_text(&cell->value, "Every process on this machine, and every page that a "
                                         "browser on it shows, can open the port");
    } else {
        buffer_append_text(&cell->value,
                           "Other machines too, and containers: it does not listen on loopback "
                           "alone; who else reaches its addresses is the network's matter");
        if (facts->surface->tls == NULL)
            buffer_append_text(&cell->value,
                               "; without TLS, so whoever is on the way reads tokens");
        cell->finding = true;
    }
    if (facts->live && facts->listeners.count > 0) {
        cell->proven = true;
        cell->how = "the addresses the gate's listeners are bound to; not probed from outside";
    }
}

static void append_allowed(struct buffer *out, const char *what, const struct text_list *list,
                           bool set)
{
    buffer_append_format(out, "; %s: ", what);
    if (!set)
        buffer_append_text(out, "all that the dialect knows");
    else if (list->count == 0)
        buffer_append_text(out, "none");
    else
        append_list(out, list);
}

static size_t count_routes(const struct surface *surface, enum route_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < surface->route_count; i++)
        count += surface->routes[i].kind == kind;
    return count;
}

/* The methods of plain HTTP, each once. */
static void append_methods(struct buffer *out, const struct surface *surface)
{
    struct text_list all = {0};

    for (size_t i = 0; i < surface->route_count; i++) {
        const struct text_list *methods = &surface->routes[i].methods;

        for (size_t j = 0; j < methods->count && surface->routes[i].kind == ROUTE_HTTP; j++) {
            struct span method = span_of(methods->items[j]);

            if (!text_list_contains(&all, method) &&
                text_list_add(&all, method.data, method.length) != OK)
                out->failed = true;
        }
    }
    append_list(out, &all);
    text_list_clear(&all);
}

/* Of a surface that carries more than WebSockets. */
static void append_routes(struct buffer *out, const struct surface *surface)
{
    size_t sockets = count_routes(surface, ROUTE_WEBSOCKET);
    size_t mcp = count_routes(surface, ROUTE_MCP_HTTP), plain = count_routes(surface, ROUTE_HTTP);

    if (mcp + plain == 0)
        return;
    buffer_append_format(out,
                         "; routes: %zu of WebSocket%s, %zu of MCP over HTTP, %zu of plain HTTP",
                         sockets, sockets == 1 ? "" : "s", mcp, plain);
    if (plain > 0) {
        buffer_append_text(out, " (");
        append_methods(out, surface);
        buffer_append_text(out, "), whose bodies are not vetted");
    }
}

static void build_can_do(const struct register_facts *facts, struct register_cell *cell)
{
    const struct surface *surface = facts->surface;

    if (surface->can_do != NULL) {
        buffer_append_text(&cell->value, surface->can_do);
    } else {
        buffer_append_text(&cell->value, "Nobody has said what: add \"can_do\" to the surface");
        cell->finding = true;
    }
    append_allowed(&cell->value, "verbs", &surface->allow_verbs, surface->allow_verbs_set);
    append_allowed(&cell->value, "targets", &surface->allow_targets, surface->allow_targets_set);
    if (surface->extensions.count > 0)
        append_allowed(&cell->value, "extensions", &surface->extensions, true);
    if (surface->allow_reopen.count > 0)
        append_allowed(&cell->value, "opened though the dialect closes it", &surface->allow_reopen,
                       true);
    append_routes(&cell->value, surface);
    buffer_append_text(&cell->value, "; commands in parameter records: ");
    if (facts->config->executable_count == 0)
        buffer_append_text(&cell->value, "none");
    for (size_t i = 0; i < facts->config->executable_count; i++)
        buffer_append_format(&cell->value, "%s%s", i > 0 ? ", " : "",
                             facts->config->executables[i].path);
    if (surface->mode == MODE_OBSERVE) {
        buffer_append_text(&cell->value, "; observe mode: messages outside these lists are "
                                         "recorded, not refused");
        cell->finding = true;
    }
    cell->how = "the operator's words and the allow lists of the configuration";
}

static void build_authentication(const struct register_facts *facts, struct register_cell *cell)
{
    const struct surface *surface = facts->surface;

    buffer_append_format(&cell->value,
                         "A session token, a single-use ticket or a login cookie on every route "
                         "(%zu); the gate's own pages alone need none",
                         surface->route_count - count_routes(surface, ROUTE_CLOSED));
    cell->how = "the gate's code has no way past it; not probed";
}

/* "uids 1000, 1001"; nothing if there are none. */
static void append_numbers(struct buffer *out, const char *what, const uint32_t *numbers,
                           size_t count)
{
    if (count > 0)
        buffer_append_format(out, "%s%s ", what, count == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++)
        buffer_append_format(out, "%s%" PRIu32, i > 0 ? ", " : "", numbers[i]);
}

/* Whence they may come. */
static void append_networks(struct buffer *out, const struct surface *surface)
{
    for (size_t i = 0; i < surface->caller_network_count; i++)
        buffer_append_format(out, "%s%s", i > 0 ? ", " : ", from ",
                             surface->caller_networks[i].text);
}

static void append_caller_rule(struct buffer *out, const struct surface *surface)
{
    if (!surface->callers_named) {
        buffer_append_text(out, surface->allow_non_loopback ? "Anybody who holds a session token"
                                                            : "Any local user who holds a session "
                                                              "token");
        append_networks(out, surface);
        return;
    }
    append_numbers(out, "uid", surface->caller_uids, surface->caller_uid_count);
    if (surface->caller_gid_count > 0) {
        buffer_append_text(out,
                           surface->caller_uid_count > 0 ? ", and members of " : "Members of ");
        append_numbers(out, "gid", surface->caller_gids, surface->caller_gid_count);
    }
    if (surface->caller_executables.count > 0)
        buffer_append_format(out, ", of them only %zu program%s", surface->caller_executables.count,
                             surface->caller_executables.count == 1 ? "" : "s");
    buffer_append_text(out, ", each with a session token");
    append_networks(out, surface);
}

static void build_callers(const struct register_facts *facts, struct register_cell *cell)
{
    append_caller_rule(&cell->value, facts->surface);
    if (facts->live) {
        buffer_append_format(&cell->value, "; %zu active session%s, %zu live connection%s",
                             facts->sessions, facts->sessions == 1 ? "" : "s", facts->connections,
                             facts->connections == 1 ? "" : "s");
        cell->proven = true;
        cell->how = "the caller rules in force, the sessions in the store, the live connections";
    }
    if (facts->surface->callers_named || config_networks_restrict(facts->surface))
        return;
    if (!facts->live) {
        cell->finding = true;
    } else if (facts->sessions_any_caller > 0) {
        buffer_append_format(&cell->value, "; %zu of the sessions name%s no caller",
                             facts->sessions_any_caller,
                             facts->sessions_any_caller == 1 ? "s" : "");
        cell->finding = true;
    }
}

static void append_fences(const struct register_facts *facts, struct register_cell *cell)
{
    if (facts->lacking == NULL)
        return;
    if (facts->lacking[0] == '\0') {
        buffer_append_text(&cell->value, "; the gate's own fences are in force");
        return;
    }
    buffer_append_format(&cell->value, "; of the gate's own fences these are advisory: %s",
                         facts->lacking);
    cell->finding = true;
}

/* What is configured; `check` says what that comes to on this host. */
static void append_executables(const struct register_facts *facts, struct register_cell *cell)
{
    const struct surface_command *command = &facts->surface->command;

    if (command->execute_anything) {
        buffer_append_text(&cell->value, "anything");
        cell->finding = true;
        return;
    }
    buffer_append_text(&cell->value, "nothing but itself");
    for (size_t i = 0; i < command->executables.count; i++)
        buffer_append_format(&cell->value, ", %s", command->executables.items[i]);
    if (facts->unheld == NULL)
        return;
    buffer_append_format(&cell->value, " (advisory: this kernel lacks %s)", facts->unheld);
    cell->finding = true;
}

/* What it may execute is said where it is listed. */
static void append_unfenced(const struct register_facts *facts, struct register_cell *cell)
{
    const uint32_t advisory = facts->unfenced & ~(FENCES_SECOND_LOCKS | FENCE(EXECUTE));
    char names[FENCE_NAMES_SIZE];

    if (advisory != 0) {
        buffer_append_format(&cell->value, "; of the service's fences these are advisory: %s",
                             fence_kinds_print(advisory, names));
        cell->finding = true;
    }
    if ((facts->unfenced & FENCES_SECOND_LOCKS) != 0)
        buffer_append_format(&cell->value, "; these second locks are not there: %s",
                             fence_kinds_print(facts->unfenced & FENCES_SECOND_LOCKS, names));
}

/* How a service that is served was proven to be behind the gate alone, as far as it could be seen.
 */
static const char *const seen[SIGHT_COUNT] = {
#define CONNECTED                                                                                  \
    "its port was connected to at every address of this host, and nobody answered but the gate; "
    [SIGHT_NONE] = CONNECTED "the listeners of this host could not be attributed to processes; "
                             "UDP is not looked at",
    [SIGHT_PART] = CONNECTED "the listeners of this host were looked for among the descriptors of "
                             "those of its processes that may be looked into, which not all may; "
                             "UDP is not looked at",
    [SIGHT_TREE] = CONNECTED "the listeners of this host were looked for among the descriptors of "
                             "its processes; whose those of its user are that are nobody's who may "
                             "be looked into is not known; UDP is not looked at",
    [SIGHT_HOST] = CONNECTED "the listeners of this host were looked for among the descriptors of "
                             "its processes, and those of its user that came after it are other "
                             "processes'; UDP is not looked at",
#undef CONNECTED
};

/* Nothing is proven of a service that does not run. */
static void build_launched(const struct register_facts *facts, struct register_cell *cell)
{
    char time[JOURNAL_TIME_SIZE];

    buffer_append_format(&cell->value, "The service (%s) is started by Sidelock and may execute ",
                         facts->surface->command.arguments[0]);
    append_executables(facts, cell);
    buffer_append_text(&cell->value,
                       "; its TCP listeners are in a network namespace that only the gate reaches");
    fences_tell_limits(&facts->surface->command, &cell->value);
    append_unfenced(facts, cell);
    if (!facts->live)
        return;
    if (facts->service == SERVICE_EXPOSED && facts->service_why != NULL) {
        buffer_append_format(&cell->value, "; %s", facts->service_why);
        cell->finding = true;
    } else if (facts->service != SERVICE_READY && facts->service_why != NULL) {
        buffer_append_format(&cell->value, "; it is not served now: %s", facts->service_why);
    }
    append_fences(facts, cell);
    cell->proven = facts->service == SERVICE_READY && facts->service_proven_at != 0;
    if (cell->proven) {
        journal_time(facts->service_proven_at, time);
        buffer_append_format(&cell->value, "; proven at %s", time);
    }
    cell->how = cell->proven ? seen[facts->service_sight]
                : facts->service == SERVICE_IDLE
                    ? "nothing of it is there until somebody asks for it"
                    : "it is not served now, or that could not be found out";
}

/* There is no port that could be asked. */
static void build_stdio(const struct register_facts *facts, struct register_cell *cell)
{
    const char *program = surface_runs_records(facts->surface)
                              ? "what the session's parameter record names"
                              : facts->surface->command.arguments[0];

    buffer_append_format(&cell->value,
                         "The service (%s) is started by Sidelock, a process for each MCP session, "
                         "and spoken to over its standard input and output; whatever it listens on "
                         "is in a network namespace of its own",
                         program);
    fences_tell_limits(&facts->surface->command, &cell->value);
    append_unfenced(facts, cell);
    if (!facts->live)
        return;
    append_fences(facts, cell);
    cell->how = "it is served at no port, so that none was connected to";
}

/* What shares the namespace reaches it whatever is proven. */
static void build_neighbour(const struct register_facts *facts, struct register_cell *cell)
{
    char time[JOURNAL_TIME_SIZE];

    buffer_append_format(&cell->value,
                         "The service listens by itself at %s, where every process of this network "
                         "namespace reaches it past the gate, as containers do that share it",
                         facts->surface->upstream_tcp.text);
    if (facts->surface->upstream_namespace == NAMESPACE_SHARED)
        buffer_append_text(&cell->value, "; that it is not the machine's own may be your word");
    if (!facts->live)
        return;
    if (facts->service_why != NULL && facts->service_why[0] != '\0') {
        buffer_append_format(&cell->value, "; %s", facts->service_why);
        cell->finding = true;
    }
    append_fences(facts, cell);
    cell->proven = facts->service == SERVICE_READY && facts->service_proven_at != 0;
    cell->how = "it is not served now, or that could not be found out";
    if (!cell->proven)
        return;
    journal_time(facts->service_proven_at, time);
    buffer_append_format(&cell->value, "; proven at %s that its port is open at no other address",
                         time);
    cell->how = "its port was connected to at every address of this namespace but loopback, from "
                "inside, and nobody answered but the gate; who else is in the namespace, other "
                "ports of the service and UDP are not looked at";
}

static void build_isolation(const struct register_facts *facts, struct register_cell *cell)
{
    const struct register_socket *socket = &facts->socket;

    if (facts->surface->upstream_stdio) {
        build_stdio(facts, cell);
        return;
    }
    if (surface_is_launched(facts->surface)) {
        build_launched(facts, cell);
        return;
    }
    if (facts->surface->upstream_tcp.host != NULL) {
        build_neighbour(facts, cell);
        return;
    }
    buffer_append_format(&cell->value, "The service listens on the Unix socket %s",
                         facts->surface->upstream_socket);
    if (!facts->live)
        return;
    if (!socket->directory_known) {
        buffer_append_text(&cell->value, ", whose directory cannot be looked at");
        cell->how = "the gate asked for the directory's mode and owner in vain";
        cell->finding = true;
        return;
    }
    buffer_append_format(&cell->value, " in a directory of uid %lu with mode %04o",
                         (unsigned long)socket->directory_owner,
                         (unsigned)(socket->directory_mode & 07777));
    if (!socket->directory_private) {
        buffer_append_text(&cell->value, ": users other than the one that runs Sidelock can reach "
                                         "it past the gate");
        cell->finding = true;
    }
    if (!socket->socket_there)
        buffer_append_text(&cell->value, "; no socket is there now");
    append_fences(facts, cell);
    cell->proven = true;
    cell->how = "mode and owner of the socket's directory, what the gate's processes were refused "
                "and the kernel shows of them; other listeners of the service are not looked for";
}

static void build_kill_switch(const struct register_facts *facts, struct register_cell *cell)
{
    char when[JOURNAL_TIME_SIZE];

    buffer_append_format(&cell->value, "`sidelock kill %s`", facts->surface->name);
    if (!facts->live) {
        cell->how = "a command of Sidelock; not rehearsed";
        return;
    }
    buffer_append_text(&cell->value, facts->killed ? "; now on: every request gets 503"
                                                   : "; now off: the surface is armed");
    if (facts->lockdown)
        buffer_append_text(&cell->value, "; lockdown: it cannot be armed");
    cell->proven = true;
    cell->how = "the state of the switch in the running gate; not rehearsed since its start";
    if (facts->rehearsed_at == 0)
        return;
    journal_time(facts->rehearsed_at, when);
    buffer_append_format(&cell->value,
                         "; rehearsed at %s: %zu connections gone within %" PRId64 " ms", when,
                         facts->rehearsed_connections, facts->rehearsed_ms);
    cell->how = "the state of the switch in the running gate, and its last rehearsal";
}

const struct register_heading register_headings[REGISTER_COLUMN_COUNT] = {
    [REGISTER_SURFACE] = {"local_surface", "Local surface", build_surface},
    [REGISTER_WHY] = {"why_it_exists", "Why it exists", build_why},
    [REGISTER_REACH] = {"who_can_reach_it", "Who can reach it", build_reach},
    [REGISTER_CAN_DO] = {"what_can_it_do", "What can it do", build_can_do},
    [REGISTER_AUTHENTICATION] = {"authentication", "Authentication", build_authentication},
    [REGISTER_CALLERS] = {"allowed_callers", "Allowed callers", build_callers},
    [REGISTER_ISOLATION] = {"isolation_boundary", "Isolation boundary", build_isolation},
    [REGISTER_KILL_SWITCH] = {"kill_switch", "Kill switch", build_kill_switch},
};

enum error register_row_build(const struct register_facts *facts, struct register_row *out)
{
    struct register_row row = {.name = facts->surface->name};
    bool failed = false;

    for (size_t i = 0; i < REGISTER_COLUMN_COUNT; i++) {
        buffer_init(&row.cells[i].value, REGISTER_CELL_BYTES_MAX);
        row.cells[i].how = "from the configuration";
        register_headings[i].build(facts, &row.cells[i]);
        failed = failed || buffer_failed(&row.cells[i].value);
    }
    if (failed) {
        register_row_clear(&row);
        return ERROR_LIMIT;
    }
    *out = row;
    return OK;
}

void register_row_clear(struct register_row *row)
{
    for (size_t i = 0; i < REGISTER_COLUMN_COUNT; i++)
        buffer_clear(&row->cells[i].value);
}
