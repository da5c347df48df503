/* difference.c: what of a configuration that was read anew only a restart can change. */
#include "setup/difference.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct json_faults faults;

static struct config_bundle bundle_of(const char *text)
{
    struct config_bundle bundle = {.text = strdup(text), .length = strlen(text)};

    assert_non_null(bundle.text);
    return bundle;
}

static struct config before_config, now_config;

/* `pointer` of the one fault; NULL: there is none. */
static struct difference compare(const char *before, const char *now, const char *pointer,
                                 const char *words)
{
    struct config_bundle one = bundle_of(before), other = bundle_of(now);
    struct difference difference;

    one.config = &before_config;
    other.config = &now_config;
    faults.count = 0;
    assert_int_equal(difference_find(&one, &other, 100, &difference, &faults),
                     pointer == NULL ? OK : ERROR_INVALID);
    assert_int_equal(faults.count, pointer != NULL);
    if (pointer != NULL) {
        assert_string_equal(faults.items[0].pointer, pointer);
        assert_non_null(strstr(faults.items[0].text, words));
        assert_non_null(strstr(faults.items[0].text, "restart"));
        /* What is gone has no line. */
        assert_int_equal(faults.items[0].line > 0, strstr(now, strrchr(pointer, '/') + 1) != NULL);
    }
    one.config = other.config = NULL;
    bundle_clear(&one);
    bundle_clear(&other);
    return difference;
}

/* "added/changed/removed", each name followed by a sign. */
static void assert_difference(const char *before, const char *now, const char *expected)
{
    struct difference difference = compare(before, now, NULL, NULL);
    const struct text_list *lists[] = {&difference.added, &difference.changed, &difference.removed};
    char text[64] = "";

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (size_t j = 0; j < lists[i]->count; j++)
            strcat(strcat(text, lists[i]->items[j]), ",");
        strcat(text, i < 2 ? "/" : "");
    }
    assert_string_equal(text, expected);
    difference_clear(&difference);
}

#define SURFACE      "\"a\":{\"dialect\":\"mcp\",\"listen\":[\"localhost:1\"]}"
#define WITH(member) "{\"state_dir\":\"/s\"," member "\"surfaces\":{" SURFACE "}}"

TEST(test_nothing)
{
    assert_difference(WITH(""), WITH(""), "//");
    assert_difference(WITH("\"workers\":1,"), WITH("\"workers\" : 1 ,\n"), "//");
    assert_difference("{\"surfaces\":{\"a\":{\"mode\":\"observe\",\"dialect\":\"mcp\"}}}",
                      "{\"surfaces\":{\"a\":{\"dialect\":\"mcp\",\"mode\":\"observe\"}}}", "//");
    assert_difference("{\"surfaces\":{\"a\":{\"why\":\"x\",\"dialect\":\"mcp\"}}}",
                      "{\"surfaces\":{\"a\":{\"can_do\":\"y\",\"dialect\":\"mcp\",\"why\":\"z\"}}}",
                      "//");
}

TEST(test_members)
{
    compare(WITH(""), "{\"state_dir\":\"/t\",\"surfaces\":{" SURFACE "}}", "/state_dir", "changed");
    compare(WITH(""), WITH("\"control_socket\":\"/c\","), "/control_socket", "changed");
    compare(WITH("\"workers\":1,"), WITH("\"workers\":2,"), "/workers", "changed");
    compare(WITH("\"workers\":1,"), WITH(""), "/workers", "changed");
    compare(WITH(""), WITH("\"operators\":{\"uids\":[1]},"), "/operators", "changed");
    compare(WITH(""), WITH("\"executables\":[\"/x\"],"), "/executables", "changed");
    compare(WITH(""), WITH("\"on_audit_failure\":\"continue\","), "/on_audit_failure", "changed");
}

/* What workers began with, whoever wrote or preset it. */
TEST(test_workers)
{
    char name[] = "a";
    struct surface surface = {.name = name, .limits.max_connections = 100};

    now_config.worker_memory_bytes = 7;
    compare(WITH(""), WITH(""), "/worker_memory_bytes", "7 now, and 0");
    before_config.worker_memory_bytes = 7;
    now_config.surfaces = &surface;
    now_config.surface_count = 1;
    assert_difference(WITH(""), WITH("\"worker_memory_bytes\":7,"), "//");
    surface.limits.max_connections++;
    compare(WITH(""),
            "{\"surfaces\":{\"a\":{\"limits\":{\"max_connections\":101}}},\"state_dir\":\"/s\"}",
            "/surfaces/a/limits/max_connections", "room for 100");
    now_config = before_config = (struct config){.workers = 0};
}

TEST(test_surfaces)
{
    static const char changed[] =
        "{\"state_dir\":\"/"
        "s\",\"surfaces\":{\"a\":{\"dialect\":\"mcp\",\"listen\":[\"localhost:2\"]}}}";
    static const char two[] = "{\"state_dir\":\"/s\",\"surfaces\":{" SURFACE ",\"b\":{}}}";
    static const char other[] = "{\"state_dir\":\"/s\",\"surfaces\":{\"c\":{},\"b\":{\"x\":1}}}";

    assert_difference(WITH(""), changed, "/a,/");
    assert_difference(WITH(""), two, "b,//");
    assert_difference(two, WITH(""), "//b,");
    assert_difference(two, other, "c,/b,/a,");
}

/* Its bytes count, whatever they say. */
TEST(test_packs)
{
    static const char text[] = "{\"surfaces\":{\"a\":{\"dialect\":\"./own.json\"}}}";
    struct config_pack packs[] = {{.name = "./own.json", .text = "{}", .length = 2},
                                  {.name = "./own.json", .text = "{}", .length = 2},
                                  {.name = "./own.json", .text = "{ }", .length = 3},
                                  {.name = "./own.json", .text = "[]", .length = 2}};
    struct config_bundle before = {.packs = &packs[0], .pack_count = 1}, now = {.pack_count = 1};
    struct difference difference;

    before.config = &before_config;
    now.config = &now_config;
    before.text = now.text = strdup(text);
    before.length = now.length = strlen(text);
    for (size_t i = 1; i < sizeof(packs) / sizeof(packs[0]); i++) {
        now.packs = &packs[i];
        faults.count = 0;
        assert_int_equal(difference_find(&before, &now, 0, &difference, &faults), OK);
        assert_int_equal(difference.changed.count, i > 1);
        difference_clear(&difference);
    }
    free(before.text);
}

/* Nobody is cut off for a remark; a fault is on the line where people see it. */
TEST(test_comments)
{
    assert_difference("{\"surfaces\": {\"a\": {\"x\": 1}}}",
                      "// one\n{\"surfaces\": {/* two */ \"a\": {\"x\": 1}, \"b\": {}}}", "b,//");
    compare("{\"workers\": 1}", "{ // one\n/*\n*/ \"workers\": 2}", "/workers", "restart");
    assert_int_equal(faults.items[0].line, 3);
}
