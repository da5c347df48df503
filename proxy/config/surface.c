/* Reads one surface; load.c's table of them calls it. */
#include "config/reading.h"

#include "dialect/dialect.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB                 1024
#define MIB                 (1024 * KIB)
#define MINUTE_MS           (60 * 1000)
#define DAY_MS              (24 * 60 * MINUTE_MS)
#define SENTENCE_BYTES_MAX  512
#define CONNECTIONS_MAX     65536
#define LAUNCHED_TIMEOUT_MS 15000 /* whoever asks for a service that starts waits for it */

/* ---- The objects within a surface ---- */

static const struct json_key callers_keys[] = {
    ROW_LIST("uids", struct surface, caller_uids, caller_uid_count, 1, CONFIG_UIDS_MAX,
             .set_offset = offsetof(struct surface, callers_named), .read = config_read_uid),
    ROW_LIST("gids", struct surface, caller_gids, caller_gid_count, 1, CONFIG_GIDS_MAX,
             .set_offset = offsetof(struct surface, callers_named), .read = config_read_gid),
    ROW_LIST("networks", struct surface, caller_networks, caller_network_count, 1,
             CONFIG_NETWORKS_MAX, .read = config_network_read, .clear = config_network_clear),
    ROW_TEXTS("certificates", struct surface, caller_certificates, config_check_sha256, 1,
              CONFIG_CERTIFICATES_MAX),
    ROW_PATHS("executables", struct surface, caller_executables, config_check_path, 1,
              CONFIG_PROGRAMS_MAX),
    ROW_FLAG("note_executable", struct surface, note_executable),
};
static const struct json_table callers_table = JSON_TABLE("a surface's callers", callers_keys);

static const struct json_key tls_keys[] = {
    ROW_PATH("certificate", struct surface_tls, certificate, config_check_path, .required = true),
    ROW_PATH("key", struct surface_tls, key, config_check_path, .required = true),
    ROW_PATH("client_ca", struct surface_tls, client_ca, config_check_path),
};
static const struct json_table tls_table = JSON_TABLE("a surface's TLS", tls_keys);

#define ALLOW_ROW(key, field)                                                                      \
    ROW_TEXTS(key, struct surface, field, json_check_word, 0, CONFIG_ALLOW_MAX,                    \
              .set_offset = offsetof(struct surface, field##_set))

static const struct json_key allow_keys[] = {
    ALLOW_ROW("verbs", allow_verbs),
    ALLOW_ROW("targets", allow_targets),
    ALLOW_ROW("server_verbs", allow_server_verbs),
    ROW_TEXTS("reopen", struct surface, allow_reopen, json_check_word, 0, CONFIG_ALLOW_MAX),
};
static const struct json_table allow_table = JSON_TABLE("a surface's allow lists", allow_keys);

#define LIMIT_ROW(field, least, most, usual)                                                       \
    ROW_NUMBER(#field, struct surface_limits, field, least, most, usual)

static const struct json_key limits_keys[] = {
    LIMIT_ROW(max_message_bytes, KIB, 64 * MIB, 4 * MIB),
    LIMIT_ROW(max_answer_bytes, KIB, CONFIG_ANSWER_BYTES_MAX, CONFIG_WORKER_MEMORY / 2),
    LIMIT_ROW(max_message_depth, 8, CONFIG_DEPTH_MAX, JSON_DEPTH_MAX),
    LIMIT_ROW(max_answer_depth, 8, CONFIG_DEPTH_MAX, 1024),
    LIMIT_ROW(max_connections, 1, CONNECTIONS_MAX, 1024),
    LIMIT_ROW(max_connections_per_caller, 1, CONNECTIONS_MAX, 512),
    LIMIT_ROW(max_connections_per_session, 1, CONNECTIONS_MAX, 448),
    LIMIT_ROW(max_sessions, 0, CONFIG_RATE_MAX, 100000),
    LIMIT_ROW(requests_per_second, 0, CONFIG_RATE_MAX, 100000),
    LIMIT_ROW(messages_per_second, 0, CONFIG_RATE_MAX, 1000000),
    LIMIT_ROW(bytes_per_second, 0, UINT32_MAX, 0),
    LIMIT_ROW(connections_per_second, 0, CONFIG_RATE_MAX, 100000),
    LIMIT_ROW(upstream_timeout_ms, 50, MINUTE_MS, 1500),
    LIMIT_ROW(upgrade_timeout_ms, 50, 10 * MINUTE_MS, 30000),
    LIMIT_ROW(message_timeout_ms, 100, 60 * MINUTE_MS, 30000),
    LIMIT_ROW(idle_timeout_ms, 0, DAY_MS, 0),
    LIMIT_ROW(ping_interval_ms, 100, 60 * MINUTE_MS, 30000),
    LIMIT_ROW(write_timeout_ms, 100, 10 * MINUTE_MS, 10000),
    LIMIT_ROW(max_body_bytes, KIB, UINT32_MAX, 1024 * MIB),
    LIMIT_ROW(body_timeout_ms, 100, 60 * MINUTE_MS, 30000),
    LIMIT_ROW(request_timeout_ms, 100, DAY_MS, 60 * MINUTE_MS),
    LIMIT_ROW(response_timeout_ms, 50, DAY_MS, 10 * MINUTE_MS),
};
static const struct json_table limits_table = JSON_TABLE("a surface's limits", limits_keys);

/* ---- The dialect ---- */

/* The pack by that name; without a text if there is none. */
static struct config_pack find_pack(const struct config_reading *reading, const char *name)
{
    struct span shipped = dialect_shipped(name);

    for (size_t i = 0; strchr(name, '/') != NULL && i < reading->pack_count; i++) {
        if (strcmp(reading->packs[i].name, name) == 0)
            return reading->packs[i];
    }
    return (struct config_pack){.name = name, .text = shipped.data, .length = shipped.length};
}

/* Comes before "routes" in the table: they name vocabularies of the dialect. */
static void read_dialect(struct json_reader *reader, json_t *value, void *into)
{
    struct config_reading *reading = reader->context;
    struct surface *surface = into;
    char *text = json_reader_text(reader, value, json_check_word, JSON_TEXT_BYTES_MAX);
    const struct config_pack *pack = &reading->pack;

    reading->pack = find_pack(reading, text != NULL ? json_string_value(value) : "");
    if (pack->text != NULL) {
        struct json_reader inner = {.text = pack->text,
                                    .length = pack->length,
                                    .name = pack->name,
                                    .faults = reader->faults};

        if (dialect_read(&inner, &surface->dialect) == OK)
            reading->dialect = surface->dialect;
        json_reader_end(&inner);
        reader->faulty |= inner.faulty;
        reader->out_of_memory |= inner.out_of_memory;
    } else if (pack->why != NULL) {
        json_reader_fault(reader, "%s", pack->why);
    } else if (text != NULL) {
        json_reader_fault(reader,
                          "There is no dialect pack \"%.64s\"; name a shipped one (%s) or, with a "
                          "'/' in it, a pack's path.",
                          text, dialect_shipped_names());
    }
    free(text);
}

/* ---- Extensions of the dialect ---- */

static const struct json_key extension_keys[] = {
    {.name = "about", .type = JSON_KEY_IGNORED},
    {.name = "messages", .type = JSON_KEY_ELSEWHERE},
    {.name = "verbs", .type = JSON_KEY_ELSEWHERE},
};
static const struct json_table extension_table = JSON_TABLE("an extension", extension_keys);

/* Which vocabulary an extension's verbs are of; the first unless it says. */
static struct vocabulary *extended(struct json_reader *reader, json_t *entry,
                                   const struct dialect *dialect)
{
    const json_t *messages = json_object_get(entry, "messages");
    const char *name = messages != NULL ? json_string_value(messages) : NULL;

    for (size_t i = 0; messages == NULL || name != NULL; i++) {
        if (i == dialect->vocabulary_count)
            break;
        if ((name == NULL || strcmp(dialect->vocabularies[i].name, name) == 0) &&
            dialect->vocabularies[i].envelope == ENVELOPE_JSON_RPC)
            return &dialect->vocabularies[i];
    }
    json_reader_fault(reader, "The dialect %s has no such JSON-RPC vocabulary to extend.",
                      dialect->name);
    return NULL;
}

static void read_extension(struct json_reader *reader, const char *name, json_t *entry,
                           const struct surface *surface)
{
    json_t *verbs = json_object_get(entry, "verbs");
    const bool known = dialect_enable(surface->dialect, name);
    struct vocabulary *vocabulary;

    json_table_read(reader, &extension_table, entry, NULL);
    if (verbs == NULL) {
        if (!known)
            json_reader_fault(reader, "The dialect %s knows no such extension: say its \"verbs\".",
                              surface->dialect->name);
        return;
    }
    vocabulary = extended(reader, entry, surface->dialect);
    if (vocabulary != NULL) {
        const size_t place = json_reader_enter(reader, "verbs");

        dialect_extend(reader, vocabulary, name, verbs);
        json_reader_leave(reader, place);
    }
}

/* Comes behind "dialect" in the table, whose copy of this surface it changes. */
static void read_extensions(struct json_reader *reader, json_t *value, void *into)
{
    struct surface *surface = into;
    const char *name;
    json_t *entry;

    if (!json_is_object(value) || json_object_size(value) > DIALECT_EXTENSIONS_MAX) {
        json_reader_fault(reader, "This must be an object of at most %d extensions.",
                          DIALECT_EXTENSIONS_MAX);
        return;
    }
    json_object_foreach(value, name, entry)
    {
        const size_t place = json_reader_enter(reader, name);

        if (!text_is_name(name))
            json_reader_fault(reader, "\"%.64s\" is no name for an extension.", name);
        else if (text_list_add(&surface->extensions, name, strlen(name)) != OK)
            reader->out_of_memory = true;
        else if (surface->dialect != NULL)
            read_extension(reader, name, entry, surface);
        json_reader_leave(reader, place);
    }
}

/* The surface's own routes were read; without any, the pack's are. */
static void finish_routes(struct json_reader *reader, json_t *value, struct surface *surface)
{
    const struct config_reading *reading = reader->context;
    size_t place;

    if (json_object_get(value, "routes") != NULL) {
        place = json_reader_enter(reader, "routes");
        config_route_check_paths(reader, surface);
        json_reader_leave(reader, place);
    } else if (reading->dialect != NULL) {
        config_route_read_pack(reader, surface);
    }
}

/* What the service is told as Host where a route does not say. */
static void finish_hosts(struct json_reader *reader, struct surface *surface)
{
    for (size_t i = 0; i < surface->route_count; i++) {
        struct config_host *host = &surface->routes[i].host;

        if (host->kind != HOST_UPSTREAM_PORT)
            continue;
        host->kind = surface->host.kind;
        if (surface->host.fixed != NULL && (host->fixed = strdup(surface->host.fixed)) == NULL)
            reader->out_of_memory = true;
    }
}

/* ---- A surface ---- */

static const struct json_word modes[] = {
    {"enforce", MODE_ENFORCE}, {"observe", MODE_OBSERVE}, {NULL, 0}};
static const struct json_word refusals[] = {
    {"answer", ON_REFUSAL_ANSWER}, {"close", ON_REFUSAL_CLOSE}, {NULL, 0}};
static const struct json_word unpaired[] = {
    {"pass", UNPAIRED_PASS}, {"refuse", UNPAIRED_REFUSE}, {NULL, 0}};

static const struct json_key surface_keys[] = {
    ROW_TEXT("why", struct surface, why, config_check_sentence, .maximum = SENTENCE_BYTES_MAX),
    ROW_TEXT("can_do", struct surface, can_do, config_check_sentence,
             .maximum = SENTENCE_BYTES_MAX),
    ROW_LIST("listen", struct surface, listen, listen_count, 1, CONFIG_LISTEN_MAX, .required = true,
             .read = config_listen_read, .clear = config_listen_clear),
    ROW_FLAG("allow_non_loopback", struct surface, allow_non_loopback),
    ROW_SAME("upstream", config_upstream_table, .required = true),
    ROW_TEXTS("hosts", struct surface, hosts, config_check_host, 0, CONFIG_HOSTS_MAX),
    CONFIG_HOST_ROW(struct surface),
    ROW_TEXTS("origins", struct surface, origins, config_check_origin, 0, CONFIG_HOSTS_MAX),
    ROW_CUSTOM("dialect", read_dialect, .required = true),
    ROW_CUSTOM("extensions", read_extensions, .table = &extension_table),
    ROW_CHOICE("mode", struct surface, mode, modes, .preset = MODE_ENFORCE),
    ROW_CHOICE("on_refusal", struct surface, on_refusal, refusals, .preset = ON_REFUSAL_ANSWER),
    ROW_CHOICE("unpaired", struct surface, unpaired, unpaired, .preset = UNPAIRED_PASS),
    ROW_SAME("callers", callers_table),
    ROW_ALLOCATED("tls", struct surface, tls, tls_table),
    ROW_SAME("allow", allow_table),
    CONFIG_ROUTES_ROW,
    ROW_WITHIN("limits", struct surface, limits, limits_table),
};
const struct json_table config_surface_table = JSON_TABLE("a surface", surface_keys);

/* Whether a verb means something to one of the surface's routes. */
static bool verb_known(const struct surface *surface, enum direction direction, const char *verb)
{
    for (size_t i = 0; i < surface->route_count; i++) {
        const struct vocabulary *vocabulary = surface->routes[i].vocabulary;

        if (vocabulary == NULL || vocabulary->open[direction] ||
            vocabulary->envelope == ENVELOPE_OPAQUE ||
            vocabulary_verb(vocabulary, direction, span_of(verb)) != NULL)
            return true;
    }
    return surface->route_count == 0;
}

/* A misspelt verb would never be permitted, and nobody would be told why. */
static void check_verbs(struct json_reader *reader, const struct surface *surface, const char *key,
                        const struct text_list *verbs, enum direction direction)
{
    for (size_t i = 0; i < verbs->count; i++) {
        char place[48];

        snprintf(place, sizeof(place), "allow/%s/%zu", key, i);
        if (!verb_known(surface, direction, verbs->items[i]))
            json_reader_fault_at(reader, place,
                                 "\"%.64s\" is not a verb that the dialect %s lets %s use.",
                                 verbs->items[i], surface->dialect->name,
                                 direction == DIRECTION_C2S ? "a client" : "the service");
    }
}

/* What the dialect closes is opened in this surface's own copy of it. */
static void reopen_verbs(struct json_reader *reader, const struct surface *surface)
{
    for (size_t i = 0; i < surface->allow_reopen.count; i++) {
        const char *verb = surface->allow_reopen.items[i];
        char place[48];

        snprintf(place, sizeof(place), "allow/reopen/%zu", i);
        if (!dialect_reopen(surface->dialect, verb))
            json_reader_fault_at(reader, place,
                                 "\"%.64s\" is not closed by the dialect %s: leave it out.", verb,
                                 surface->dialect->name);
    }
}

/*
 * One caller may take all connections at most, and one session those of its caller; a preset
 * gives way, a written value does not.
 */
static void check_limits(struct json_reader *reader, json_t *value, struct surface *surface)
{
    struct surface_limits *limits = &surface->limits;
    json_t *written = json_object_get(value, "limits");

    if (json_object_get(written, "upstream_timeout_ms") == NULL && surface_needs_launcher(surface))
        limits->upstream_timeout_ms = LAUNCHED_TIMEOUT_MS;
    if (json_object_get(written, "max_connections_per_caller") == NULL &&
        limits->max_connections_per_caller > limits->max_connections)
        limits->max_connections_per_caller = limits->max_connections;
    if (json_object_get(written, "max_connections_per_session") == NULL)
        limits->max_connections_per_session =
            limits->max_connections_per_caller - limits->max_connections_per_caller / 8;
    if (limits->max_connections_per_caller > limits->max_connections)
        json_reader_fault_at(reader, "limits/max_connections_per_caller",
                             "This must not be more than \"max_connections\", which is %u.",
                             limits->max_connections);
    if (limits->max_connections_per_session > limits->max_connections_per_caller)
        json_reader_fault_at(
            reader, "limits/max_connections_per_session",
            "This must not be more than \"max_connections_per_caller\", which is %u.",
            limits->max_connections_per_caller);
}

/*
 * Rates that are written are counted by one worker alone. A client is not read while it pays for a
 * message, so the largest must be paid for before it thinks that the gate is dead.
 */
static void check_rates(struct json_reader *reader, json_t *value, struct surface *surface)
{
    static const char *const keys[] = {"requests_per_second", "messages_per_second",
                                       "bytes_per_second", "connections_per_second"};
    struct surface_limits *limits = &surface->limits;
    const json_t *written = json_object_get(value, "limits");
    const uint32_t least = limits->max_message_bytes / CONFIG_MESSAGE_SECONDS;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        limits->rated = limits->rated || json_object_get(written, keys[i]) != NULL;
    if (limits->bytes_per_second != 0 && limits->bytes_per_second < least)
        json_reader_fault_at(reader, "limits/bytes_per_second",
                             "The largest message would take more than %u seconds: set this to %u "
                             "or more, or \"max_message_bytes\" to %u or less.",
                             CONFIG_MESSAGE_SECONDS, least,
                             limits->bytes_per_second * CONFIG_MESSAGE_SECONDS);
}

/* Who may call is said in one way at least, and certificates need somebody who vouches for them. */
static void check_callers(struct json_reader *reader, json_t *value, const struct surface *surface)
{
    const json_t *callers = json_object_get(value, "callers");

    if (callers != NULL && json_object_get(callers, "uids") == NULL &&
        json_object_get(callers, "gids") == NULL && json_object_get(callers, "networks") == NULL &&
        json_object_get(callers, "certificates") == NULL)
        json_reader_fault_at(
            reader, "callers",
            "Name callers by \"uids\", \"gids\", \"networks\" or \"certificates\".");
    else if (surface->caller_executables.count > 0 && !surface->callers_named)
        json_reader_fault_at(
            reader, "callers/executables",
            "A program lets nobody in: name its users in \"uids\" or \"gids\", too.");
    if (surface->caller_certificates.count > 0 &&
        (surface->tls == NULL || surface->tls->client_ca == NULL))
        json_reader_fault_at(reader, "callers",
                             "\"certificates\" needs \"tls\" with a \"client_ca\".");
}

/* The kernel knows whose a socket is on this machine alone. */
static void check_users(struct json_reader *reader, const struct surface *surface)
{
    for (size_t i = 0; surface->callers_named && i < surface->listen_count; i++) {
        const struct listen_address *address = &surface->listen[i];

        if (address->host == NULL || address->loopback)
            continue;
        json_reader_fault_at(reader, "callers",
                             "Of who comes to \"%.64s\" over a network no user, group or program "
                             "is known: name clients by \"networks\" or \"certificates\", and "
                             "give this machine's own users a surface on loopback.",
                             address->text);
        return;
    }
}

static void finish_upstream(struct json_reader *reader, const json_t *value,
                            struct surface *surface)
{
    const size_t place = json_reader_enter(reader, "upstream");

    config_upstream_finish(reader, json_object_get(value, "upstream"), &surface->command);
    json_reader_leave(reader, place);
}

void config_surface_read(struct json_reader *reader, struct json_t *value, void *into)
{
    struct config_reading *reading = reader->context;
    struct surface *surface = into;

    reading->dialect = NULL;
    json_table_read(reader, &config_surface_table, value, surface);
    finish_routes(reader, value, surface);
    finish_hosts(reader, surface);
    finish_upstream(reader, value, surface);
    config_listen_check_loopback(reader, surface);
    check_limits(reader, value, surface);
    check_rates(reader, value, surface);
    check_callers(reader, value, surface);
    check_users(reader, surface);
    if (surface->dialect != NULL) {
        reopen_verbs(reader, surface);
        check_verbs(reader, surface, "verbs", &surface->allow_verbs, DIRECTION_C2S);
        check_verbs(reader, surface, "server_verbs", &surface->allow_server_verbs, DIRECTION_S2C);
    }
}

void config_surface_clear(void *surface)
{
    dialect_destroy(((struct surface *)surface)->dialect);
    text_list_clear(&((struct surface *)surface)->extensions);
}
