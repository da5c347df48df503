/* records.c: parameter records are sealed, and stay what they were. */
#include "policy/params.h"
#include "store_fixture.h"

#define DIGEST      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SECRET_TEXT "correct-horse-battery"

static const char record[] = "{\"command\":\"npx\",\"env\":{\"KEY\":\"" SECRET_TEXT "\"}}";

static void put(struct fixture *fixture, const char *name, const char *json, int64_t now,
                struct store_params *out)
{
    assert_int_equal(
        KEPT(fixture->store, store_params_put, name, "studio", json, strlen(json), now, out), OK);
}

STORE_TEST(test_params_round_trip)
{
    struct fixture *fixture = *state;
    struct store_params made, read;
    char digest[SHA256_HEX_SIZE];
    struct buffer json;

    put(fixture, "everything", record, NOW, &made);
    assert_int_equal(canonical_text_digest(record, strlen(record), digest), OK);
    assert_string_equal(made.digest, digest);
    reopen(fixture);
    buffer_init(&json, PARAMS_BYTES_MAX);
    assert_int_equal(store_params_get(fixture->store, "everything", &read, &json), OK);
    assert_memory_equal(&made, &read, sizeof(made));
    assert_string_equal(read.surface, "studio");
    assert_int_equal(read.created_at, NOW);
    assert_string_equal(json.data, record);
    buffer_wipe(&json);
    assert_int_equal(store_params_get(fixture->store, "nothing", &read, NULL), ERROR_NOT_FOUND);
}

STORE_TEST(test_params_replaced_and_removed)
{
    struct fixture *fixture = *state;
    struct store_params first, second;

    put(fixture, "everything", record, NOW, &first);
    put(fixture, "everything", "{\"a\":1}", NOW + 5, &second);
    assert_string_not_equal(first.digest, second.digest);
    assert_int_equal(second.created_at, NOW);
    assert_int_equal(second.updated_at, NOW + 5);
    assert_int_equal(KEPT(fixture->store, store_params_remove, "everything"), OK);
    assert_int_equal(KEPT(fixture->store, store_params_remove, "everything"), ERROR_NOT_FOUND);
    assert_int_equal(store_params_get(fixture->store, "everything", &first, NULL), ERROR_NOT_FOUND);
}

STORE_TEST(test_params_refused)
{
    static const char *const names[] = {"", ".", "../x", "a/b", "-x", "a b", "caf\xc3\xa9"};
    struct fixture *fixture = *state;
    struct store_params out;
    char name[TOKEN_NAME_SIZE + 1];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(KEPT(fixture->store, store_params_put, names[i], "", "{}", 2, NOW, &out),
                         ERROR_INVALID);
    memset(name, 'n', sizeof(name));
    name[TOKEN_NAME_SIZE] = '\0';
    assert_int_equal(KEPT(fixture->store, store_params_put, name, "", "{}", 2, NOW, &out),
                     ERROR_INVALID);
    name[TOKEN_NAME_SIZE - 1] = '\0';
    assert_int_equal(KEPT(fixture->store, store_params_put, name, "", "{}", 2, NOW, &out), OK);
    assert_int_equal(KEPT(fixture->store, store_params_put, "a", "b/c", "{}", 2, NOW, &out),
                     ERROR_INVALID);
    assert_int_equal(KEPT(fixture->store, store_params_put, "a", "", "[]", 2, NOW, &out),
                     ERROR_SYNTAX);
    assert_int_equal(store_params_get(fixture->store, "a", &out, NULL), ERROR_NOT_FOUND);
}

static bool append_name(void *context, const struct store_params *params)
{
    buffer_append_format(context, "%s/%s ", params->name, params->surface);
    return true;
}

STORE_TEST(test_params_each)
{
    struct fixture *fixture = *state;
    struct store_params out;
    struct buffer names;

    buffer_init(&names, 1024);
    put(fixture, "beta", "{}", NOW, &out);
    put(fixture, "alpha", "{}", NOW, &out);
    assert_int_equal(KEPT(fixture->store, store_params_put, "gamma", "", "{}", 2, NOW, &out), OK);
    assert_int_equal(store_params_after(fixture->store, "", append_name, &names), OK);
    assert_string_equal(names.data, "alpha/studio beta/studio gamma/ ");
    buffer_reset(&names);
    assert_int_equal(store_params_after(fixture->store, "beta", append_name, &names), OK);
    assert_string_equal(names.data, "gamma/ ");
    buffer_clear(&names);
}

static bool file_holds(const char *path, const char *text)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(1 << 22);
    size_t length;
    bool found;

    assert_non_null(file);
    length = fread(bytes, 1, 1 << 22, file);
    found = memmem(bytes, length, text, strlen(text)) != NULL;
    free(bytes);
    fclose(file);
    return found;
}

STORE_TEST(test_values_are_sealed_on_disk)
{
    struct fixture *fixture = *state;
    struct store_params out;
    char database[512], log[512];
    bool name_seen;

    put(fixture, "everything", record, NOW, &out);
    path_of(fixture, "sidelock.db", database, sizeof(database));
    path_of(fixture, "sidelock.db-wal", log, sizeof(log));
    assert_false(file_holds(database, SECRET_TEXT));
    assert_false(file_holds(log, SECRET_TEXT));
    name_seen = file_holds(log, "everything");
    close_store(fixture);
    assert_false(file_holds(database, SECRET_TEXT));
    assert_true(name_seen && file_holds(database, "everything")); /* looked in the right place */
    assert_int_equal(open_store(fixture), OK);
}

/* A sealed value that was changed, or moved to another name, surface or digest, does not open. */
STORE_TEST(test_tampering_is_noticed)
{
    static const char *const changes[] = {
        "UPDATE params SET name = 'other' WHERE name = 'everything'",
        "UPDATE params SET surface = '' WHERE name = 'everything'",
        "UPDATE params SET digest = '" DIGEST "' WHERE name = 'everything'",
        "UPDATE params SET sealed = CAST(substr(sealed, 1, 1) || zeroblob(12) || substr(sealed, 14)"
        " AS BLOB) WHERE name = 'everything'",
        "UPDATE params SET sealed = CAST(x'02' || substr(sealed, 2) AS BLOB)"
        " WHERE name = 'everything'",
        "UPDATE params SET sealed = substr(sealed, 1, length(sealed) - 1)"
        " WHERE name = 'everything'",
        "UPDATE params SET sealed = substr(sealed, 1, 28) WHERE name = 'everything'",
        "UPDATE params SET sealed = x'' WHERE name = 'everything'",
        "UPDATE params SET sealed = (SELECT sealed FROM params WHERE name = 'second')"
        " WHERE name = 'everything'",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        const char *name = i == 0 ? "other" : "everything";
        struct store_params out;
        struct buffer json;

        put(fixture, "everything", record, NOW, &out);
        put(fixture, "second", "{}", NOW, &out);
        close_store(fixture);
        run_sql(fixture, changes[i]);
        assert_int_equal(open_store(fixture), OK);
        buffer_init(&json, PARAMS_BYTES_MAX);
        if (store_params_get(fixture->store, name, &out, &json) != ERROR_CRYPTO)
            fail_msg("not noticed: %s", changes[i]);
        assert_int_equal(json.length, 0);
        buffer_clear(&json);
        if (i == 0)
            assert_int_equal(KEPT(fixture->store, store_params_remove, "other"), OK);
    }
}
