#include "dialect/read.h"

#include "dialect/rule.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *check_name(const char *text)
{
    return text_is_name(text)
               ? NULL
               : "must begin with a letter or digit, and go on with letters, digits, "
                 "dots, dashes and underscores";
}

static const char *check_verb(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= DIALECT_VERB_BYTES_MAX ? NULL
                                                          : "must be a verb of 1 to 128 bytes";
}

static void read_open(struct json_reader *reader, json_t *value, void *into)
{
    struct vocabulary *vocabulary = into;
    size_t index;
    json_t *item;

    if (!json_is_array(value))
        json_reader_fault(reader, "This must be a list of \"c2s\" and \"s2c\".");
    json_array_foreach(value, index, item)
    {
        const char *text = json_string_value(item);

        if (text != NULL && strcmp(text, "c2s") == 0)
            vocabulary->open[DIRECTION_C2S] = true;
        else if (text != NULL && strcmp(text, "s2c") == 0)
            vocabulary->open[DIRECTION_S2C] = true;
        else
            json_reader_fault(reader, "This must be a list of \"c2s\" and \"s2c\".");
    }
}

static void read_jsonrpc(struct json_reader *reader, json_t *value, void *into)
{
    struct vocabulary *vocabulary = into;

    if (!json_is_boolean(value))
        json_reader_fault(reader, "This must be true or false.");
    vocabulary->bare = json_is_false(value);
}

/* A refusal is sent as it stands but for two values, so nothing else may look like one. */
static const char *refusal_fault(json_t *value)
{
    const char *key;
    json_t *member;

    if (!json_is_object(value))
        return "This must be an object.";
    json_object_foreach(value, key, member)
    {
        const char *text = json_string_value(member);

        if (json_is_object(member) || json_is_array(member))
            return "A refusal has no objects or lists inside.";
        if (strchr(key, '$') != NULL ||
            (text != NULL && strchr(text, '$') != NULL && strcmp(text, "$verb") != 0 &&
             strcmp(text, "$reason") != 0))
            return "A $ may only stand in a value, as \"$verb\" or \"$reason\".";
    }
    return NULL;
}

static void read_refusal(struct json_reader *reader, json_t *value, void *into)
{
    struct vocabulary *vocabulary = into;
    const char *fault = refusal_fault(value);

    if (fault != NULL) {
        json_reader_fault(reader, "%s", fault);
        return;
    }
    vocabulary->refusal = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (vocabulary->refusal == NULL)
        reader->out_of_memory = true;
    else if (strlen(vocabulary->refusal) > DIALECT_REFUSAL_BYTES_MAX)
        json_reader_fault(reader, "This must be at most %d bytes long.", DIALECT_REFUSAL_BYTES_MAX);
}

static void clear_refusal(void *value)
{
    free(((struct vocabulary *)value)->refusal);
}

/* ---- Vocabularies: one table an envelope ---- */

static const struct json_key verbs_keys[] = {
    ROW_MAP("c2s", struct vocabulary, verbs[DIRECTION_C2S], verb_count[DIRECTION_C2S], 0,
            DIALECT_VERBS_MAX, check_verb, .read = dialect_rule_read_c2s,
            .table = &dialect_rule_table),
    ROW_MAP("s2c", struct vocabulary, verbs[DIRECTION_S2C], verb_count[DIRECTION_S2C], 0,
            DIALECT_VERBS_MAX, check_verb, .read = dialect_rule_read_s2c,
            .table = &dialect_rule_table),
};
static const struct json_table verbs_table = JSON_TABLE("the verbs", verbs_keys);

#define NAME_ROW(owner)                                                                            \
    ROW_TEXT("name", owner, name, check_name, .required = true, .maximum = DIALECT_NAME_BYTES_MAX)
#define ABOUT_ROW                                                                                  \
    {                                                                                              \
        .name = "about", .type = JSON_KEY_IGNORED                                                  \
    }
#define MEMBER_ROW(key, field, bytes, ...)                                                         \
    ROW_TEXT(key, struct vocabulary, field, json_check_word, .maximum = (bytes), __VA_ARGS__)
/* Of every envelope. The envelope itself has chosen the table. */
#define COMMON_ROWS                                                                                \
    NAME_ROW(struct vocabulary), ABOUT_ROW,                                                        \
    {                                                                                              \
        .name = "envelope", .type = JSON_KEY_ELSEWHERE                                             \
    }

static const struct json_key opaque_keys[] = {COMMON_ROWS};
static const struct json_table opaque_table = JSON_TABLE("an opaque vocabulary", opaque_keys);

static const struct json_key json_rpc_keys[] = {
    COMMON_ROWS,
    ROW_CUSTOM("open", read_open),
    ROW_CUSTOM("jsonrpc", read_jsonrpc),
    MEMBER_ROW("session", session_key, DIALECT_NAME_BYTES_MAX),
    MEMBER_ROW("asks", asks_key, DIALECT_NAME_BYTES_MAX),
    ROW_SAME("verbs", verbs_table),
};
static const struct json_table json_rpc_table = JSON_TABLE("a JSON-RPC vocabulary", json_rpc_keys);

static const struct json_key operation_keys[] = {
    MEMBER_ROW("value", operation_value, DIALECT_VERB_BYTES_MAX, .required = true),
    MEMBER_ROW("key", operation_key, DIALECT_NAME_BYTES_MAX, .required = true),
};
static const struct json_table operation_table = JSON_TABLE("an operation", operation_keys);

static const struct json_key typed_keys[] = {
    COMMON_ROWS,
    ROW_CUSTOM("open", read_open),
    MEMBER_ROW("verb_key", verb_key, DIALECT_NAME_BYTES_MAX, .required = true),
    ROW_SAME("operation", operation_table),
    ROW_SAME("verbs", verbs_table),
    ROW_CUSTOM("refusal", read_refusal, .clear = clear_refusal),
};
static const struct json_table typed_table = JSON_TABLE("a typed vocabulary", typed_keys);

static const struct {
    const char *name;
    const struct json_table *table;
} envelopes[] = {[ENVELOPE_JSON_RPC] = {"json-rpc", &json_rpc_table},
                 [ENVELOPE_TYPED] = {"typed", &typed_table},
                 [ENVELOPE_OPAQUE] = {"opaque", &opaque_table}};

static int compare_rules(const void *left, const void *right)
{
    return strcmp(((const struct verb_rule *)left)->name, ((const struct verb_rule *)right)->name);
}

/* What the scanner looks at for JSON-RPC: what MCP over HTTP compares with headers, and "asks". */
static void watch_json_rpc(struct json_reader *reader, struct vocabulary *vocabulary)
{
    static const char *const compared[][2] = {
        {"params", "_meta"}, {"_meta", DIALECT_MCP_VERSION_KEY},
        {"params", "name"},  {"params", "taskId"},
        {"params", "uri"},
    };

    for (size_t i = 0; i < sizeof(compared) / sizeof(*compared); i++)
        dialect_rule_watch(reader, vocabulary, compared[i][0], compared[i][1]);
    if (vocabulary->asks_key != NULL)
        dialect_rule_watch(reader, vocabulary, "result", vocabulary->asks_key);
}

static void read_vocabulary(struct json_reader *reader, json_t *value, void *into)
{
    const char *envelope = json_string_value(json_object_get(value, "envelope"));
    struct vocabulary *vocabulary = into;
    unsigned i = ENVELOPE_JSON_RPC;

    while (envelope != NULL && i <= ENVELOPE_OPAQUE && strcmp(envelopes[i].name, envelope) != 0)
        i++;
    if (envelope == NULL || i > ENVELOPE_OPAQUE) {
        json_reader_fault_at(reader, "envelope",
                             "A vocabulary needs one of \"json-rpc\", \"typed\" and \"opaque\".");
        return;
    }
    vocabulary->envelope = (enum envelope)i;
    reader->context = vocabulary;
    json_table_read(reader, envelopes[i].table, value, vocabulary);
    if (vocabulary->envelope == ENVELOPE_JSON_RPC)
        watch_json_rpc(reader, vocabulary);
    for (unsigned way = 0; json_reader_result(reader) == OK && way < DIRECTION_COUNT; way++) {
        if (vocabulary->verb_count[way] > 0)
            qsort(vocabulary->verbs[way], vocabulary->verb_count[way], sizeof(struct verb_rule),
                  compare_rules);
    }
}

static void vocabulary_clear(void *value)
{
    struct vocabulary *vocabulary = value;

    text_list_clear(&vocabulary->descend);
    if (vocabulary->envelope != 0)
        json_table_clear(envelopes[vocabulary->envelope].table, vocabulary);
}

/* ---- A pack ---- */

static const struct json_key pack_keys[] = {
    NAME_ROW(struct dialect),
    ABOUT_ROW,
    ROW_LIST("vocabularies", struct dialect, vocabularies, vocabulary_count, 1,
             DIALECT_VOCABULARIES_MAX, .required = true, .read = read_vocabulary,
             .clear = vocabulary_clear),
    {.name = "routes", .type = JSON_KEY_ELSEWHERE}, /* config/route.c */
};
static const struct json_table pack_table = JSON_TABLE("a dialect pack", pack_keys);

static void check_names(struct json_reader *reader, const struct dialect *dialect)
{
    for (size_t i = 0; i < dialect->vocabulary_count; i++) {
        const struct vocabulary *vocabulary = &dialect->vocabularies[i];
        size_t place = json_reader_enter(reader, "vocabularies");

        json_reader_enter_index(reader, i);
        if (dialect_vocabulary(dialect, vocabulary->name) != vocabulary)
            json_reader_fault(reader, "Another vocabulary has this name.");
        json_reader_leave(reader, place);
    }
}

enum error dialect_read(struct json_reader *reader, struct dialect **out)
{
    struct dialect *dialect;
    json_t *root = NULL;
    enum error error;

    if (reader->length > DIALECT_BYTES_MAX)
        json_reader_fault(reader, "The pack is larger than %zu bytes.", DIALECT_BYTES_MAX);
    else
        root = json_reader_parse(reader);
    if (root == NULL)
        return json_reader_result(reader);
    dialect = json_reader_allocate(reader, 1, sizeof(*dialect));
    if (dialect != NULL) {
        json_table_read(reader, &pack_table, root, dialect);
        if (json_reader_result(reader) == OK) /* else some may have none */
            check_names(reader, dialect);
    }
    json_decref(root);
    error = json_reader_result(reader);
    if (error == OK)
        *out = dialect;
    else
        dialect_destroy(dialect);
    return error;
}

void dialect_destroy(struct dialect *dialect)
{
    if (dialect != NULL)
        json_table_clear(&pack_table, dialect);
    free(dialect);
}
