/*
 * The configuration loader against files: every example of config/ and every
 * file of vectors/config/valid loads, and each configuration of faulty.txt has
 * exactly the fault that stands above it.
 */
#include "config/load.h"
#include "config/pattern.h"
#include "unit.h"

#include <stddef.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTORS    VECTORS_DIR "/config"
#define SELF_UID   4711
#define PACKS_MAX  8
#define FAULTY_MIN 60

/* ---- Files ---- */

static char *read_file(const char *folder, const char *name, size_t *length)
{
    char path[4096];
    char *text = malloc(CONFIG_BYTES_MAX + 1);
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    assert_non_null(text);
    *length = fread(text, 1, CONFIG_BYTES_MAX, file);
    text[*length] = '\0';
    fclose(file);
    return text;
}

struct loaded {
    enum error error;
    struct config *config;
    struct json_faults faults;
    /* Packs outlive the call only for the test's own use. */
    struct text_list names;
    struct config_pack packs[PACKS_MAX];
};

/* Paths are relative to the folder. */
static void fetch_packs(struct loaded *loaded, const char *folder, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < loaded->names.count; i++) {
        const char *name = loaded->names.items[i];
        size_t length;

        loaded->packs[*count].text = read_file(folder, name, &length);
        loaded->packs[*count].name = name;
        loaded->packs[*count].length = length;
        assert_true(++*count < PACKS_MAX);
    }
}

static struct loaded load(const char *folder, const char *text, size_t length)
{
    static struct loaded loaded;
    enum error listed;
    size_t count;

    memset(&loaded, 0, sizeof(loaded));
    listed = config_list_packs(text, length, &loaded.names);
    fetch_packs(&loaded, folder, &count);
    loaded.error =
        config_load(text, length, loaded.packs, count, SELF_UID, &loaded.config, &loaded.faults);
    if (loaded.error == OK)
        assert_int_equal(listed, OK);
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)loaded.packs[i].text);
    text_list_clear(&loaded.names);
    return loaded;
}

static struct config *load_good(const char *folder, const char *name)
{
    size_t length;
    char *text = read_file(folder, name, &length);
    struct loaded loaded = load(folder, text, length);

    if (loaded.error != OK)
        fail_msg("%s: %s: %u: %s", name, loaded.faults.items[0].pointer,
                 loaded.faults.items[0].line, loaded.faults.items[0].text);
    assert_int_equal(loaded.faults.count, 0);
    free(text);
    return loaded.config;
}

static struct loaded load_text(const char *text)
{
    return load(VECTORS, text, strlen(text));
}

/* ---- Valid configurations ---- */

static unsigned load_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;
    unsigned count = 0;

    assert_non_null(entries);
    while ((entry = readdir(entries)) != NULL) {
        const char *end = strrchr(entry->d_name, '.');

        if (end == NULL || strcmp(end, ".json") != 0 || strstr(entry->d_name, ".schema.") != NULL)
            continue;
        config_destroy(load_good(folder, entry->d_name));
        count++;
    }
    closedir(entries);
    return count;
}

TEST(test_examples_load)
{
    assert_true(load_folder(SOURCE_DIR "/config") >= 4);
    assert_true(load_folder(VECTORS "/valid") >= 2);
}

TEST(test_defaults)
{
    struct config *config = load_good(VECTORS "/valid", "least.json");
    const struct surface *tools = config_surface(config, "tools");

    assert_string_equal(config->control_socket, "/var/lib/sidelock/control.sock");
    assert_int_equal(config->workers, 1);
    assert_int_equal(config->operator_uid_count, 0);
    assert_int_equal(config->executable_count, 0);
    assert_non_null(tools);
    assert_null(config_surface(config, "tool"));
    assert_int_equal(tools->mode, MODE_ENFORCE);
    assert_int_equal(tools->on_refusal, ON_REFUSAL_ANSWER);
    assert_false(tools->callers_named);
    assert_false(tools->allow_verbs_set);
    assert_false(tools->allow_targets_set);
    assert_false(tools->allow_server_verbs_set);
    assert_false(tools->allow_non_loopback);
    assert_int_equal(tools->limits.max_message_bytes, 4 * 1024 * 1024);
    assert_int_equal(tools->limits.max_connections, 1024);
    assert_int_equal(tools->limits.max_connections_per_caller, 512);
    assert_int_equal(tools->limits.max_connections_per_session, 448);
    assert_int_equal(tools->limits.max_sessions, 100000);
    assert_int_equal(tools->limits.requests_per_second, 100000);
    assert_int_equal(tools->limits.messages_per_second, 1000000);
    assert_int_equal(tools->limits.bytes_per_second, 0);
    assert_int_equal(tools->limits.connections_per_second, 100000);
    assert_false(tools->limits.rated);
    assert_int_equal(tools->limits.upstream_timeout_ms, 1500);
    assert_int_equal(tools->limits.upgrade_timeout_ms, 30000);
    assert_int_equal(tools->limits.message_timeout_ms, 30000);
    assert_int_equal(tools->limits.idle_timeout_ms, 0);
    assert_int_equal(tools->limits.ping_interval_ms, 30000);
    assert_int_equal(tools->limits.write_timeout_ms, 10000);
    assert_int_equal(tools->listen_count, 1);
    assert_string_equal(tools->listen[0].host, "localhost");
    assert_int_equal(tools->listen[0].port, 8081);
    /* The pack's routes, since the surface has none. */
    assert_true(tools->route_count > 0);
    assert_non_null(tools->routes[0].vocabulary);
    assert_int_equal(tools->routes[0].kind, ROUTE_WEBSOCKET);
    assert_int_equal(tools->routes[0].host.kind, HOST_UPSTREAM_PORT);
    config_destroy(config);
}

static void check_http_routes(const struct surface *chat)
{
    const struct route *files = &chat->routes[4], *upgrade = &chat->routes[5],
                       *api = &chat->routes[6];

    assert_int_equal(files->kind, ROUTE_HTTP);
    assert_int_equal(files->methods.count, 2);
    assert_false(files->query_set);
    assert_true(upgrade->query_set);
    assert_string_equal(upgrade->query_bearer, "token");
    assert_string_equal(api->methods.items[2], "M-SEARCH");
    assert_string_equal(api->body->member, "params");
    assert_string_equal(api->body->from, "/p");
    assert_string_equal(api->answer->urls.items[0], "url");
    assert_true(api->answer->strip_query);
    assert_string_equal(chat->tls->client_ca, "/etc/chat/ca.pem");
    assert_int_equal(chat->caller_certificates.count, 1);
    assert_int_equal(chat->limits.max_body_bytes, UINT32_MAX);
    assert_int_equal(chat->limits.response_timeout_ms, 50);
}

static void check_everything_routes(const struct surface *chat)
{
    const struct route *first = &chat->routes[0], *last = &chat->routes[3];

    check_http_routes(chat);
    assert_int_equal(chat->route_count, 7);
    assert_string_equal(first->path, "/chat/{room}");
    assert_string_equal(first->vocabulary->name, "chat");
    assert_int_equal(first->pass_count, 2);
    assert_string_equal(first->pass[0].name, "lang");
    assert_true(config_pattern_matches(first->pass[0].pattern, "de"));
    assert_false(config_pattern_matches(first->pass[0].pattern, "den"));
    assert_int_equal(first->inject_count, 3);
    assert_string_equal(first->inject[0].from, "/user/na~1me");
    assert_int_equal(first->inject[0].encoding, INJECT_TEXT);
    assert_int_equal(first->inject[1].encoding, INJECT_BASE64_JSON);
    assert_int_equal(first->inject[2].encoding, INJECT_JSON);
    assert_string_equal(first->headers.items[0], "accept-language");
    assert_int_equal(first->subprotocols.count, 2);
    assert_true(first->subprotocol_required);
    assert_int_equal(first->host.kind, HOST_UPSTREAM_FIXED);
    assert_string_equal(first->host.fixed, "chat.internal:80");
    assert_string_equal(first->match_from, "/team");
    assert_null(first->prepare);
    assert_int_equal(chat->routes[1].host.kind, HOST_UPSTREAM_PUBLIC);
    assert_true(chat->routes[2].binary);
    assert_string_equal(last->prepare->path, "/api/new");
    assert_string_equal(last->prepare->member, "params");
    assert_string_equal(last->prepare->from, "/p");
    assert_string_equal(last->prepare->answer, "id");
    assert_string_equal(last->prepare->then, "/new/{answer}");
}

TEST(test_everything)
{
    struct config *config = load_good(VECTORS "/valid", "everything.json");
    const struct surface *chat = config_surface(config, "chat.1_a-B");

    assert_non_null(chat);
    assert_string_equal(config->control_socket, "/srv/control.sock");
    assert_int_equal(config->operator_uid_count, 3);
    assert_int_equal(config->operator_uids[1], SELF_UID);
    assert_true(config->operator_uids[2] == 4294967294U);
    assert_int_equal(config->executable_count, 4);
    assert_false(config->executables[0].args_set);
    assert_string_equal(config->executables[1].path, "/usr/bin/uvx");
    assert_int_equal(config->executables[2].args_count, 3);
    assert_non_null(config->executables[2].sha256);
    assert_true(config->executables[3].args_set);
    assert_int_equal(config->executables[3].args_count, 0);
    assert_string_equal(chat->listen[1].host, "::1");
    assert_string_equal(chat->listen[4].text, "127.0.0.8:8083");
    assert_true(chat->callers_named);
    assert_int_equal(chat->caller_uids[0], SELF_UID);
    assert_int_equal(chat->caller_uids[1], 1234);
    assert_int_equal(chat->caller_network_count, 3);
    assert_string_equal(chat->caller_networks[1].text, "fd00::/8");
    assert_int_equal(chat->caller_networks[0].bits, 96 + 16);
    assert_true(chat->allow_targets_set);
    assert_int_equal(chat->allow_targets.count, 0);
    assert_string_equal(chat->allow_server_verbs.items[0], "said");
    assert_int_equal(chat->mode, MODE_OBSERVE);
    assert_int_equal(chat->on_refusal, ON_REFUSAL_CLOSE);
    assert_int_equal(chat->limits.max_message_bytes, 64 * 1024 * 1024);
    assert_int_equal(chat->hosts.count, 4);
    assert_int_equal(chat->origins.count, 3);
    check_everything_routes(chat);
    config_destroy(config);
}

/* A route's own Host goes before the surface's, and that before localhost with the port. */
TEST(test_host_towards_the_service)
{
    static const char text[] =
        "{\"state_dir\":\"/s\",\"surfaces\":{\"a\":{\"listen\":[\"localhost:1\"],"
        "\"upstream\":{\"socket\":\"/nowhere/a\"},\"dialect\":\"opaque\","
        "\"host\":{\"fixed\":\"service:80\"},\"routes\":[{\"path\":\"/a\"},"
        "{\"path\":\"/b\",\"host\":\"public\"},{\"path\":\"/c\",\"host\":\"localhost\"}]},"
        "\"b\":{\"listen\":[\"localhost:2\"],\"upstream\":{\"socket\":\"/nowhere/b\"},"
        "\"dialect\":\"opaque\",\"routes\":[{\"path\":\"/a\"}]}}}";
    static const char *const expected[] = {"service:80", "client:9", "localhost"};
    struct config *config = load_text(text).config;
    char room[CONFIG_LOCALHOST_SIZE];

    assert_non_null(config);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(config_route_host(&config->surfaces[0].routes[i], "client:9", 7, room),
                            expected[i]);
    assert_string_equal(config_route_host(&config->surfaces[1].routes[0], "client:9", 65535, room),
                        "localhost:65535");
    config_destroy(config);
}

/* It is the gate's own at each address as the kernel writes it, for a surface and for telemetry. */
TEST(test_where_the_gate_listens)
{
    static const struct {
        const char *host;
        uint16_t port;
        bool listens;
    } cases[] = {
        {"fd00::5", 8081, true},  {"fd00::6", 8081, false},   {"fd00::5", 8082, false},
        {"::1", 8083, true},      {"127.0.0.1", 8083, true},  {"127.0.0.2", 8083, false},
        {"fd00::9", 8084, true},  {"192.0.2.1", 8084, false}, {"192.0.2.1", 8085, true},
        {"fd00::9", 8085, false}, {"10.0.0.5", 9090, true},   {"10.0.0.6", 9090, false},
    };
    struct loaded loaded = load_text(
        "{\"state_dir\":\"/a\",\"telemetry\":{\"listen\":\"10.0.0.5:9090\","
        "\"allow_non_loopback\":true},\"surfaces\":{\"a\":{\"listen\":[\"[fd00:0::5]:8081\","
        "\"localhost:8083\",\"[0::0]:8084\",\"0.0.0.0:8085\"],\"allow_non_loopback\":true,"
        "\"dialect\":\"mcp\",\"upstream\":{\"tcp\":\"127.0.0.1:8084\"}}}}");

    assert_int_equal(loaded.error, OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (config_listens_at(loaded.config, cases[i].host, cases[i].port) != cases[i].listens)
            fail_msg("%s:%u", cases[i].host, cases[i].port);
    }
    config_destroy(loaded.config);
}

TEST(test_command)
{
    struct config *config = load_good(VECTORS "/valid", "command.json");
    const struct surface *files = config_surface(config, "files");
    const struct surface_command *command = &files->command;

    assert_true(surface_is_launched(files));
    assert_null(files->upstream_socket);
    assert_int_equal(command->argument_count, 6);
    assert_string_equal(command->arguments[3], "");
    assert_string_equal(command->arguments[5], command->arguments[4]);
    assert_int_equal(command->variable_count, 2);
    assert_int_equal(command->environment_files.count, 1);
    assert_string_equal(command->directory, "/srv/files");
    assert_string_equal(command->user, "files");
    assert_int_equal(command->port, 8081);
    assert_int_equal(command->executables.count, 2);
    assert_string_equal(command->executables.items[1], "/usr/bin/ssh");
    assert_string_equal(command->libraries.items[0], "/srv/files/modules");
    assert_false(command->execute_anything);
    assert_int_equal(command->use.memory_mib, 512);
    assert_int_equal(command->use.processes, 64);
    assert_int_equal(config_surface(config, "bare")->command.use.memory_mib, 0);
    assert_true(config_surface(config, "bare")->command.execute_anything);
    assert_int_equal(files->limits.upstream_timeout_ms, 15000);
    assert_int_equal(config_surface(config, "bare")->command.port, 0);
    config_destroy(config);
}

/* A preset that is more than what the surface wrote beside it gives way. */
TEST(test_preset_gives_way)
{
    struct loaded loaded =
        load_text("{\"state_dir\":\"/s\",\"surfaces\":{\"a\":{\"listen\":[\"localhost:1\"],"
                  "\"upstream\":{\"socket\":\"/"
                  "u\"},\"dialect\":\"mcp\",\"limits\":{\"max_connections\":7}}}}");

    assert_int_equal(loaded.error, OK);
    assert_int_equal(loaded.config->surfaces[0].limits.max_connections_per_caller, 7);
    assert_int_equal(loaded.config->surfaces[0].limits.max_connections_per_session, 7);
    config_destroy(loaded.config);
}

TEST(test_packs_are_listed_once)
{
    size_t length;
    char *text = read_file(VECTORS "/valid", "everything.json", &length);
    struct text_list names = {0};

    assert_int_equal(config_list_packs(text, length, &names), OK);
    assert_int_equal(names.count, 1); /* the shipped one need not be fetched */
    assert_string_equal(names.items[0], "../packs/two.json");
    text_list_clear(&names);
    assert_int_equal(config_list_packs(text, length - 3, &names), ERROR_SYNTAX);
    assert_int_equal(config_list_packs("{}", 2, &names), OK);
    assert_int_equal(names.count, 0);
    free(text);
}

/* ---- Faulty configurations ---- */

struct faulty {
    char name[80], pointer[192], words[160];
    unsigned line;
    char *text;
    size_t length;
};

/* A header line's value, without the space that follows its colon. */
static char *header_value(char *at, const char *name, char *out, size_t size)
{
    size_t name_length = strlen(name), length = strcspn(at, "\n");

    assert_memory_equal(at, name, name_length);
    at += name_length;
    length -= name_length;
    if (*at == ' ')
        at++, length--;
    assert_true(length < size);
    memcpy(out, at, length);
    out[length] = '\0';
    return at + length + 1;
}

/* Takes the next configuration off the file's text; false at its end. */
static bool next_faulty(char **at, struct faulty *out)
{
    char *start = strstr(*at, "=== "), *end;
    char line[16];

    if (start == NULL)
        return false;
    start = header_value(start, "===", out->name, sizeof(out->name));
    start = header_value(start, "pointer:", out->pointer, sizeof(out->pointer));
    start = header_value(start, "line:", line, sizeof(line));
    start = header_value(start, "words:", out->words, sizeof(out->words));
    out->line = (unsigned)strtoul(line, NULL, 10);
    assert_memory_equal(start, "---\n", 4);
    out->text = start + 4;
    end = strstr(out->text, "\n=== ");
    if (strncmp(out->text, "=== ", 4) == 0) /* an empty text */
        end = out->text - 1;
    out->length = end != NULL ? (size_t)(end + 1 - out->text) : strlen(out->text);
    *at = out->text + out->length;
    return true;
}

TEST(test_each_fault)
{
    size_t length;
    char *text = read_file(VECTORS, "faulty.txt", &length), *at = text;
    struct faulty faulty;
    unsigned count = 0;

    for (; next_faulty(&at, &faulty); count++) {
        struct loaded loaded = load(VECTORS, faulty.text, faulty.length);
        const struct json_fault *fault = &loaded.faults.items[0];

        if (loaded.error != ERROR_INVALID)
            fail_msg("%s: loaded", faulty.name);
        if (loaded.faults.count != 1)
            fail_msg("%s: %zu faults; the last: %s: %s", faulty.name, loaded.faults.count,
                     loaded.faults.items[loaded.faults.count - 1].pointer,
                     loaded.faults.items[loaded.faults.count - 1].text);
        if (strcmp(fault->pointer, faulty.pointer) != 0 || fault->line != faulty.line ||
            strstr(fault->text, faulty.words) == NULL)
            fail_msg("%s: at \"%s\" line %u: %s", faulty.name, fault->pointer, fault->line,
                     fault->text);
    }
    assert_true(count >= FAULTY_MIN);
    free(text);
}

TEST(test_all_faults_at_once)
{
    struct loaded loaded = load_text("{\n"
                                     "  \"surfaces\": {\n"
                                     "    \"a\": {\n"
                                     "      \"listen\": [\"localhost:1\", 2],\n"
                                     "      \"colour\": 1,\n"
                                     "      \"dialect\": \"mcp\"\n"
                                     "    }\n"
                                     "  },\n"
                                     "  \"workers\": 99\n"
                                     "}\n");
    static const char *const pointers[] = {"", "/surfaces/a", "/surfaces/a/listen/1",
                                           "/surfaces/a/colour", "/workers"};
    static const unsigned lines[] = {1, 3, 4, 5, 9};

    assert_int_equal(loaded.error, ERROR_INVALID);
    assert_int_equal(loaded.faults.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(loaded.faults.items[i].pointer, pointers[i]);
        assert_int_equal(loaded.faults.items[i].line, lines[i]);
    }
}

/* More faults than there is room for are still faults. */
TEST(test_faults_are_bounded)
{
    static char text[16384];
    size_t used = (size_t)snprintf(text, sizeof(text), "{\"state_dir\": \"/s\"");
    struct loaded loaded;

    for (unsigned i = 0; i < 100; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, ", \"\\u001b[%u\": 1", i);
    snprintf(text + used, sizeof(text) - used, "}");
    loaded = load_text(text);
    assert_int_equal(loaded.error, ERROR_INVALID);
    assert_int_equal(loaded.faults.count, JSON_FAULTS_MAX);
}

TEST(test_bytes_that_are_not_text)
{
    static const char nul[] = "{\"workers\": 1\0}";
    char *large = malloc(CONFIG_BYTES_MAX + 1);
    struct loaded loaded = load(VECTORS, nul, sizeof(nul) - 1);

    assert_int_equal(loaded.error, ERROR_INVALID);
    assert_non_null(strstr(loaded.faults.items[0].text, "NUL"));
    assert_non_null(large);
    memset(large, ' ', CONFIG_BYTES_MAX + 1);
    loaded = load(VECTORS, large, CONFIG_BYTES_MAX + 1);
    assert_int_equal(loaded.error, ERROR_INVALID);
    assert_non_null(strstr(loaded.faults.items[0].text, "1 MiB"));
    free(large);
}

TEST(test_pack_that_is_not_json)
{
    struct loaded loaded =
        load_text("{\"state_dir\":\"/s\",\"surfaces\":{\"a\":{\"listen\":[\"localhost:1\"],"
                  "\"upstream\":{\"socket\":\"/u\"},\"dialect\":\"packs/not-json.json\"},"
                  "\"b\":{\"listen\":[\"localhost:2\"],"
                  "\"upstream\":{\"socket\":\"/u\"},\"dialect\":\"packs/not-json.json\"}}}");

    assert_int_equal(loaded.error, ERROR_INVALID);
    assert_int_equal(loaded.faults.count, 1); /* named once, though two surfaces use it */
    assert_string_equal(loaded.faults.items[0].pointer, "packs/not-json.json#");
    assert_int_equal(loaded.faults.items[0].line, 3);
}
