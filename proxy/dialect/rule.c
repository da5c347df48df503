#include "dialect/rule.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(DIALECT_TARGET_DEPTH_MAX <= JSON_RECORD_DEPTH, "the scanner records targets");

static void descend(struct json_reader *reader, struct vocabulary *vocabulary, const char *key)
{
    if (!text_list_contains(&vocabulary->descend, span_of(key)) &&
        text_list_add(&vocabulary->descend, key, strlen(key)) != OK)
        reader->out_of_memory = true;
}

void dialect_rule_watch(struct json_reader *reader, struct vocabulary *vocabulary, const char *of,
                        const char *name)
{
    for (size_t i = 0; i < vocabulary->watch_count; i++) {
        if (span_equals(vocabulary->watches[i].of, of) &&
            strcmp(vocabulary->watches[i].name, name) == 0)
            return;
    }
    if (vocabulary->watch_count < DIALECT_WATCHES_MAX)
        vocabulary->watches[vocabulary->watch_count++] = (struct json_watch){span_of(of), name};
    else
        json_reader_fault(reader, "A vocabulary filters at most %d different lists.",
                          DIALECT_WATCHES_MAX / 2);
}

/* ---- Targets ---- */

static void read_keys(struct json_reader *reader, json_t *keys, struct target_path *path)
{
    json_t *key;
    size_t index;

    if (json_array_size(keys) == 0 || json_array_size(keys) > DIALECT_TARGET_DEPTH_MAX) {
        json_reader_fault(reader, "This must be a list of 1 to %d keys.", DIALECT_TARGET_DEPTH_MAX);
        return;
    }
    json_array_foreach(keys, index, key)
    {
        path->keys[index] = json_reader_text(reader, key, json_check_word, DIALECT_NAME_BYTES_MAX);
        if (path->keys[index] == NULL)
            return;
    }
    path->depth = (unsigned)index;
}

static void read_target(struct json_reader *reader, json_t *value, void *into)
{
    struct vocabulary *vocabulary = reader->context;
    struct target_path *path = into;
    json_t *names = json_object_get(value, "name"), *uris = json_object_get(value, "uri");

    if (json_object_size(value) != 1 || (names == NULL && uris == NULL)) {
        json_reader_fault(reader,
                          "This must be an object with either a \"name\" or a \"uri\" alone.");
        return;
    }
    path->kind = uris != NULL ? TARGET_URI : TARGET_NAME;
    read_keys(reader, uris != NULL ? uris : names, path);
    if (path->depth > 0 && vocabulary->envelope == ENVELOPE_JSON_RPC &&
        (path->depth < 2 || strcmp(path->keys[0], "params") != 0))
        json_reader_fault(reader, "In JSON-RPC a target lies below \"params\".");
    for (unsigned i = 0; i + 1 < path->depth; i++)
        descend(reader, vocabulary, path->keys[i]);
}

static void target_clear(void *value)
{
    struct target_path *path = value;

    for (unsigned i = 0; i < DIALECT_TARGET_DEPTH_MAX; i++)
        free(path->keys[i]);
}

/* ---- The rest of a rule ---- */

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

static const struct json_word kinds[] = {{"name", TARGET_NAME}, {"uri", TARGET_URI}, {NULL, 0}};

#define MEMBER_ROW(key, field, ...)                                                                \
    ROW_TEXT(key, struct verb_rule, field, json_check_word, .maximum = DIALECT_NAME_BYTES_MAX,     \
             __VA_ARGS__)

static const struct json_key filter_keys[] = {
    MEMBER_ROW("items", filter_items, .required = true),
    MEMBER_ROW("name", filter_name, .required = true),
    ROW_CHOICE("kind", struct verb_rule, filter_kind, kinds, .required = true),
};
static const struct json_table filter_table = JSON_TABLE("a filter", filter_keys);

static const struct json_key rule_keys[] = {
    ROW_CUSTOM("as", read_as),
    ROW_FLAG("always", struct verb_rule, always),
    ROW_FLAG("never", struct verb_rule, never),
    ROW_LIST("targets", struct verb_rule, targets, target_count, 1, DIALECT_TARGET_PATHS_MAX,
             .read = read_target, .clear = target_clear),
    ROW_TEXTS("within", struct verb_rule, within, json_check_word, 1, DIALECT_WITHIN_MAX),
    MEMBER_ROW("match", match_key),
    ROW_SAME("filter", filter_table),
};
const struct json_table dialect_rule_table = JSON_TABLE("a verb", rule_keys);

static void read_rule(struct json_reader *reader, json_t *value, enum direction direction,
                      struct verb_rule *rule)
{
    struct vocabulary *vocabulary = reader->context;
    bool json_rpc = vocabulary->envelope == ENVELOPE_JSON_RPC;

    rule->request = json_rpc;
    json_table_read(reader, &dialect_rule_table, value, rule);
    if (rule->always && rule->never)
        json_reader_fault(reader, "A verb cannot pass both always and never.");
    if (rule->within.count > 0 && rule->target_count == 0)
        json_reader_fault_at(reader, "within", "This limits nothing where there are no targets.");
    if (json_object_get(value, "filter") != NULL &&
        (!json_rpc || direction != DIRECTION_C2S || !rule->request))
        json_reader_fault_at(reader, "filter",
                             "Only the answers to a client's JSON-RPC requests can be filtered.");
    if (rule->match_key != NULL && json_rpc)
        descend(reader, vocabulary, "params");
    if (rule->filter_items != NULL)
        dialect_rule_watch(reader, vocabulary, "result", rule->filter_items);
}

void dialect_rule_read_c2s(struct json_reader *reader, struct json_t *value, void *into)
{
    read_rule(reader, value, DIRECTION_C2S, into);
}

void dialect_rule_read_s2c(struct json_reader *reader, struct json_t *value, void *into)
{
    read_rule(reader, value, DIRECTION_S2C, into);
}
