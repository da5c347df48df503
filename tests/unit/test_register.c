/* register.c and register_render.c: from facts to cells to JSON and Markdown. */
#include "broker/operations/register.h"
#include "config/load.h"
#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#define BYTES_MAX (256 * 1024)

/* Surface 0 has everything said, 1 says nothing, 2 listens beyond loopback and observes. */
static const char configuration[] =
    "{\"state_dir\":\"/nowhere\",\"control_socket\":\"/nowhere/control.sock\","
    "\"executables\":[\"/bin/true\"],\"surfaces\":{"
    "\"studio\":{\"why\":\"For | tests and <more>\",\"can_do\":\"Start `things`\","
    "\"listen\":[\"localhost:8081\"],\"upstream\":{\"socket\":\"/run/x/studio.sock\"},"
    "\"dialect\":\"opaque\",\"callers\":{\"uids\":[1000,1001]}},"
    "\"tools\":{\"listen\":[\"localhost:8082\"],\"upstream\":{\"socket\":\"/run/x/tools.sock\"},"
    "\"dialect\":\"opaque\"},"
    "\"wide\":{\"why\":\"w\",\"can_do\":\"c\",\"listen\":[\"192.0.2.1:8083\"],"
    "\"allow_non_loopback\":true,\"upstream\":{\"socket\":\"/run/x/wide.sock\"},"
    "\"dialect\":\"opaque\",\"mode\":\"observe\",\"callers\":{\"networks\":[\"192.0.2.0/"
    "24\",\"fd00::/8\"]}},"
    "\"launched\":{\"why\":\"l\",\"can_do\":\"c\",\"listen\":[\"localhost:8084\"],"
    "\"upstream\":{\"command\":[\"/bin/cat\"]},\"dialect\":\"opaque\"}}}";

static struct config *config;

static int load(void **state)
{
    static struct json_faults faults;

    (void)state;
    if (config_load(configuration, sizeof(configuration) - 1, NULL, 0, getuid(), &config,
                    &faults) != OK) {
        print_error("%s: %s\n", faults.items[0].pointer, faults.items[0].text);
        return -1;
    }
    return 0;
}

static int unload(void **state)
{
    (void)state;
    config_destroy(config);
    return 0;
}

CMFixtureFunction unit_set_up = load, unit_tear_down = unload;

static struct register_facts claimed(size_t surface)
{
    return (struct register_facts){.surface = &config->surfaces[surface], .config = config};
}

/* What a healthy running gate says. */
static struct register_facts live(size_t surface)
{
    struct register_facts facts = claimed(surface);

    facts.live = true;
    facts.listeners_loopback = true;
    facts.socket = (struct register_socket){.directory_known = true,
                                            .directory_private = true,
                                            .directory_mode = 0700,
                                            .directory_owner = 42,
                                            .socket_there = true};
    assert_int_equal(text_list_add(&facts.listeners, "127.0.0.1:8081", 14), OK);
    return facts;
}

static void build(struct register_facts facts, struct register_row *row)
{
    assert_int_equal(register_row_build(&facts, row), OK);
    register_facts_clear(&facts);
}

static void assert_says(const struct register_cell *cell, const char *words)
{
    if (strstr(cell->value.data, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", cell->value.data, words);
}

TEST(test_without_a_gate_all_is_claimed)
{
    struct register_row row;

    for (size_t i = 0; i < config->surface_count; i++) {
        build(claimed(i), &row);
        for (size_t j = 0; j < REGISTER_COLUMN_COUNT; j++) {
            assert_false(row.cells[j].proven);
            assert_non_null(row.cells[j].how);
            assert_true(row.cells[j].value.length > 0);
        }
        register_row_clear(&row);
    }
}

TEST(test_live_state_proves)
{
    static const bool proven[REGISTER_COLUMN_COUNT] = {
        [REGISTER_SURFACE] = true,         [REGISTER_REACH] = true,       [REGISTER_CALLERS] = true,
        [REGISTER_ISOLATION] = true,       [REGISTER_KILL_SWITCH] = true, [REGISTER_WHY] = false,
        [REGISTER_AUTHENTICATION] = false, [REGISTER_CAN_DO] = false};
    struct register_row row;

    build(live(0), &row);
    for (size_t i = 0; i < REGISTER_COLUMN_COUNT; i++) {
        assert_int_equal(row.cells[i].proven, proven[i]);
        assert_false(row.cells[i].finding);
    }
    assert_says(&row.cells[REGISTER_SURFACE], "127.0.0.1:8081");
    assert_says(&row.cells[REGISTER_CALLERS], "uids 1000, 1001");
    assert_says(&row.cells[REGISTER_ISOLATION], "uid 42 with mode 0700");
    assert_says(&row.cells[REGISTER_KILL_SWITCH], "sidelock kill studio");
    assert_says(&row.cells[REGISTER_KILL_SWITCH], "armed");
    assert_says(&row.cells[REGISTER_CAN_DO], "/bin/true");
    register_row_clear(&row);
}

TEST(test_what_is_not_said_is_a_finding)
{
    struct register_row row;

    build(live(1), &row);
    assert_true(row.cells[REGISTER_WHY].finding);
    assert_true(row.cells[REGISTER_CAN_DO].finding);
    assert_says(&row.cells[REGISTER_WHY], "\"why\"");
    assert_says(&row.cells[REGISTER_CALLERS], "Any local user");
    assert_false(row.cells[REGISTER_CALLERS].finding);
    register_row_clear(&row);
    build(claimed(1), &row);
    assert_true(row.cells[REGISTER_CALLERS].finding);
    register_row_clear(&row);
}

TEST(test_wide_surface_is_a_finding)
{
    struct register_facts facts = live(2);
    struct register_row row;

    facts.listeners_loopback = false;
    build(facts, &row);
    assert_says(&row.cells[REGISTER_CALLERS],
                "Anybody who holds a session token, from 192.0.2.0/24, fd00::/8");
    assert_true(row.cells[REGISTER_REACH].finding);
    assert_true(row.cells[REGISTER_REACH].proven);
    assert_says(&row.cells[REGISTER_REACH], "Other machines");
    assert_says(&row.cells[REGISTER_REACH], "without TLS");
    assert_true(row.cells[REGISTER_CAN_DO].finding);
    assert_says(&row.cells[REGISTER_CAN_DO], "observe");
    register_row_clear(&row);
    build(claimed(2), &row);
    assert_true(row.cells[REGISTER_REACH].finding);
    register_row_clear(&row);
}

static bool finds_any_caller(const char *listen, const char *networks)
{
    static const char form[] =
        "{\"state_dir\":\"/nowhere\",\"surfaces\":{\"one\":{\"listen\":[\"%s\"],"
        "\"allow_non_loopback\":true,\"dialect\":\"opaque\","
        "\"upstream\":{\"socket\":\"/run/x/one.sock\"},\"callers\":{\"networks\":[%s]}}}}";
    static struct json_faults faults;
    struct register_facts facts;
    struct register_row row;
    struct config *other;
    char text[512];
    bool found;

    snprintf(text, sizeof(text), form, listen, networks);
    assert_int_equal(config_load(text, strlen(text), NULL, 0, getuid(), &other, &faults), OK);
    facts = (struct register_facts){.surface = &other->surfaces[0], .config = other};
    build(facts, &row);
    found = row.cells[REGISTER_CALLERS].finding;
    register_row_clear(&row);
    facts = (struct register_facts){
        .surface = &other->surfaces[0], .config = other, .live = true, .sessions_any_caller = 1};
    build(facts, &row);
    assert_int_equal(row.cells[REGISTER_CALLERS].finding, found);
    register_row_clear(&row);
    config_destroy(other);
    return found;
}

TEST(test_a_network_of_everybody_names_no_caller)
{
    static const char *const everybody[] = {"\"0.0.0.0/0\"", "\"::/0\"", "\"::ffff:0:0/96\"",
                                            "\"::/8\"", "\"10.0.0.5\",\"0.0.0.0/0\""};

    for (size_t i = 0; i < sizeof(everybody) / sizeof(everybody[0]); i++)
        assert_true(finds_any_caller("192.0.2.1:8083", everybody[i]));
    assert_false(finds_any_caller("192.0.2.1:8083", "\"10.0.0.0/8\""));
    assert_false(finds_any_caller("192.0.2.1:8083", "\"fd00::/8\",\"127.0.0.0/8\""));
    /* There every user of the machine has an address of it. */
    assert_true(finds_any_caller("127.0.0.1:8083", "\"127.0.0.0/8\""));
    assert_true(finds_any_caller("localhost:8083", "\"10.0.0.0/8\""));
}

TEST(test_no_listener_proves_nothing)
{
    struct register_facts facts = claimed(0);
    struct register_row row;

    facts.live = true;
    facts.listeners_loopback = true;
    build(facts, &row);
    assert_false(row.cells[REGISTER_SURFACE].proven);
    assert_true(row.cells[REGISTER_SURFACE].finding);
    assert_false(row.cells[REGISTER_REACH].proven);
    register_row_clear(&row);
}

TEST(test_isolation)
{
    struct register_facts facts = live(0);
    struct register_row row;

    facts.socket.directory_private = false;
    facts.socket.directory_mode = 01777;
    facts.socket.socket_there = false;
    build(facts, &row);
    assert_true(row.cells[REGISTER_ISOLATION].finding);
    assert_true(row.cells[REGISTER_ISOLATION].proven);
    assert_says(&row.cells[REGISTER_ISOLATION], "mode 1777");
    assert_says(&row.cells[REGISTER_ISOLATION], "no socket is there now");
    register_row_clear(&row);

    facts = live(0);
    facts.socket.directory_known = false;
    build(facts, &row);
    assert_true(row.cells[REGISTER_ISOLATION].finding);
    assert_false(row.cells[REGISTER_ISOLATION].proven);
    register_row_clear(&row);
}

TEST(test_isolation_of_a_service_that_is_launched)
{
    struct register_facts facts = live(3);
    struct register_row row;

    facts.service = SERVICE_READY;
    build(facts, &row);
    assert_false(row.cells[REGISTER_ISOLATION].proven); /* nobody has found it out */
    register_row_clear(&row);

    facts = live(3);
    facts.service = SERVICE_READY;
    facts.service_proven_at = 1;
    build(facts, &row);
    assert_true(row.cells[REGISTER_ISOLATION].proven);
    assert_false(row.cells[REGISTER_ISOLATION].finding);
    assert_says(&row.cells[REGISTER_ISOLATION], "/bin/cat");
    register_row_clear(&row);

    for (int sight = SIGHT_NONE; sight < SIGHT_COUNT; sight++) {
        static const char *const words[SIGHT_COUNT] = {
            "could not be attributed", "those of its processes that may be looked into",
            "is not known", "are other processes'"};

        facts = live(3);
        facts.service = SERVICE_READY;
        facts.service_proven_at = 1;
        facts.service_sight = (enum service_sight)sight;
        build(facts, &row);
        assert_non_null(strstr(row.cells[REGISTER_ISOLATION].how, words[sight]));
        register_row_clear(&row);
    }

    facts = live(3);
    facts.service = SERVICE_READY;
    facts.service_proven_at = 1;
    facts.unheld = "what it needs";
    build(facts, &row);
    assert_true(row.cells[REGISTER_ISOLATION].finding);
    assert_says(&row.cells[REGISTER_ISOLATION],
                "nothing but itself (advisory: this kernel lacks what it needs)");
    register_row_clear(&row);

    facts = live(3);
    facts.service = SERVICE_EXPOSED;
    facts.service_why = "somebody answers at 192.0.2.1:8084";
    build(facts, &row);
    assert_false(row.cells[REGISTER_ISOLATION].proven);
    assert_true(row.cells[REGISTER_ISOLATION].finding);
    assert_says(&row.cells[REGISTER_ISOLATION], "192.0.2.1:8084");
    register_row_clear(&row);

    facts = live(3);
    facts.service = SERVICE_WAITING;
    facts.service_why = "it cannot be started: because";
    build(facts, &row);
    assert_false(row.cells[REGISTER_ISOLATION].proven);
    assert_says(&row.cells[REGISTER_ISOLATION], "it is not served now: it cannot be started");
    register_row_clear(&row);

    build(claimed(3), &row);
    assert_false(row.cells[REGISTER_ISOLATION].proven);
    register_row_clear(&row);
}

TEST(test_sessions_and_kill_switch)
{
    struct register_facts facts = live(1);
    struct register_row row;

    facts.sessions = 3;
    facts.sessions_any_caller = 2;
    facts.connections = 1;
    facts.killed = true;
    build(facts, &row);
    assert_says(&row.cells[REGISTER_CALLERS], "3 active sessions, 1 live connection");
    assert_says(&row.cells[REGISTER_CALLERS], "2 of the sessions name no caller");
    assert_true(row.cells[REGISTER_CALLERS].finding);
    assert_says(&row.cells[REGISTER_KILL_SWITCH], "now on");
    register_row_clear(&row);
    facts = live(1);
    facts.rehearsed_at = 1800000000;
    facts.rehearsed_ms = 12;
    facts.rehearsed_connections = 1000;
    build(facts, &row);
    assert_null(strstr(row.cells[REGISTER_KILL_SWITCH].value.data, "lockdown"));
    assert_says(&row.cells[REGISTER_KILL_SWITCH],
                "rehearsed at 2027-01-15T08:00:00Z: 1000 connections gone within 12 ms");
    register_row_clear(&row);
}

static json_t *render_json(const struct register_facts *facts, size_t count)
{
    struct buffer out;
    json_t *root;

    buffer_init(&out, BYTES_MAX);
    assert_int_equal(register_render(facts, count, REGISTER_JSON, &out), OK);
    root = json_loadb(out.data, out.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    buffer_clear(&out);
    return root;
}

TEST(test_json)
{
    struct register_facts facts[] = {claimed(0), claimed(1)};
    json_t *root = render_json(facts, 2);
    const json_t *row = json_array_get(json_object_get(root, "rows"), 0);

    assert_true(json_is_false(json_object_get(root, "live")));
    assert_int_equal(json_array_size(json_object_get(root, "rows")), 2);
    assert_int_equal(json_object_size(row), REGISTER_COLUMN_COUNT + 1);
    for (unsigned i = 0; i < REGISTER_COLUMN_COUNT; i++) {
        const json_t *cell = json_object_get(row, register_headings[i].key);

        assert_true(json_is_string(json_object_get(cell, "value")));
        assert_true(json_is_string(json_object_get(cell, "how")));
        assert_true(json_is_boolean(json_object_get(cell, "finding")));
        assert_string_equal(json_string_value(json_object_get(cell, "evidence")), "claimed");
    }
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(row, "why_it_exists"), "value")),
        "For | tests and <more>");
    json_decref(root);

    facts[0] = live(0);
    root = render_json(facts, 1);
    assert_true(json_is_true(json_object_get(root, "live")));
    json_decref(root);
    register_facts_clear(&facts[0]);
}

/* Columns of a table row: bars that are not escaped, less one. */
static size_t columns_of(const char *line, size_t length)
{
    size_t bars = 0;

    for (size_t i = 0; i < length; i++) {
        if (line[i] == '|' && (i == 0 || line[i - 1] != '\\'))
            bars++;
    }
    return bars - 1;
}

TEST(test_markdown)
{
    struct register_facts facts[] = {claimed(0), claimed(1), claimed(2)};
    struct buffer out;
    size_t rows = 0;
    const char *text;

    buffer_init(&out, BYTES_MAX);
    assert_int_equal(register_render(facts, 3, REGISTER_MARKDOWN, &out), OK);
    text = out.data != NULL ? out.data : "";
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line != '|')
            continue;
        assert_int_equal(columns_of(line, strcspn(line, "\n")), REGISTER_COLUMN_COUNT);
        rows++;
    }
    assert_int_equal(rows, 2 + 3);
    assert_non_null(strstr(text, "For \\| tests and &lt;more&gt;"));
    assert_non_null(strstr(text, "Start \\`things\\`"));
    assert_non_null(strstr(text, "## Findings"));
    assert_non_null(strstr(text, "tools, Why it exists: Nobody has said why"));
    buffer_clear(&out);
}

TEST(test_limits)
{
    static struct register_facts many[CONFIG_SURFACES_MAX + 1];
    struct buffer out;

    for (size_t i = 0; i < CONFIG_SURFACES_MAX + 1; i++)
        many[i] = claimed(0);
    buffer_init(&out, BYTES_MAX);
    assert_int_equal(register_render(many, CONFIG_SURFACES_MAX, REGISTER_MARKDOWN, &out), OK);
    assert_int_equal(register_render(many, CONFIG_SURFACES_MAX + 1, REGISTER_MARKDOWN, &out),
                     ERROR_LIMIT);
    buffer_clear(&out);
    buffer_init(&out, 100);
    assert_int_equal(register_render(many, 1, REGISTER_JSON, &out), ERROR_LIMIT);
    buffer_clear(&out);
}
