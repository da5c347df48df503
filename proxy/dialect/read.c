/* Reads a dialect pack (dialect.h says what is in one). Called by config/surface.c. */
#include "dialect/dialect.h"
#include "dialect/extension.h"
#include "dialect/paths.h"

#include "json/table.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- A rule ---- */

static void read_as(struct json_reader *reader, json_t *value, void *into)
{
    const struct vocabulary *vocabulary = reader->context;
    const char *as = json_string_value(value);
    struct verb_rule *rule = into;

    if (vocabulary->envelope == ENVELOPE_JSON_RPC) {
        rule->notification = as != NULL && strcmp(as, "notification") == 0;
        rule->request = as != NULL && strcmp(as, "request") == 0;
        if (!rule->request && !rule->notification)
            json_reader_fault(reader, "This must be \"request\" or \"notification\".");
        return;
    }
    rule->operation = as != NULL && strcmp(as, "operation") == 0;
    if (!rule->operation || vocabulary->operation_key == NULL)
        json_reader_fault(reader, "This may only be \"operation\", where the vocabulary has one.");
}

static const struct json_word kinds[] = {
    {"name", TARGET_NAME}, {"uri", TARGET_URI}, {"handle", TARGET_HANDLE}, {NULL, 0}};

#define RULE_ROW(key, field, ...)                                                                  \
    ROW_TEXT(key, struct verb_rule, field, json_check_word, .maximum = DIALECT_NAME_BYTES_MAX,     \
             __VA_ARGS__)

static const struct json_key filter_keys[] = {
    RULE_ROW("items", filter_items, .required = true),
    RULE_ROW("name", filter_name, .required = true),
    ROW_CHOICE("kind", struct verb_rule, filter_kind, kinds, .required = true),
    RULE_ROW("private", filter_private),
};
static const struct json_table filter_table = JSON_TABLE("a filter", filter_keys);

static void read_values(struct json_reader *reader, json_t *value, void *into)
{
    static const struct json_key values_key =
        ROW_TEXTS("only", struct verb_argument, values, json_check_word, 0, DIALECT_WITHIN_MAX);

    json_table_read_key(reader, &values_key, value, into);
}

static void clear_values(void *argument)
{
    text_list_clear(&((struct verb_argument *)argument)->values);
}

static const struct json_key rule_keys[] = {
    ROW_CUSTOM("as", read_as),
    ROW_FLAG("always", struct verb_rule, always),
    ROW_FLAG("never", struct verb_rule, never),
    ROW_LIST("targets", struct verb_rule, targets, target_count, 1, DIALECT_TARGET_PATHS_MAX,
             .read = paths_read_target, .clear = paths_clear),
    ROW_LIST("gives", struct verb_rule, gives, give_count, 1, DIALECT_HANDLE_PATHS_MAX,
             .read = paths_read_handle, .clear = paths_clear),
    ROW_FLAG("each", struct verb_rule, each),
    ROW_FLAG("optional", struct verb_rule, optional),
    ROW_TEXTS("within", struct verb_rule, within, json_check_word, 1, DIALECT_WITHIN_MAX),
    ROW_MAP("only", struct verb_rule, only, only_count, 1, DIALECT_ONLY_MAX, json_check_word,
            .read = read_values, .clear = clear_values),
    ROW_FLAG("quiet", struct verb_rule, quiet),
    RULE_ROW("match", match_key),
    ROW_SAME("filter", filter_table),
};
static const struct json_table rule_table = JSON_TABLE("a verb", rule_keys);

/* What gives handles is said by the service: an answer, or what it says by itself. */
static void check_gifts(struct json_reader *reader, enum direction direction,
                        const struct verb_rule *rule)
{
    const struct vocabulary *vocabulary = reader->context;
    const char *top = direction == DIRECTION_C2S ? "result" : "params";

    for (size_t i = 0; i < rule->give_count; i++) {
        if (vocabulary->envelope != ENVELOPE_JSON_RPC ||
            (direction == DIRECTION_C2S && !rule->request) || rule->gives[i].depth < 2 ||
            strcmp(rule->gives[i].keys[0], top) != 0)
            json_reader_fault_at(reader, "gives",
                                 "Handles are given below \"result\" in the answer to a client's "
                                 "JSON-RPC request, or below \"params\" by the service.");
    }
}

/* What limits a verb must have something to limit. */
static void check_closed(struct json_reader *reader, enum direction direction,
                         const struct verb_rule *rule)
{
    if (rule->always && rule->never)
        json_reader_fault(reader, "A verb cannot pass both always and never.");
    if (rule->within.count > 0 && rule->target_count == 0)
        json_reader_fault_at(reader, "within", "This limits nothing where there are no targets.");
    if (rule->each && rule->target_count < 2)
        json_reader_fault_at(reader, "each", "There is no more than one target.");
    if (rule->optional && rule->target_count == 0)
        json_reader_fault_at(reader, "optional", "There are no targets that could be absent.");
    if (rule->only_count > 0 && direction != DIRECTION_C2S)
        json_reader_fault_at(reader, "only", "Only what a client says is limited so.");
}

static void read_rule(struct json_reader *reader, json_t *value, enum direction direction,
                      struct verb_rule *rule)
{
    struct vocabulary *vocabulary = reader->context;
    bool json_rpc = vocabulary->envelope == ENVELOPE_JSON_RPC, asked;

    rule->request = json_rpc;
    json_table_read(reader, &rule_table, value, rule);
    asked = rule->request && direction == DIRECTION_C2S;
    check_closed(reader, direction, rule);
    if (json_object_get(value, "filter") != NULL && !asked)
        json_reader_fault_at(reader, "filter",
                             "Only the answers to a client's JSON-RPC requests can be filtered.");
    if (rule->quiet && !asked)
        json_reader_fault_at(reader, "quiet",
                             "Only a client's JSON-RPC requests are answered as successes.");
    if ((rule->match_key != NULL || rule->only_count > 0) && json_rpc)
        paths_descend(reader, vocabulary, "params");
    check_gifts(reader, direction, rule);
    if (rule->filter_items != NULL)
        paths_watch(reader, vocabulary, "result", rule->filter_items);
    if (rule->filter_private != NULL)
        paths_watch(reader, vocabulary, "result", rule->filter_private);
}

/* Each a json_read of a struct verb_rule, of one direction. The reader's context is the
 * vocabulary; added to that is what the scanner must look at for the verb. */
static void read_c2s(struct json_reader *reader, struct json_t *value, void *into)
{
    read_rule(reader, value, DIRECTION_C2S, into);
}

static void read_s2c(struct json_reader *reader, struct json_t *value, void *into)
{
    read_rule(reader, value, DIRECTION_S2C, into);
}

/* ---- Values of a vocabulary ---- */

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
            DIALECT_VERBS_MAX, check_verb, .read = read_c2s, .table = &rule_table),
    ROW_MAP("s2c", struct vocabulary, verbs[DIRECTION_S2C], verb_count[DIRECTION_S2C], 0,
            DIALECT_VERBS_MAX, check_verb, .read = read_s2c, .table = &rule_table),
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

/* ---- Extensions ---- */

static const struct json_key extension_keys[] = {
    {.name = "about", .type = JSON_KEY_IGNORED},
    {.name = "verbs", .type = JSON_KEY_ELSEWHERE, .required = true},
};
static const struct json_table extension_table = JSON_TABLE("an extension", extension_keys);

/* Comes behind "verbs" in the table, to which they are added. */
static void read_extensions(struct json_reader *reader, json_t *value, void *into)
{
    struct vocabulary *vocabulary = into;
    const char *name;
    json_t *entry;

    if (!json_is_object(value) || json_object_size(value) > DIALECT_EXTENSIONS_MAX) {
        json_reader_fault(reader, "This must be an object of at most %d extensions.",
                          DIALECT_EXTENSIONS_MAX);
        return;
    }
    json_object_foreach(value, name, entry)
    {
        const size_t place = json_reader_enter(reader, name);
        const char *why = check_name(name);

        if (why != NULL)
            json_reader_fault(reader, "\"%.64s\" %s.", name, why);
        json_table_read(reader, &extension_table, entry, vocabulary);
        json_reader_enter(reader, "verbs");
        extension_add(reader, &verbs_table, vocabulary,
                      &(struct extension){name, json_object_get(entry, "verbs"), true});
        json_reader_leave(reader, place);
    }
}

static const struct json_key error_keys[] = {
    MEMBER_ROW("member", error_key, DIALECT_NAME_BYTES_MAX, .required = true),
    MEMBER_ROW("verb", error_verb, DIALECT_VERB_BYTES_MAX, .required = true),
};
static const struct json_table error_table = JSON_TABLE("what asks by error", error_keys);

static const struct json_key cancel_keys[] = {
    MEMBER_ROW("verb", cancel_verb, DIALECT_VERB_BYTES_MAX, .required = true),
    MEMBER_ROW("id", cancel_key, DIALECT_NAME_BYTES_MAX, .required = true),
};
static const struct json_table cancel_table = JSON_TABLE("what cancels a request", cancel_keys);

static const struct json_key json_rpc_keys[] = {
    COMMON_ROWS,
    ROW_CUSTOM("open", read_open),
    ROW_CUSTOM("jsonrpc", read_jsonrpc),
    MEMBER_ROW("session", session_key, DIALECT_NAME_BYTES_MAX),
    MEMBER_ROW("asks", asks_key, DIALECT_NAME_BYTES_MAX),
    ROW_SAME("asks_by_error", error_table),
    ROW_SAME("cancels", cancel_table),
    ROW_LIST("handles", struct vocabulary, handles, handle_count, 1, DIALECT_HANDLE_PATHS_MAX,
             .read = paths_read_related, .clear = paths_clear),
    ROW_SAME("verbs", verbs_table),
    ROW_CUSTOM("extensions", read_extensions, .table = &extension_table),
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

/* What the scanner looks at for JSON-RPC: what MCP over HTTP compares with headers, and "asks". */
static void watch_json_rpc(struct json_reader *reader, struct vocabulary *vocabulary)
{
    static const char *const compared[][2] = {
        {"params", "_meta"}, {"_meta", DIALECT_MCP_VERSION_KEY},
        {"params", "name"},  {"params", "taskId"},
        {"params", "uri"},
    };
    static const char *const holders[] = {"params", "result", "task"};

    for (size_t i = 0; i < sizeof(compared) / sizeof(*compared); i++)
        paths_watch(reader, vocabulary, compared[i][0], compared[i][1]);
    for (size_t i = 0; vocabulary->asks_key != NULL && i < sizeof(holders) / sizeof(*holders);
         i++) {
        paths_watch(reader, vocabulary, holders[i], vocabulary->asks_key);
        for (size_t j = 1; i < 2 && j < sizeof(holders) / sizeof(*holders); j++)
            paths_watch(reader, vocabulary, holders[i], holders[j]);
    }
    if (vocabulary->cancel_key != NULL)
        paths_watch(reader, vocabulary, "params", vocabulary->cancel_key);
    paths_settle(vocabulary);
}

static int compare_rules(const void *left, const void *right)
{
    return strcmp(((const struct verb_rule *)left)->name, ((const struct verb_rule *)right)->name);
}

static void sort_rules(const struct json_reader *reader, struct vocabulary *vocabulary)
{
    for (unsigned way = 0; json_reader_result(reader) == OK && way < DIRECTION_COUNT; way++) {
        if (vocabulary->verb_count[way] > 0)
            qsort(vocabulary->verbs[way], vocabulary->verb_count[way], sizeof(struct verb_rule),
                  compare_rules);
    }
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
    sort_rules(reader, vocabulary);
}

void dialect_extend(struct json_reader *reader, struct vocabulary *vocabulary,
                    const char *extension, struct json_t *verbs)
{
    extension_add(reader, &verbs_table, vocabulary, &(struct extension){extension, verbs, false});
    paths_settle(vocabulary);
    sort_rules(reader, vocabulary);
}

static void vocabulary_clear(void *value)
{
    struct vocabulary *vocabulary = value;

    text_list_clear(&vocabulary->descend);
    text_list_clear(&vocabulary->extensions);
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
