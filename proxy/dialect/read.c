#include "dialect/read.h"

#include "dialect/rule.h"

#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *check_name(const char *text)
{
    return text_is_name(text)
               ? NULL
               : "must begin with a letter or digit, and go on with letters, digits, "
                 "dots, dashes and underscores";
}

static void read_open(struct json_reader *reader, const char *name, json_t *value, void *into)
{
    struct vocabulary *vocabulary = into;
    size_t index;
    json_t *item;

    (void)name;
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

static void read_jsonrpc(struct json_reader *reader, const char *name, json_t *value, void *into)
{
    struct vocabulary *vocabulary = into;

    (void)name;
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

static void read_refusal(struct json_reader *reader, const char *name, json_t *value, void *into)
{
    struct vocabulary *vocabulary = into;
    const char *fault = refusal_fault(value);

    (void)name;
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

#define VERBS_KEY(key, direction, reads)                                                           \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_MAP,                                                       \
        .offset = offsetof(struct vocabulary, verbs) + (direction) * sizeof(struct verb_rule *),   \
        .count_offset = offsetof(struct vocabulary, verb_count) + (direction) * sizeof(size_t),    \
        .size = sizeof(struct verb_rule), .maximum = DIALECT_VERBS_MAX, .read = (reads),           \
        .clear = dialect_rule_clear, .table = &dialect_rule_table                                  \
    }

static const struct json_key verbs_keys[] = {
    VERBS_KEY("c2s", DIRECTION_C2S, dialect_rule_read_c2s),
    VERBS_KEY("s2c", DIRECTION_S2C, dialect_rule_read_s2c),
};
static const struct json_table verbs_table = JSON_TABLE("the verbs", verbs_keys);

#define MEMBER_KEY(key, field, is_required, bytes)                                                 \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_TEXT, .required = (is_required),                           \
        .offset = offsetof(struct vocabulary, field), .maximum = (bytes), .check = json_check_word \
    }
/* Of every envelope. The envelope itself has chosen the table. */
#define COMMON_KEYS                                                                                \
    {.name = "name",                                                                               \
     .type = JSON_KEY_TEXT,                                                                        \
     .required = true,                                                                             \
     .offset = offsetof(struct vocabulary, name),                                                  \
     .maximum = DIALECT_NAME_BYTES_MAX,                                                            \
     .check = check_name},                                                                         \
        {.name = "about", .type = JSON_KEY_IGNORED},                                               \
    {                                                                                              \
        .name = "envelope", .type = JSON_KEY_ELSEWHERE                                             \
    }
#define OPEN_KEY                                                                                   \
    {                                                                                              \
        .name = "open", .type = JSON_KEY_CUSTOM, .read = read_open                                 \
    }
#define ALL_VERBS_KEY                                                                              \
    {                                                                                              \
        .name = "verbs", .type = JSON_KEY_OBJECT, .table = &verbs_table                            \
    }

static const struct json_key opaque_keys[] = {COMMON_KEYS};
static const struct json_table opaque_table = JSON_TABLE("an opaque vocabulary", opaque_keys);

static const struct json_key json_rpc_keys[] = {
    COMMON_KEYS,
    OPEN_KEY,
    {.name = "jsonrpc", .type = JSON_KEY_CUSTOM, .read = read_jsonrpc},
    MEMBER_KEY("session", session_key, false, DIALECT_NAME_BYTES_MAX),
    MEMBER_KEY("asks", asks_key, false, DIALECT_NAME_BYTES_MAX),
    ALL_VERBS_KEY,
};
static const struct json_table json_rpc_table = JSON_TABLE("a JSON-RPC vocabulary", json_rpc_keys);

static const struct json_key operation_keys[] = {
    MEMBER_KEY("value", operation_value, true, DIALECT_VERB_BYTES_MAX),
    MEMBER_KEY("key", operation_key, true, DIALECT_NAME_BYTES_MAX),
};
static const struct json_table operation_table = JSON_TABLE("an operation", operation_keys);

static const struct json_key typed_keys[] = {
    COMMON_KEYS,
    OPEN_KEY,
    MEMBER_KEY("verb_key", verb_key, true, DIALECT_NAME_BYTES_MAX),
    {.name = "operation", .type = JSON_KEY_OBJECT, .table = &operation_table},
    ALL_VERBS_KEY,
    {.name = "refusal", .type = JSON_KEY_CUSTOM, .read = read_refusal, .clear = clear_refusal},
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

static void read_vocabulary(struct json_reader *reader, const char *name, json_t *value, void *into)
{
    const char *envelope = json_string_value(json_object_get(value, "envelope"));
    struct vocabulary *vocabulary = into;
    unsigned i = ENVELOPE_JSON_RPC;

    (void)name;
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
    {.name = "name",
     .type = JSON_KEY_TEXT,
     .required = true,
     .offset = offsetof(struct dialect, name),
     .maximum = DIALECT_NAME_BYTES_MAX,
     .check = check_name},
    {.name = "about", .type = JSON_KEY_IGNORED},
    {.name = "vocabularies",
     .type = JSON_KEY_LIST,
     .required = true,
     .offset = offsetof(struct dialect, vocabularies),
     .count_offset = offsetof(struct dialect, vocabulary_count),
     .size = sizeof(struct vocabulary),
     .minimum = 1,
     .maximum = DIALECT_VOCABULARIES_MAX,
     .read = read_vocabulary,
     .clear = vocabulary_clear},
    {.name = "routes", .type = JSON_KEY_ELSEWHERE}, /* config/route.c */
};
static const struct json_table pack_table = JSON_TABLE("a dialect pack", pack_keys);

static void check_names(struct json_reader *reader, const struct dialect *dialect)
{
    for (size_t i = 0; i < dialect->vocabulary_count; i++) {
        const struct vocabulary *vocabulary = &dialect->vocabularies[i];
        size_t place = json_reader_enter(reader, "vocabularies");

        json_reader_enter_index(reader, i);
        if (vocabulary->name != NULL && dialect_vocabulary(dialect, vocabulary->name) != vocabulary)
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
