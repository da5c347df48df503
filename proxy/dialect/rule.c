#include "dialect/rule.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(DIALECT_TARGET_DEPTH_MAX <= JSON_RECORD_DEPTH, "the scanner records targets");

static bool add_descend(struct dialect_reader *reader, struct vocabulary *vocabulary,
                        const char *key)
{
    if (text_list_contains(&vocabulary->descend, span_of(key)))
        return true;
    return text_list_add(&vocabulary->descend, key, strlen(key)) == OK ||
           dialect_reader_memory(reader);
}

static bool read_target_path(struct dialect_reader *reader, json_t *keys,
                             struct vocabulary *vocabulary, struct target_path *path)
{
    json_t *key;
    size_t index;

    if (json_array_size(keys) == 0 || json_array_size(keys) > DIALECT_TARGET_DEPTH_MAX)
        return dialect_reader_fail(reader, "This must be a list of 1 to %d keys.",
                                   DIALECT_TARGET_DEPTH_MAX);
    json_array_foreach(keys, index, key)
    {
        if (!dialect_reader_text(reader, key, DIALECT_NAME_BYTES_MAX, &path->keys[index]))
            return false;
        path->depth++;
        if (index + 1 < json_array_size(keys) &&
            !add_descend(reader, vocabulary, path->keys[index]))
            return false;
    }
    if (vocabulary->envelope == ENVELOPE_JSON_RPC &&
        (path->depth < 2 || strcmp(path->keys[0], "params") != 0))
        return dialect_reader_fail(reader, "In JSON-RPC a target lies below \"params\".");
    return true;
}

static bool read_targets(struct dialect_reader *reader, json_t *value,
                         struct vocabulary *vocabulary, struct verb_rule *rule)
{
    static const char *const known[] = {"name", "uri", NULL};
    json_t *item;
    size_t index, place = dialect_reader_enter(reader, "targets");

    if (value != NULL &&
        (json_array_size(value) == 0 || json_array_size(value) > DIALECT_TARGET_PATHS_MAX))
        return dialect_reader_fail(reader, "This must be a list of 1 or %d targets.",
                                   DIALECT_TARGET_PATHS_MAX);
    json_array_foreach(value, index, item)
    {
        struct target_path *path = &rule->targets[rule->target_count++];
        size_t inner = dialect_reader_enter_index(reader, index);
        bool uri = json_object_get(item, "uri") != NULL;

        if (!dialect_reader_keys(reader, item, known))
            return false;
        if (json_object_size(item) != 1)
            return dialect_reader_fail(reader, "This must have either \"name\" or \"uri\".");
        path->kind = uri ? TARGET_URI : TARGET_NAME;
        if (!read_target_path(reader, json_object_get(item, uri ? "uri" : "name"), vocabulary,
                              path))
            return false;
        dialect_reader_leave(reader, inner);
    }
    dialect_reader_leave(reader, place);
    return true;
}

static bool read_as(struct dialect_reader *reader, json_t *value,
                    const struct vocabulary *vocabulary, struct verb_rule *rule)
{
    const char *as = json_string_value(value);

    if (vocabulary->envelope == ENVELOPE_JSON_RPC) {
        rule->request = value == NULL || (as != NULL && strcmp(as, "request") == 0);
        rule->notification = as != NULL && strcmp(as, "notification") == 0;
        if (rule->request || rule->notification)
            return true;
        dialect_reader_enter(reader, "as");
        return dialect_reader_fail(reader, "This must be \"request\" or \"notification\".");
    }
    rule->operation = as != NULL && strcmp(as, "operation") == 0;
    if (value == NULL || (rule->operation && vocabulary->operation_key != NULL))
        return true;
    dialect_reader_enter(reader, "as");
    return dialect_reader_fail(reader,
                               "This may only be \"operation\", where the vocabulary has one.");
}

/* Globs that limit what a verb may be aimed at, whatever the surface allows. */
static bool read_within(struct dialect_reader *reader, json_t *value, struct verb_rule *rule)
{
    size_t index, place = dialect_reader_enter(reader, "within");
    json_t *item;

    if (value != NULL && (json_array_size(value) == 0 ||
                          json_array_size(value) > DIALECT_WITHIN_MAX || rule->target_count == 0))
        return dialect_reader_fail(reader,
                                   "This must be a list of 1 to %d globs, where there are targets.",
                                   DIALECT_WITHIN_MAX);
    json_array_foreach(value, index, item)
    {
        size_t inner = dialect_reader_enter_index(reader, index);
        char *glob = NULL;
        bool done = dialect_reader_text(reader, item, DIALECT_GLOB_BYTES_MAX, &glob);

        if (done && text_list_add(&rule->within, glob, strlen(glob)) != OK)
            done = dialect_reader_memory(reader);
        free(glob);
        if (!done)
            return false;
        dialect_reader_leave(reader, inner);
    }
    dialect_reader_leave(reader, place);
    return true;
}

/* Where the answer's list lies and what each of its items is called. */
static bool read_filter(struct dialect_reader *reader, json_t *value, enum direction direction,
                        struct vocabulary *vocabulary, struct verb_rule *rule)
{
    static const char *const known[] = {"items", "name", "kind", NULL};
    size_t place = dialect_reader_enter(reader, "filter");
    const char *kind = json_string_value(json_object_get(value, "kind"));

    if (value != NULL) {
        if (vocabulary->envelope != ENVELOPE_JSON_RPC || direction != DIRECTION_C2S ||
            !rule->request)
            return dialect_reader_fail(
                reader, "Only the answers to a client's JSON-RPC requests can be filtered.");
        if (!dialect_reader_keys(reader, value, known) ||
            !dialect_reader_member(reader, value, "items", DIALECT_NAME_BYTES_MAX,
                                   &rule->filter_items) ||
            !dialect_reader_member(reader, value, "name", DIALECT_NAME_BYTES_MAX,
                                   &rule->filter_name))
            return false;
        if (kind == NULL || (strcmp(kind, "name") != 0 && strcmp(kind, "uri") != 0)) {
            dialect_reader_enter(reader, "kind");
            return dialect_reader_fail(reader, "This must be \"name\" or \"uri\".");
        }
        rule->filter_kind = strcmp(kind, "uri") == 0 ? TARGET_URI : TARGET_NAME;
        if (!dialect_rule_watch(reader, vocabulary, "result", rule->filter_items))
            return false;
    }
    dialect_reader_leave(reader, place);
    return true;
}

bool dialect_rule_read(struct dialect_reader *reader, json_t *value, enum direction direction,
                       struct vocabulary *vocabulary, struct verb_rule *rule)
{
    static const char *const known[] = {"as",    "always", "never",  "targets",
                                        "match", "within", "filter", NULL};

    if (!dialect_reader_keys(reader, value, known) ||
        !read_as(reader, json_object_get(value, "as"), vocabulary, rule) ||
        !dialect_reader_flag(reader, value, "always", &rule->always) ||
        !dialect_reader_flag(reader, value, "never", &rule->never))
        return false;
    if (rule->always && rule->never)
        return dialect_reader_fail(reader, "A verb cannot pass both always and never.");
    if (json_object_get(value, "match") != NULL) {
        if (!dialect_reader_member(reader, value, "match", DIALECT_NAME_BYTES_MAX,
                                   &rule->match_key))
            return false;
        if (vocabulary->envelope == ENVELOPE_JSON_RPC && !add_descend(reader, vocabulary, "params"))
            return false;
    }
    return read_targets(reader, json_object_get(value, "targets"), vocabulary, rule) &&
           read_within(reader, json_object_get(value, "within"), rule) &&
           read_filter(reader, json_object_get(value, "filter"), direction, vocabulary, rule);
}

bool dialect_rule_watch(struct dialect_reader *reader, struct vocabulary *vocabulary,
                        const char *of, const char *name)
{
    for (size_t i = 0; i < vocabulary->watch_count; i++) {
        if (span_equals(vocabulary->watches[i].of, of) &&
            strcmp(vocabulary->watches[i].name, name) == 0)
            return true;
    }
    if (vocabulary->watch_count == DIALECT_WATCHES_MAX)
        return dialect_reader_fail(reader, "A vocabulary filters at most %d different lists.",
                                   DIALECT_WATCHES_MAX / 2);
    vocabulary->watches[vocabulary->watch_count++] = (struct json_watch){span_of(of), name};
    return true;
}

void dialect_rule_clear(struct verb_rule *rule)
{
    free(rule->name);
    free(rule->match_key);
    free(rule->filter_items);
    free(rule->filter_name);
    text_list_clear(&rule->within);
    for (unsigned i = 0; i < DIALECT_TARGET_PATHS_MAX; i++) {
        for (unsigned j = 0; j < DIALECT_TARGET_DEPTH_MAX; j++)
            free(rule->targets[i].keys[j]);
    }
}
