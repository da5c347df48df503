/* json_scan.c: what is accepted, against our list and against jansson; what is recorded. */
#include "json/keys.h"
#include "json/scan.h"

#include "scan_fixture.h"
#include "vector_lines.h"

#include <stdint.h>

#include <jansson.h>

CMFixtureFunction unit_set_up = scan_set_up, unit_tear_down = scan_tear_down;

static enum reason scan_of(const char *text)
{
    return json_scan_text(scan, text, strlen(text), NULL);
}

static enum reason scan_with(const char *text, const char *first, const char *second)
{
    struct text_list descend = {0};
    enum reason reason;

    assert_int_equal(text_list_add(&descend, first, strlen(first)), OK);
    if (second != NULL)
        assert_int_equal(text_list_add(&descend, second, strlen(second)), OK);
    reason = json_scan_text(scan, text, strlen(text), &descend);
    text_list_clear(&descend);
    return reason;
}

static bool jansson_accepts(const char *text, size_t length)
{
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

    json_decref(value);
    return value != NULL;
}

TEST(test_vectors)
{
    struct vector_line vector;
    unsigned accepted = 0, refused = 0, differing = 0;

    vector_open(&vector, VECTORS_DIR "/json/texts.txt");
    while (vector_next(&vector, 3)) {
        const char *name = vector.fields[0];
        enum reason reason = json_scan_text(scan, vector.text, vector.length, NULL);
        bool jansson = jansson_accepts(vector.text, vector.length);

        if (strcmp(reason_info(reason)->code, vector.fields[1]) != 0)
            fail_msg("%s: %s, not %s", name, reason_info(reason)->code, vector.fields[1]);
        if (reason_allows(reason) != (name[0] == 'y' || name[0] == 'o') ||
            jansson != (name[0] == 'y' || name[0] == 'x'))
            fail_msg("%s: the scanner says %s, jansson says %s", name, reason_info(reason)->code,
                     jansson ? "yes" : "no");
        accepted += name[0] == 'y';
        refused += name[0] == 'n';
        differing += name[0] == 'x' || name[0] == 'o';
    }
    vector_close(&vector);
    assert_true(accepted >= 50);
    assert_true(refused >= 150);
    assert_true(differing >= 4);
}

/* Every beginning of an accepted text is refused, and nothing behind it is read. */
TEST(test_beginnings)
{
    static const char whole[] = "{\"a\":[1,-2.5e+3,\"x\\u00e9\\ud83d\\ude00\xc3\xa9\",true,false,"
                                "null,{\"b\\n\":{}}],\"c\":\"0123456789abcdef0123456789\"}";

    for (size_t length = 0; length <= strlen(whole); length++) {
        char *copy = malloc(length > 0 ? length : 1);

        assert_non_null(copy);
        memcpy(copy, whole, length);
        assert_int_equal(reason_allows(json_scan_text(scan, copy, length, NULL)),
                         length == strlen(whole));
        free(copy);
    }
}

/* Every single byte, put in every place of a text: the same verdict as jansson's. (No number there
 * becomes one that jansson cannot hold.) */
TEST(test_one_byte_changed)
{
    static const char whole[] = "{\"k\":[1,-0.5e3,\"\\u00e9\xc3\xa9z\",true],\"l\":{}}";
    char copy[sizeof(whole)];

    for (size_t place = 0; place < strlen(whole); place++) {
        for (int byte = 1; byte < 256; byte++) {
            memcpy(copy, whole, sizeof(whole));
            copy[place] = (char)byte;
            if (reason_allows(json_scan_text(scan, copy, strlen(whole), NULL)) !=
                jansson_accepts(copy, strlen(whole)))
                fail_msg("byte %02x at %zu", (unsigned)byte, place);
        }
    }
}

/* A string that ends, or goes wrong, at every offset of the blocks it is read in. */
TEST(test_string_blocks)
{
    char text[128];

    for (size_t length = 0; length < 70; length++) {
        memset(text, 'a', sizeof(text));
        memcpy(text, "[\"", 2);
        memcpy(text + 2 + length, "\"]", 2);
        assert_int_equal(json_scan_text(scan, text, length + 4, NULL), REASON_ALLOWED);
        if (length == 0)
            continue;
        text[1 + length] = '\x1f';
        assert_int_equal(json_scan_text(scan, text, length + 4, NULL), REASON_JSON_SYNTAX);
        assert_int_equal(json_scan_fault_offset(scan), 1 + length);
        text[1 + length] = '\x80';
        assert_int_equal(json_scan_text(scan, text, length + 4, NULL), REASON_JSON_UTF8);
        text[1 + length] = '\0';
        assert_int_equal(json_scan_text(scan, text, length + 4, NULL), REASON_JSON_NUL);
    }
}

/* What answers may hold, near enough. */
static const struct json_limits generous = {512, UINT32_MAX, UINT32_MAX, 4000000, false};

static enum reason scan_generously(struct span text, const struct text_list *descend)
{
    return json_scan_wishing(scan, text,
                             &(struct json_scan_wishes){.limits = &generous, .descend = descend});
}

/* Escapes that spell no Unicode text pass in values, are told, and are in no key. */
TEST(test_odd)
{
    static const char text[] =
        "{\"a\":\"\\ud83d\",\"b\":\"x\\u0000\",\"c\":\"\\ud83d\\ude00\",\"d\":1,"
        "\"e\":[\"\\udc00\"],\"f\":\"\\udc00\\ud800\",\"g\":\"\\n\"}";
    static const bool odd[] = {true, true, false, false, false, true, false};
    static const char *const keys[][2] = {{"[{\"\\ud83d\":1}]", "json_surrogate"},
                                          {"{\"a\\u0000\":1}", "json_nul"},
                                          {"{\"a\":{\"\\udc00x\":1}}", "json_surrogate"},
                                          {"[\"a", "json_syntax"}};
    char room[16];
    struct span shown;

    assert_int_equal(scan_generously((struct span){text, sizeof(text) - 1}, NULL), REASON_ALLOWED);
    assert_int_equal(json_scan_count(scan), 7);
    for (size_t i = 0; i < 7; i++) {
        const struct json_member *member = json_scan_member(scan, i);

        assert_int_equal(member->odd, odd[i]);
        assert_int_equal(json_member_of(member->value).odd, odd[i]);
        if (member->type == JSON_TYPE_STRING)
            assert_int_equal(json_member_text(member, room, sizeof(room), &shown), !odd[i]);
    }
    assert_int_equal(scan_of(text), REASON_JSON_SURROGATE);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        assert_string_equal(reason_info(scan_generously(span_of(keys[i][0]), NULL))->code,
                            keys[i][1]);
    /* A byte that is NUL, and one that is no UTF-8, pass nowhere. */
    assert_int_equal(scan_generously((struct span){"[\"a\0\"]", 6}, NULL), REASON_JSON_NUL);
    assert_int_equal(scan_generously(span_of("[\"\xed\xa0\x80\"]"), NULL), REASON_JSON_UTF8);
}

TEST(test_depth)
{
    char text[2 * 600 + 1];

    for (unsigned depth = 500; depth <= 600; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(
            reason_allows(scan_generously((struct span){text, (size_t)2 * depth}, NULL)),
            depth <= 512);
    }
    assert_int_equal(json_scan_fault_offset(scan), 512);
    /* The room for it is given back, and asked for again. */
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_int_equal(json_scan_text(scan, text, 128, NULL), REASON_ALLOWED);
    assert_int_equal(json_scan_text(scan, text, 127, NULL), REASON_JSON_SYNTAX);
}

static size_t write_object(char *out, unsigned members, unsigned first)
{
    size_t length = 0;

    out[length++] = '{';
    for (unsigned i = 0; i < members; i++)
        length += (size_t)sprintf(out + length, "%s\"k%u\":0", i > 0 ? "," : "", first + i);
    out[length++] = '}';
    return length;
}

TEST(test_members_limit)
{
    char *text = malloc(20 * (JSON_MEMBERS_MAX + 4));
    size_t length;

    assert_non_null(text);
    text[0] = '[';
    length = 1 + write_object(text + 1, JSON_MEMBERS_MAX, 0);
    text[length++] = ']';
    assert_int_equal(json_scan_text(scan, text, length, NULL), REASON_ALLOWED);
    length = 1 + write_object(text + 1, JSON_MEMBERS_MAX + 1, 0);
    text[length++] = ']';
    assert_int_equal(json_scan_text(scan, text, length, NULL), REASON_JSON_MEMBERS);
    free(text);
}

/* Large objects, one after the other and one in the other, with a key twice in the last. */
TEST(test_keys_limit)
{
    const unsigned objects = JSON_KEYS_MAX / JSON_MEMBERS_MAX;
    char *text = malloc(20 * (size_t)(JSON_KEYS_MAX + 100));
    size_t length = 0;

    assert_non_null(text);
    text[length++] = '[';
    for (unsigned i = 0; i < objects; i++) {
        length += write_object(text + length, JSON_MEMBERS_MAX, 0);
        text[length++] = ',';
    }
    text[length - 1] = ']';
    assert_int_equal(json_scan_text(scan, text, length, NULL), REASON_ALLOWED);
    memcpy(text + length - 1, ",{\"a\":1}]", 9);
    assert_int_equal(json_scan_text(scan, text, length + 8, NULL), REASON_JSON_MEMBERS);
    /* The table has grown; a small text afterwards must not see the old keys. */
    assert_int_equal(scan_of("[{\"k1\":1,\"k2\":2}]"), REASON_ALLOWED);
    free(text);
}

/* Far more keys than fit the memory, in objects that are closed; and more than fit in one. */
TEST(test_keys_memory)
{
    const unsigned most = 2 * 1024 * 1024, rows = 150000;
    char *text = malloc((size_t)20 * (most + 100));
    size_t length = 1;

    assert_non_null(text);
    text[0] = '[';
    for (unsigned i = 0; i < rows; i++) {
        length += write_object(text + length, 20, 0);
        text[length++] = ',';
    }
    text[length - 1] = ']';
    assert_int_equal(scan_generously((struct span){text, length}, NULL), REASON_ALLOWED);
    length = 1 + write_object(text + 1, most, 0);
    text[length++] = ']';
    assert_int_equal(scan_generously((struct span){text, length}, NULL), REASON_ALLOWED);
    length = 1 + write_object(text + 1, most + 1, 0);
    text[length++] = ']';
    assert_int_equal(scan_generously((struct span){text, length}, NULL), REASON_JSON_MEMBERS);
    free(text);
}

/* Keys of objects that are open, closed and open again: the same ones twice, wherever they are. */
TEST(test_keys_let_go)
{
    char text[65536];
    size_t length = 1, cut;

    text[0] = '[';
    for (unsigned i = 0; i < 3; i++) { /* after each other */
        length += write_object(text + length, 600, 0);
        text[length++] = ',';
    }
    length += write_object(text + length, 700, 0) - 1;
    length += (size_t)sprintf(text + length, ",\"in\":[");
    length += write_object(text + length, 900, 0);
    length += (size_t)sprintf(text + length, ",{},[{\"k1\":{\"k1\":0}}]]");
    cut = length;
    for (unsigned i = 0; i <= 700; i += 7) { /* and around each other */
        length = cut + (size_t)sprintf(text + cut, ",\"k%u\":0}]", i);
        assert_int_equal(scan_generously((struct span){text, length}, NULL),
                         i < 700 ? REASON_JSON_DUPLICATE_KEY : REASON_ALLOWED);
    }
}

TEST(test_values_limit)
{
    static const struct json_limits few = {64, 10, 10, 5, false};
    const struct json_scan_wishes wishes = {.limits = &few};

    assert_int_equal(json_scan_wishing(scan, span_of("[1,{\"a\":[]},2]"), &wishes), REASON_ALLOWED);
    assert_int_equal(json_scan_wishing(scan, span_of("[1,{\"a\":[]},2,3]"), &wishes),
                     REASON_JSON_VALUES);
}

TEST(test_large_objects_nested)
{
    char text[8192];
    size_t length, cut;

    /* Open an object of 40, put one of 40 with the same keys in, go on with the outer one. */
    length = write_object(text, 40, 0) - 1;
    length += (size_t)sprintf(text + length, ",\"in\":");
    length += write_object(text + length, 40, 0);
    cut = length;
    sprintf(text + cut, ",\"k40\":0}");
    assert_int_equal(scan_with(text, "none", NULL), REASON_ALLOWED);
    sprintf(text + cut, ",\"k39\":0}");
    assert_int_equal(scan_with(text, "none", NULL), REASON_JSON_DUPLICATE_KEY);
    sprintf(text + cut, ",\"k\\u0030\":0}");
    assert_int_equal(scan_with(text, "none", NULL), REASON_JSON_DUPLICATE_KEY);
}

/* Every pair among many keys in one object, found wherever the second one comes. */
TEST(test_duplicate_anywhere)
{
    char text[8192];

    for (unsigned members = 1; members < 120; members += 7) {
        for (unsigned twin = 0; twin < members; twin++) {
            size_t length = write_object(text + 1, members, 0);

            text[0] = '[';
            sprintf(text + length, ",\"k%u\":0}]", twin);
            assert_int_equal(scan_with(text, "none", NULL), REASON_JSON_DUPLICATE_KEY);
        }
    }
}

TEST(test_recording)
{
    const struct json_member *member, *params;

    assert_int_equal(
        scan_with("{ \"id\" : 7, \"params\":{\"name\":\"e\\n\",\"arguments\":{\"deep\":1},"
                  "\"ref\":{\"uri\":\"x\"}},\"other\":{\"name\":2},\"list\":[{\"name\":3}] }",
                  "params", "ref"),
        REASON_ALLOWED);
    assert_int_equal(json_scan_root(scan), JSON_TYPE_OBJECT);
    assert_int_equal(json_scan_count(scan), 8);

    member = json_scan_find(scan, -1, "id");
    assert_non_null(member);
    assert_int_equal(member->type, JSON_TYPE_INTEGER);
    assert_int_equal(member->depth, 1);
    assert_int_equal(member->parent, -1);
    assert_true(span_equals(member->value, "7"));

    params = json_scan_find(scan, -1, "params");
    assert_non_null(params);
    assert_int_equal(params->type, JSON_TYPE_OBJECT);
    assert_true(span_equals(params->value, "{\"name\":\"e\\n\",\"arguments\":{\"deep\":1},"
                                           "\"ref\":{\"uri\":\"x\"}}"));
    member = json_scan_find(scan, (int)(params - json_scan_member(scan, 0)), "name");
    assert_non_null(member);
    assert_int_equal(member->depth, 2);
    assert_true(member->value_escaped);
    assert_true(span_equals(member->value, "\"e\\n\""));
    member = json_scan_find(scan, (int)(params - json_scan_member(scan, 0)), "ref");
    assert_non_null(member);
    member = json_scan_find(scan, (int)(member - json_scan_member(scan, 0)), "uri");
    assert_non_null(member);
    assert_int_equal(member->depth, 3);

    /* No deeper than JSON_RECORD_DEPTH, whatever is asked for. */
    assert_int_equal(scan_with("{\"params\":{\"ref\":{\"ref\":{\"x\":1}}}}", "params", "ref"),
                     REASON_ALLOWED);
    assert_int_equal(json_scan_count(scan), JSON_RECORD_DEPTH);
}

TEST(test_not_recorded)
{
    assert_int_equal(scan_with("{\"params\":{\"arguments\":{\"deep\":1}},\"other\":{\"deep\":2},"
                               "\"list\":[{\"deep\":3}],\"p\\u0061rams\":{\"deep\":4}}",
                               "params", "list"),
                     REASON_JSON_DUPLICATE_KEY);
    assert_int_equal(scan_with("{\"params\":{\"arguments\":{\"deep\":1}},\"other\":{\"deep\":2},"
                               "\"list\":[{\"deep\":3}],\"r\\u0065f\":{\"deep\":4}}",
                               "params", "ref"),
                     REASON_ALLOWED);
    assert_int_equal(json_scan_count(scan), 5);
    /* Neither an object nobody asked for, nor one in a list, nor the arguments. */
    for (size_t i = 0; i < json_scan_count(scan); i++)
        assert_false(span_equals(json_scan_member(scan, i)->key, "deep"));
    assert_null(json_scan_find(scan, -1, "deep"));
    assert_null(json_scan_find(scan, -1, "param"));
    assert_null(json_scan_member(scan, 5));
}

TEST(test_recording_types)
{
    static const enum json_type types[] = {JSON_TYPE_OBJECT,  JSON_TYPE_ARRAY, JSON_TYPE_STRING,
                                           JSON_TYPE_INTEGER, JSON_TYPE_REAL,  JSON_TYPE_REAL,
                                           JSON_TYPE_TRUE,    JSON_TYPE_FALSE, JSON_TYPE_NULL};

    assert_int_equal(scan_of("{\"a\":{},\"b\":[[]],\"c\":\"\",\"d\":-1,\"e\":1.0,\"f\":1e0,"
                             "\"g\":true,\"h\":false,\"i\":null}"),
                     REASON_ALLOWED);
    assert_int_equal(json_scan_count(scan), 9);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(json_scan_member(scan, i)->type, types[i]);
    assert_true(span_equals(json_scan_member(scan, 1)->value, "[[]]"));
    assert_int_equal(scan_of("[{\"a\":1}]"), REASON_ALLOWED);
    assert_int_equal(json_scan_root(scan), JSON_TYPE_ARRAY);
    assert_int_equal(json_scan_count(scan), 0);
    /* After a fault there is nothing to find. */
    assert_int_equal(scan_of("{\"a\":1,"), REASON_JSON_SYNTAX);
    assert_int_equal(json_scan_count(scan), 0);
    assert_int_equal(json_scan_root(scan), JSON_NONE);
}

TEST(test_recording_limit)
{
    static char text[16 * (JSON_RECORDED_MAX + 2)];
    size_t length = write_object(text, JSON_RECORDED_MAX, 0);

    assert_int_equal(json_scan_text(scan, text, length, NULL), REASON_ALLOWED);
    assert_int_equal(json_scan_count(scan), JSON_RECORDED_MAX);
    length = write_object(text, JSON_RECORDED_MAX + 1, 0);
    assert_int_equal(json_scan_text(scan, text, length, NULL), REASON_JSON_RECORDED);
    /* Members that are not recorded do not count. */
    memcpy(text, "{\"a\":", 5);
    length = 5 + write_object(text + 5, JSON_RECORDED_MAX + 1, 0);
    text[length++] = '}';
    assert_int_equal(json_scan_text(scan, text, length, NULL), REASON_ALLOWED);
    assert_int_equal(json_scan_count(scan), 1);
}

/* Of an object that is not recorded, only what is watched takes a place. */
TEST(test_watching)
{
    static const struct json_watch watches[] = {
        {{"result", 6}, "tools"}, {{"params", 6}, "_meta"}, {{"_meta", 5}, "ask"}};
    static const char text[] =
        "{\"result\":{\"a\":[{\"tools\":1}],\"tools\":[2],\"b\":{\"tools\":3},\"_meta\":4,"
        "\"TOOLS\":5,\"\\u0054ools\":6,\"tool\xc5\xbf\":7},\"tools\":8,"
        "\"params\":{\"tools\":9,\"_meta\":{\"as\xe2\x84\xaa\":10,\"x\":{\"ask\":11}},\"z\":12}}";
    static const char *const values[] = {NULL, "[2]", "5", "6", "7", "8", NULL, NULL, "10"};
    const struct json_scan_wishes wishes = {.watches = watches, .watch_count = 3};
    static char many[16 * (JSON_RECORDED_MAX + 2)];
    size_t length;

    assert_int_equal(json_scan_wishing(scan, (struct span){text, sizeof(text) - 1}, &wishes),
                     REASON_ALLOWED);
    assert_int_equal(json_scan_count(scan), sizeof(values) / sizeof(*values));
    for (size_t i = 0; i < json_scan_count(scan); i++) {
        if (values[i] != NULL)
            assert_true(span_equals(json_scan_member(scan, i)->value, values[i]));
    }
    assert_true(span_equals(json_scan_find(scan, 0, "tools")->value, "[2]"));
    assert_int_equal(json_scan_lookalike(scan, 0, "tools"), 2);
    assert_int_equal(json_scan_member(scan, 8)->parent, 7);

    memcpy(many, "{\"result\":", 10);
    length = 10 + write_object(many + 10, JSON_RECORDED_MAX + 1, 0);
    many[length++] = '}';
    assert_int_equal(json_scan_wishing(scan, (struct span){many, length}, &wishes), REASON_ALLOWED);
    assert_int_equal(json_scan_count(scan), 1);
    /* Unless all of its members are wanted. */
    assert_int_equal(json_scan_text(scan, text, sizeof(text) - 1, NULL), REASON_ALLOWED);
    assert_int_equal(json_scan_count(scan), 3);
}

TEST(test_lookalikes)
{
    static const char *const alike[] = {"Params",       "PARAMS",       "param\xc5\xbf",
                                        "param\\u017f", "\\u0070arams", "param\\u017F",
                                        "\\u0050arams"};
    static const char *const different[] = {"params", "param",         "paramss", "params ",
                                            "param5", "p\xc3\xa4rams", ""};
    char text[128];

    for (size_t i = 0; i < sizeof(alike) / sizeof(*alike); i++) {
        snprintf(text, sizeof(text), "{\"x\":1,\"%s\":2}", alike[i]);
        assert_int_equal(scan_of(text), REASON_ALLOWED);
        assert_int_equal(json_scan_lookalike(scan, -1, "params"), 1);
        assert_null(json_scan_find(scan, -1, "params"));
    }
    for (size_t i = 0; i < sizeof(different) / sizeof(*different); i++) {
        snprintf(text, sizeof(text), "{\"x\":1,\"%s\":2}", different[i]);
        assert_int_equal(scan_of(text), REASON_ALLOWED);
        assert_int_equal(json_scan_lookalike(scan, -1, "params"), -1);
    }
    assert_int_equal(scan_of("{\"tas\xe2\x84\xaaId\":1}"), REASON_ALLOWED);
    assert_int_equal(json_scan_lookalike(scan, -1, "taskId"), 0);
    /* Only beside its own parent. */
    assert_int_equal(scan_with("{\"params\":{\"Name\":1}}", "params", NULL), REASON_ALLOWED);
    assert_int_equal(json_scan_lookalike(scan, -1, "name"), -1);
    assert_int_equal(json_scan_lookalike(scan, 0, "name"), 1);
}

TEST(test_unescape)
{
    char out[64];
    size_t length = 0;

    assert_int_equal(
        json_scan_unescape(span_of("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\xc3\xa9\""),
                           out, sizeof(out), &length),
        OK);
    assert_string_equal(out, "a\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80\xc3\xa9");
    assert_int_equal(length, strlen(out));
    assert_int_equal(json_scan_unescape(span_of("\"\""), out, 1, &length), OK);
    assert_int_equal(length, 0);
    assert_int_equal(json_scan_unescape(span_of("\"abc\""), out, 4, &length), OK);
    assert_int_equal(json_scan_unescape(span_of("\"abc\""), out, 3, &length), ERROR_LIMIT);
    assert_int_equal(json_scan_unescape(span_of("\"\\u00e9\""), out, 2, &length), ERROR_LIMIT);
    assert_int_equal(json_scan_unescape(span_of("\""), out, 9, &length), ERROR_SYNTAX);
    assert_int_equal(json_scan_unescape(span_of("abc"), out, 9, &length), ERROR_SYNTAX);
    assert_int_equal(json_scan_unescape(span_of("\"\\u12\""), out, 9, &length), ERROR_SYNTAX);
    assert_int_equal(json_scan_unescape(span_of("\"\\\""), out, 9, &length), ERROR_SYNTAX);
}

static void assert_located(const char *text, const char *pointer, const char *rest)
{
    size_t offset = 0;

    assert_true(json_scan_locate(text, strlen(text), pointer, &offset));
    assert_int_equal(strncmp(text + offset, rest, strlen(rest)), 0);
}

TEST(test_locate)
{
    static const char text[] = " { \"a\" : [ 10, {\"b\\n\":\"]}\"}, [\"x,\\\"y\", 12] ],\n"
                               "\"c/d\":{\"\":{\"~\":true}}, \"e\":[] }";
    size_t offset;

    assert_located(text, "", "{ \"a\"");
    assert_located(text, "/a", "\"a\"");
    assert_located(text, "/a/0", "10,");
    assert_located(text, "/a/1", "{\"b");
    assert_located(text, "/a/1/b\n", "\"b\\n\"");
    assert_located(text, "/a/2/0", "\"x,");
    assert_located(text, "/a/2/1", "12]");
    assert_located(text, "/c~1d", "\"c/d\"");
    assert_located(text, "/c~1d//~0", "\"~\":true");
    assert_false(json_scan_locate(text, strlen(text), "/a/3", &offset));
    assert_false(json_scan_locate(text, strlen(text), "/a/00", &offset));
    assert_false(json_scan_locate(text, strlen(text), "/a/-", &offset));
    assert_false(json_scan_locate(text, strlen(text), "/e/0", &offset));
    assert_false(json_scan_locate(text, strlen(text), "/none", &offset));
    assert_false(json_scan_locate(text, strlen(text), "/a/0/x", &offset));
    assert_false(json_scan_locate(text, strlen(text), "a", &offset));
    assert_false(json_scan_locate("{}", 2, "/a", &offset));
    /* Text that nobody checked: nothing found, nothing read beyond its end. */
    for (size_t length = 0; length < strlen(text); length++) {
        char *copy = malloc(length > 0 ? length : 1);

        assert_non_null(copy);
        memcpy(copy, text, length);
        (void)json_scan_locate(copy, length, "/e/1", &offset);
        (void)json_scan_locate(copy, length, "/a/2/0", &offset);
        free(copy);
    }
}
