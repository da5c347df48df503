/*
 * The loader's tables against config/sidelock.schema.json: the same keys, the
 * same bounds, the same words, the same defaults; and what a typing mistake is
 * taken for.
 */
#include "config/load.h"

#include "unit.h"

#include <stddef.h>

#include <jansson.h>
#include <string.h>

static json_t *resolve(json_t *schema, json_t *node)
{
    const char *reference = json_string_value(json_object_get(node, "$ref"));

    if (reference == NULL)
        return node;
    assert_memory_equal(reference, "#/definitions/", 14);
    node = json_object_get(json_object_get(schema, "definitions"), reference + 14);
    if (node == NULL)
        fail_msg("the schema has no %s", reference);
    return node;
}

/* The schema of the objects that a key's table reads: the node itself, its elements, or one choice.
 */
static json_t *object_schema(json_t *schema, json_t *node)
{
    static const char *const inward[] = {"items", "additionalProperties"};
    json_t *inner;
    size_t index;

    node = resolve(schema, node);
    if (json_object_get(node, "properties") != NULL)
        return node;
    for (size_t i = 0; i < 2; i++) {
        inner = json_object_get(node, inward[i]);
        if (json_is_object(inner))
            return object_schema(schema, inner);
    }
    json_array_foreach(json_object_get(node, "anyOf"), index, inner)
    {
        json_t *found = object_schema(schema, inner);

        if (found != NULL)
            return found;
    }
    return NULL;
}

static json_int_t number(json_t *node, const char *name)
{
    json_t *value = json_object_get(node, name);

    if (!json_is_integer(value))
        fail_msg("the schema has no \"%s\" there", name);
    return json_integer_value(value);
}

static void compare_bounds(const struct json_key *key, json_t *node)
{
    if (key->type == JSON_KEY_NUMBER) {
        assert_int_equal(number(node, "minimum"), key->minimum);
        assert_int_equal(number(node, "maximum"), key->maximum);
        assert_int_equal(number(node, "default"), key->preset);
    } else if (key->type == JSON_KEY_LIST || key->type == JSON_KEY_TEXTS) {
        assert_int_equal(number(node, "maxItems"), key->maximum);
        if (key->minimum > 0)
            assert_int_equal(number(node, "minItems"), key->minimum);
    } else if (key->type == JSON_KEY_MAP) {
        assert_int_equal(number(node, "maxProperties"), key->maximum);
    } else if (key->type == JSON_KEY_TEXT && key->maximum > 0) {
        assert_int_equal(number(node, "maxLength"), key->maximum);
    }
}

static void compare_words(const struct json_key *key, json_t *node)
{
    json_t *words = json_object_get(node, "enum");
    const char *preset = json_string_value(json_object_get(node, "default"));
    size_t count = 0;

    for (; key->type == JSON_KEY_CHOICE && key->words[count].word != NULL; count++) {
        assert_string_equal(json_string_value(json_array_get(words, count)),
                            key->words[count].word);
        if (!key->required && key->words[count].value == key->preset)
            assert_string_equal(preset, key->words[count].word);
    }
    if (key->type == JSON_KEY_CHOICE)
        assert_int_equal(json_array_size(words), count);
}

static bool schema_requires(json_t *node, const char *name)
{
    json_t *required = json_object_get(node, "required"), *element;
    size_t index;

    json_array_foreach(required, index, element)
    {
        if (strcmp(json_string_value(element), name) == 0)
            return true;
    }
    return false;
}

static unsigned compare(json_t *schema, json_t *node, const struct json_table *table)
{
    json_t *properties = json_object_get(node, "properties");
    unsigned compared = 0;

    assert_false(json_is_true(json_object_get(node, "additionalProperties")));
    if (json_object_size(properties) != table->count)
        fail_msg("%s: the schema has %zu keys, the loader %zu", table->what,
                 json_object_size(properties), table->count);
    for (size_t i = 0; i < table->count; i++, compared++) {
        const struct json_key *key = &table->keys[i];
        json_t *property = json_object_get(properties, key->name);

        if (property == NULL)
            fail_msg("%s: the schema has no \"%s\"", table->what, key->name);
        if (schema_requires(node, key->name) != key->required)
            fail_msg("%s: \"%s\" is required by one of the two", table->what, key->name);
        compare_bounds(key, resolve(schema, property));
        compare_words(key, resolve(schema, property));
        if (key->table != NULL)
            compared += compare(schema, object_schema(schema, property), key->table);
        else
            assert_null(object_schema(schema, property));
    }
    return compared;
}

TEST(test_schema_agrees)
{
    json_error_t error;
    json_t *schema =
        json_load_file(SOURCE_DIR "/config/sidelock.schema.json", JSON_REJECT_DUPLICATES, &error);

    if (schema == NULL)
        fail_msg("the schema: line %d: %s", error.line, error.text);
    assert_true(compare(schema, schema, &config_table) > 50);
    json_decref(schema);
}

/* Keys as an operator would misspell them. */
TEST(test_nearest)
{
    const struct json_table *top = &config_table;

    assert_string_equal(json_table_nearest(top, "statedir"), "state_dir");
    assert_string_equal(json_table_nearest(top, "worker"), "workers");
    assert_string_equal(json_table_nearest(top, "surface"), "surfaces");
    assert_null(json_table_nearest(top, "x"));
    assert_null(json_table_nearest(top, "a_key_of_more_than_thirty-two_bytes"));
}
