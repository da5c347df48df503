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

/* `pointer` of the one fault; NULL: there is none. */
static void compare(const char *before, const char *now, const char *pointer, const char *words)
{
    struct config_bundle one = bundle_of(before), other = bundle_of(now);

    faults.count = 0;
    assert_int_equal(difference_check(&one, &other, &faults), pointer == NULL ? OK : ERROR_INVALID);
    assert_int_equal(faults.count, pointer != NULL);
    if (pointer != NULL) {
        assert_string_equal(faults.items[0].pointer, pointer);
        assert_non_null(strstr(faults.items[0].text, words));
        assert_non_null(strstr(faults.items[0].text, "restart"));
        /* What is gone has no line. */
        assert_int_equal(faults.items[0].line > 0, strstr(now, strrchr(pointer, '/') + 1) != NULL);
    }
    bundle_clear(&one);
    bundle_clear(&other);
}

#define SURFACE      "\"a\":{\"dialect\":\"mcp\",\"listen\":[\"localhost:1\"]}"
#define WITH(member) "{\"state_dir\":\"/s\"," member "\"surfaces\":{" SURFACE "}}"

TEST(test_nothing)
{
    compare(WITH(""), WITH(""), NULL, NULL);
    compare(WITH("\"workers\":1,"), WITH("\"workers\" : 1 ,\n"), NULL, NULL);
    compare("{\"surfaces\":{\"a\":{\"mode\":\"observe\",\"dialect\":\"mcp\"}}}",
            "{\"surfaces\":{\"a\":{\"dialect\":\"mcp\",\"mode\":\"observe\"}}}", NULL, NULL);
    compare("{\"surfaces\":{\"a\":{\"why\":\"x\",\"dialect\":\"mcp\"}}}",
            "{\"surfaces\":{\"a\":{\"can_do\":\"y\",\"dialect\":\"mcp\",\"why\":\"z\"}}}", NULL,
            NULL);
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

TEST(test_surfaces)
{
    static const char changed[] =
        "{\"state_dir\":\"/"
        "s\",\"surfaces\":{\"a\":{\"dialect\":\"mcp\",\"listen\":[\"localhost:2\"]}}}";
    static const char two[] = "{\"state_dir\":\"/s\",\"surfaces\":{" SURFACE ",\"b\":{}}}";

    compare(WITH(""), changed, "/surfaces/a", "has changed");
    compare(WITH(""), two, "/surfaces/b", "is new");
    compare(two, WITH(""), "/surfaces", "\"b\" is gone");
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

    before.text = now.text = strdup(text);
    before.length = now.length = strlen(text);
    for (size_t i = 1; i < sizeof(packs) / sizeof(packs[0]); i++) {
        now.packs = &packs[i];
        faults.count = 0;
        assert_int_equal(difference_check(&before, &now, &faults), i == 1 ? OK : ERROR_INVALID);
        assert_int_equal(faults.count, i > 1);
    }
    assert_string_equal(faults.items[0].pointer, "/surfaces/a");
    assert_non_null(strstr(faults.items[0].text, "pack"));
    free(before.text);
}
