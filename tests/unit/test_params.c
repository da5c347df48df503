/* params.c and json/parse.c: identity, parts, and the commands in a record. */
#include "policy/params.h"

#include "unit.h"
#include "json/scan.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct params *parse(const char *text)
{
    struct params *params = NULL;

    if (params_parse(text, strlen(text), &params) != OK)
        fail_msg("not accepted: %s", text);
    return params;
}

static void digest(const char *text, char out[SHA256_HEX_SIZE])
{
    struct params *params = parse(text);

    assert_int_equal(params_digest(params, out), OK);
    params_destroy(params);
}

TEST(test_same_record_same_digest)
{
    static const char *const same[] = {
        "{\"a\":1,\"b\":{\"x\":[true,null,\"\xc3\xa9\"],\"y\":0.1}}",
        "{\"b\":{\"y\":0.1,\"x\":[true,null,\"\xc3\xa9\"]},\"a\":1}",
        " {\n\t\"b\" : { \"y\" : 1e-1, \"x\" : [ true , null , \"\\u00e9\" ] } , \"a\" : 1 }\n",
        "{\"\\u0061\":1,\"b\":{\"x\":[true,null,\"\\u00E9\"],\"y\":1.0E-1}}",
        "{\"a\":1,\"b\":{\"x\":[true,null,\"\xc3\xa9\"],\"y\":0.10000000000000001}}",
    };
    char first[SHA256_HEX_SIZE], next[SHA256_HEX_SIZE], direct[SHA256_HEX_SIZE];

    digest(same[0], first);
    /* The first is canonical already. */
    secret_sha256_hex(same[0], strlen(same[0]), direct);
    assert_string_equal(first, direct);
    for (size_t i = 1; i < sizeof(same) / sizeof(same[0]); i++) {
        digest(same[i], next);
        assert_string_equal(first, next);
    }
}

TEST(test_other_record_other_digest)
{
    static const char *const records[] = {
        "{}",
        "{\"a\":1}",
        "{\"a\":2}",
        "{\"a\":\"1\"}",
        "{\"a\":1.0}",
        "{\"a\":[1]}",
        "{\"A\":1}",
        "{\"a\":true}",
        "{\"a\":null}",
        "{\"a\":{}}",
        "{\"a\":[]}",
        "{\"a\":[1,2]}",
        "{\"a\":[2,1]}",
        "{\"a\":\"\"}",
        "{\"a \":1}",
        "{\"b\":1}",
        "{\"a\":1.5}",
        "{\"a\":1,\"b\":1}",
        "{\"a\":[[1],2]}",
        "{\"a\":[[1,2]]}",
        "{\"a\":0.1}",
        "{\"a\":0.10000000000000002}",
        "{\"a\":9007199254740993}",
        "{\"a\":9007199254740992}",
    };
    enum { COUNT = sizeof(records) / sizeof(records[0]) };
    char digests[COUNT][SHA256_HEX_SIZE];

    for (size_t i = 0; i < COUNT; i++) {
        digest(records[i], digests[i]);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(digests[i], digests[j]) == 0)
                fail_msg("%s and %s have one digest", records[i], records[j]);
        }
    }
}

TEST(test_refused_texts)
{
    static const char *const bad[] = {
        "",
        " ",
        "[]",
        "[{}]",
        "\"a\"",
        "1",
        "null",
        "{",
        "{}}",
        "{}{}",
        "{\"a\":1,}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":NaN}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\xff\"}",
        "\xef\xbb\xbf{}",
        "{\"a\":1}//",
        "{\"a\":99999999999999999999}",
    };
    struct params *params = NULL;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (params_parse(bad[i], strlen(bad[i]), &params) != ERROR_SYNTAX)
            fail_msg("not refused as malformed: %s", bad[i]);
        assert_null(params);
    }
    /* jansson alone reads past this NUL. */
    assert_int_equal(params_parse("{\"a\":1\0}", 8, &params), ERROR_SYNTAX);
    params_destroy(NULL);
}

TEST(test_limits)
{
    char *text = malloc(PARAMS_BYTES_MAX + 2);
    struct params *params = NULL;

    memset(text, ' ', PARAMS_BYTES_MAX + 1);
    memcpy(text, "{}", 2);
    assert_int_equal(params_parse(text, PARAMS_BYTES_MAX, &params), OK);
    params_destroy(params);
    params = NULL;
    assert_int_equal(params_parse(text, PARAMS_BYTES_MAX + 1, &params), ERROR_LIMIT);
    memset(text, '[', 1000);
    memcpy(text, "{\"a\":", 5);
    assert_int_equal(params_parse(text, 1000, &params), ERROR_LIMIT);
    assert_null(params);
    free(text);
}

TEST(test_part_digests)
{
    struct params *params =
        parse("{\"server\":{\"args\":[\"x\",{\"k\":7}],\"\":1,\"a/b\":2,\"m~n\":3}}");
    static const struct {
        const char *pointer, *same;
    } parts[] = {
        {"/server/args/1", "{\"k\":7}"}, {"/server/args/1/k", "7"}, {"/server/", "1"},
        {"/server/a~1b", "2"},           {"/server/m~0n", "3"},     {"/server/args/0", "\"x\""},
    };
    static const char *const nowhere[] = {"/x",
                                          "server",
                                          "/server/args/2",
                                          "/server/args/01",
                                          "/server/args/-",
                                          "/server/args/x",
                                          "/server/args/1/k/z",
                                          "/server/a~2b",
                                          "/server/m~",
                                          "/server/args/99999999999",
                                          "/"};
    char part[SHA256_HEX_SIZE], text[SHA256_HEX_SIZE];

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_int_equal(params_part_digest(params, parts[i].pointer, part), OK);
        assert_int_equal(canonical_text_digest(parts[i].same, strlen(parts[i].same), text), OK);
        assert_string_equal(part, text);
    }
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        assert_int_equal(params_part_digest(params, nowhere[i], part), ERROR_NOT_FOUND);
    assert_int_equal(params_digest(params, text), OK);
    assert_int_equal(params_part_digest(params, NULL, part), OK);
    assert_string_equal(part, text);
    assert_int_equal(params_part_digest(params, "", part), OK);
    assert_string_equal(part, text);
    params_destroy(params);
}

TEST(test_text_digests)
{
    static const char *const bad[] = {"",     " ",  "1,2", "1]", "],[",
                                      "{}{}", "\"", "1 2", "]",  "{\"a\":1,\"a\":1}"};
    static const char spaced[] = " { \"b\":1, \"a\":2 } ";
    char left[SHA256_HEX_SIZE], right[SHA256_HEX_SIZE];

    assert_int_equal(canonical_text_digest(spaced, strlen(spaced), left), OK);
    assert_int_equal(canonical_text_digest("{\"a\":2,\"b\":1}", 13, right), OK);
    assert_string_equal(left, right);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (canonical_text_digest(bad[i], strlen(bad[i]), left) != ERROR_SYNTAX)
            fail_msg("not refused: %s", bad[i]);
    }
    assert_int_equal(canonical_text_digest("1", PARAMS_BYTES_MAX + 1, left), ERROR_LIMIT);
}

static void expect_part(const struct params *params, const char *pointer,
                        enum inject_encoding encoding, const char *expected)
{
    struct buffer out;

    buffer_init(&out, PARAMS_BYTES_MAX);
    buffer_append_text(&out, ">");
    assert_int_equal(params_append_part(params, pointer, encoding, &out), OK);
    assert_string_equal(out.data + 1, expected);
    buffer_clear(&out);
}

TEST(test_append_part)
{
    struct params *params =
        parse("{\"z\":\"a b&c\\n\",\"n\":{\"y\":[0.1,1e300,-5,2.0],\"x\":\"\"}}");
    struct buffer out;

    expect_part(params, "/z", INJECT_TEXT, "a b&c\n");
    expect_part(params, "/n/x", INJECT_TEXT, "");
    expect_part(params, "/z", INJECT_JSON, "\"a b&c\\u000a\"");
    expect_part(params, "/n", INJECT_JSON, "{\"x\":\"\",\"y\":[0.1,1e+300,-5,2.0]}");
    expect_part(params, "/n/x", INJECT_BASE64_JSON, "IiI=");
    expect_part(params, "/n/y/2", INJECT_BASE64_JSON, "LTU=");

    buffer_init(&out, 8);
    assert_int_equal(params_append_part(params, "/n", INJECT_TEXT, &out), ERROR_INVALID);
    assert_int_equal(params_append_part(params, "/m", INJECT_JSON, &out), ERROR_NOT_FOUND);
    assert_int_equal(params_append_part(params, "/n", INJECT_JSON, &out), ERROR_LIMIT);
    buffer_clear(&out);
    assert_int_equal(params_append_part(params, "/n", INJECT_BASE64_JSON, &out), ERROR_LIMIT);
    buffer_clear(&out);
    params_destroy(params);
}

/* What a splitter could read in two ways never leaves the store. */
TEST(test_append_shell_words)
{
    static const char record[] =
        "{\"args\":[\"-y\",\"a b\",\"\",\"$HOME `x` ;|&#*?\\u00fc\"],\"none\":[],"
        "\"bad\":[[\"it's\"],[\"back\\\\slash\"],[\"line\\nend\"],[\"del\\u007f\"],[1],[null],"
        "[[\"nested\"]]],\"text\":\"a b\"}";
    struct params *params = NULL;
    struct buffer out;

    assert_int_equal(params_parse(record, strlen(record), &params), OK);
    expect_part(params, "/args", INJECT_SHELL_WORDS, "'-y' 'a b' '' '$HOME `x` ;|&#*?\xc3\xbc'");
    expect_part(params, "/none", INJECT_SHELL_WORDS, "");
    buffer_init(&out, 1024);
    assert_int_equal(params_append_part(params, "/text", INJECT_SHELL_WORDS, &out), ERROR_INVALID);
    for (int i = 0; i < 7; i++) {
        char pointer[16];

        (void)snprintf(pointer, sizeof(pointer), "/bad/%d", i);
        assert_int_equal(params_append_part(params, pointer, INJECT_SHELL_WORDS, &out),
                         ERROR_INVALID);
    }
    buffer_clear(&out);
    buffer_init(&out, 8);
    assert_int_equal(params_append_part(params, "/args", INJECT_SHELL_WORDS, &out), ERROR_LIMIT);
    buffer_clear(&out);
    params_destroy(params);
}

/* Random reals: what is injected reads back as the very number that was stored. */
TEST(test_reals_keep_their_value)
{
    for (int i = 0; i < 2000; i++) {
        char text[64];
        uint64_t bits;
        double value;
        struct params *params;
        struct buffer out;
        json_t *array;

        assert_int_equal(secret_random(&bits, sizeof(bits)), OK);
        memcpy(&value, &bits, sizeof(value));
        if (!(value - value == 0.0))
            continue; /* not finite */
        snprintf(text, sizeof(text), "{\"v\":[%.17e]}", value);
        params = parse(text);
        buffer_init(&out, 256);
        assert_int_equal(params_append_part(params, "/v", INJECT_JSON, &out), OK);
        array = json_loadb(out.data, out.length, 0, NULL);
        assert_true(json_is_real(json_array_get(array, 0)));
        assert_true(json_real_value(json_array_get(array, 0)) == value);
        json_decref(array);
        buffer_clear(&out);
        params_destroy(params);
    }
}

/* Writes what it is shown as "path command args|env|fault;". */
static enum error note(void *context, const struct params_command *command)
{
    struct buffer *out = context;

    buffer_append_format(out, "%s %s", command->path, command->command);
    for (size_t i = 0; command->args[i] != NULL; i++)
        buffer_append_format(out, " %s", command->args[i]);
    buffer_append_text(out, "|");
    for (size_t i = 0; command->env_names[i] != NULL; i++)
        buffer_append_format(out, "%s,", command->env_names[i]);
    buffer_append_text(out, command->fault != NULL ? "|fault;" : "|;");
    return OK;
}

static void expect_commands(const char *record, const char *expected)
{
    struct params *params = parse(record);
    struct buffer out;

    buffer_init(&out, 4096);
    buffer_append_text(&out, "");
    assert_int_equal(params_each_command(params, note, &out), OK);
    if (strcmp(out.data, expected) != 0)
        fail_msg("%s: %s instead of %s", record, out.data, expected);
    buffer_clear(&out);
    params_destroy(params);
}

TEST(test_commands_are_found)
{
    expect_commands("{}", "");
    expect_commands("{\"cmd\":\"x\",\"args\":[1]}", "");
    expect_commands("{\"command\":\"npx\"}", " npx||;");
    expect_commands("{\"command\":\"npx\",\"args\":null,\"env\":null}", " npx||;");
    expect_commands(
        "{\"command\":\"npx\",\"args\":[\"-y\",\"p\"],\"env\":{\"A\":\"1\",\"B\":\"\"}}",
        " npx -y p|A,B,|;");
    expect_commands("{\"a\":{\"b/c\":[0,{\"~\":{\"command\":\"x\"}}]}}", "/a/b~1c/1/~0 x||;");
    expect_commands("{\"command\":\"x\",\"n\":{\"command\":\"y\"},\"l\":[{\"command\":\"z\"}]}",
                    " x||;/n y||;/l/0 z||;");
    expect_commands("{\"args\":[{\"command\":\"hidden\"}]}", "/args/0 hidden||;");
    expect_commands("{\"command\":{\"command\":\"x\"}}", " ||fault;/command x||;");
}

TEST(test_faulty_commands)
{
    expect_commands("{\"command\":1}", " ||fault;");
    expect_commands("{\"command\":\"\"}", " ||fault;");
    expect_commands("{\"command\":null}", " ||fault;");
    expect_commands("{\"command\":[\"npx\"]}", " ||fault;");
    expect_commands("{\"command\":\"x\",\"args\":\"-y\"}", " x||fault;");
    expect_commands("{\"command\":\"x\",\"args\":{}}", " x||fault;");
    expect_commands("{\"command\":\"x\",\"args\":[\"a\",1]}", " x a||fault;");
    expect_commands("{\"command\":\"x\",\"env\":[\"A=1\"]}", " x||fault;");
    expect_commands("{\"command\":\"x\",\"env\":{\"A\":1}}", " x||fault;");
    /* Members another reader may take for these. */
    expect_commands("{\"Command\":\"x\"}", " ||fault;");
    expect_commands("{\"command\":\"x\",\"COMMAND\":\"y\"}", " x||fault;");
    expect_commands("{\"command\":\"x\",\"Args\":[\"-y\"]}", " x||fault;");
    expect_commands("{\"command\":\"x\",\"ENV\":{}}", " x||fault;");
}

static enum error stop_at_second(void *context, const struct params_command *command)
{
    unsigned *count = context;

    (void)command;
    return ++*count == 2 ? ERROR_DENIED : OK;
}

TEST(test_visit_stops)
{
    struct params *params =
        parse("{\"a\":[{\"command\":\"x\"},{\"command\":\"y\"},{\"command\":\"z\"}]}");
    unsigned count = 0;

    assert_int_equal(params_each_command(params, stop_at_second, &count), ERROR_DENIED);
    assert_int_equal(count, 2);
    params_destroy(params);
}

/* The longest pointer a record can have: one key that fills it, every byte escaped. */
TEST(test_long_keys)
{
    char *text = malloc(PARAMS_BYTES_MAX + 1);
    size_t keys = PARAMS_BYTES_MAX - 32;
    struct params *params;
    unsigned count = 0;

    memcpy(text, "{\"", 2);
    memset(text + 2, '~', keys);
    strcpy(text + 2 + keys, "\":{\"command\":\"x\"}}");
    params = parse(text);
    assert_int_equal(params_each_command(params, stop_at_second, &count), OK);
    assert_int_equal(count, 1);
    params_destroy(params);
    free(text);
}
