/* json/parse.c: one form for what means the same, another for what does not. */
#include "json/parse.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static void expect(const char *text, const char *form)
{
    json_t *value = NULL;
    struct buffer out;

    assert_int_equal(json_parse(text, strlen(text), &value), OK);
    buffer_init(&out, CANONICAL_BYTES_MAX);
    canonical_append(&out, value);
    assert_false(buffer_failed(&out));
    assert_string_equal(out.data, form);
    buffer_clear(&out);
    json_decref(value);
}

TEST(test_form)
{
    expect(" { } ", "{}");
    expect("[ 1 , true, false ,null ]", "[1,true,false,null]");
    expect("{\"b\":1,\"a\":2,\"B\":3,\"\":4}", "{\"\":4,\"B\":3,\"a\":2,\"b\":1}");
    expect("{\"\\u00e9\":1,\"z\":2,\"\\u0061\":3}", "{\"a\":3,\"z\":2,\"\xc3\xa9\":1}");
    expect("[\"\\/\\u0041\\u00e9\"]", "[\"/A\xc3\xa9\"]");
    expect("[1.0,1e0,0.1,100e-2,1e300,-0.0]", "[1.0,1.0,0.1,1.0,1e+300,-0.0]");
    expect("[0.30000000000000004,5e-324]", "[0.30000000000000004,4.94065645841247e-324]");
    expect("{\"a\":{\"y\":[],\"x\":{}}}", "{\"a\":{\"x\":{},\"y\":[]}}");
}

static void digest_of(const char *text, char out[SHA256_HEX_SIZE])
{
    assert_int_equal(canonical_text_digest(text, strlen(text), out), OK);
}

TEST(test_digest)
{
    char left[SHA256_HEX_SIZE], right[SHA256_HEX_SIZE];

    digest_of("{\"a\":1,\"b\":[\"x\"]}", left);
    digest_of(" {\"b\" : [\"\\u0078\"] , \"a\":1} ", right);
    assert_string_equal(left, right);
    digest_of("{\"a\":1.0,\"b\":[\"x\"]}", right);
    assert_string_not_equal(left, right);
    digest_of("\"x\"", left);
    digest_of("[\"x\"]", right);
    assert_string_not_equal(left, right);
}

/* Any value, but one, and nothing that ends the array around it. */
TEST(test_no_value)
{
    static const char *const texts[] = {"", " ", "1,2", "1],[2", "{\"a\":1,\"a\":2}", "nul", "01"};
    char digest[SHA256_HEX_SIZE];
    char *large = malloc(CANONICAL_TEXT_BYTES_MAX + 1);

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_int_equal(canonical_text_digest(texts[i], strlen(texts[i]), digest), ERROR_SYNTAX);
    assert_non_null(large);
    memset(large, ' ', CANONICAL_TEXT_BYTES_MAX + 1);
    large[0] = '1';
    assert_int_equal(canonical_text_digest(large, CANONICAL_TEXT_BYTES_MAX, digest), OK);
    assert_int_equal(canonical_text_digest(large, CANONICAL_TEXT_BYTES_MAX + 1, digest),
                     ERROR_LIMIT);
    free(large);
}
