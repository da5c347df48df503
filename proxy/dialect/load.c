#include "dialect/load.h"

#include "dialect/rule.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool read_name(struct dialect_reader *reader, json_t *object, char **out)
{
    if (!dialect_reader_member(reader, object, "name", DIALECT_NAME_BYTES_MAX, out))
        return false;
    if (!text_is_name(*out)) {
        dialect_reader_enter(reader, "name");
        return dialect_reader_fail(reader, "A name begins with a letter or digit; letters, digits, "
                                           "dots, dashes and underscores follow.");
    }
    return true;
}

/* A direction by its name; DIRECTION_COUNT if there is no such one. */
static enum direction direction_of(const char *name)
{
    if (name != NULL && strcmp(name, "c2s") == 0)
        return DIRECTION_C2S;
    return name != NULL && strcmp(name, "s2c") == 0 ? DIRECTION_S2C : DIRECTION_COUNT;
}

static bool read_envelope(struct dialect_reader *reader, json_t *value,
                          struct vocabulary *vocabulary)
{
    static const char *const names[] = {
        [ENVELOPE_JSON_RPC] = "json-rpc", [ENVELOPE_TYPED] = "typed", [ENVELOPE_OPAQUE] = "opaque"};
    const char *text = json_string_value(json_object_get(value, "envelope"));

    for (unsigned i = ENVELOPE_JSON_RPC; text != NULL && i <= ENVELOPE_OPAQUE; i++) {
        if (strcmp(text, names[i]) == 0) {
            vocabulary->envelope = (enum envelope)i;
            return true;
        }
    }
    dialect_reader_enter(reader, "envelope");
    return dialect_reader_fail(reader, "This must be \"json-rpc\", \"typed\" or \"opaque\".");
}

static bool read_open(struct dialect_reader *reader, json_t *value, struct vocabulary *vocabulary)
{
    size_t place = dialect_reader_enter(reader, "open"), index;
    json_t *item;

    if (value != NULL && !json_is_array(value))
        return dialect_reader_fail(reader, "This must be a list of \"c2s\" and \"s2c\".");
    json_array_foreach(value, index, item)
    {
        enum direction direction = direction_of(json_string_value(item));

        if (direction == DIRECTION_COUNT)
            return dialect_reader_fail(reader, "This must be a list of \"c2s\" and \"s2c\".");
        vocabulary->open[direction] = true;
    }
    dialect_reader_leave(reader, place);
    return true;
}

/* The members that only a typed envelope has. */
static bool read_typed(struct dialect_reader *reader, json_t *value, struct vocabulary *vocabulary)
{
    static const char *const known[] = {"value", "key", NULL};
    json_t *operation = json_object_get(value, "operation");

    if (!dialect_reader_member(reader, value, "verb_key", DIALECT_NAME_BYTES_MAX,
                               &vocabulary->verb_key))
        return false;
    if (operation != NULL) {
        size_t place = dialect_reader_enter(reader, "operation");

        if (!dialect_reader_keys(reader, operation, known) ||
            !dialect_reader_member(reader, operation, "value", DIALECT_VERB_BYTES_MAX,
                                   &vocabulary->operation_value) ||
            !dialect_reader_member(reader, operation, "key", DIALECT_NAME_BYTES_MAX,
                                   &vocabulary->operation_key))
            return false;
        dialect_reader_leave(reader, place);
    }
    return true;
}

/* The members that only a JSON-RPC envelope has, and what the scanner looks at for all of them. */
static bool read_json_rpc(struct dialect_reader *reader, json_t *value,
                          struct vocabulary *vocabulary)
{
    /* What MCP over HTTP compares with headers (mcp_http.h), whatever the dialect. */
    static const char *const compared[][2] = {
        {"params", "_meta"}, {"_meta", DIALECT_MCP_VERSION_KEY},
        {"params", "name"},  {"params", "taskId"},
        {"params", "uri"},
    };
    bool bare = json_is_false(json_object_get(value, "jsonrpc")), ignored;

    if (!dialect_reader_flag(reader, value, "jsonrpc", &ignored))
        return false;
    vocabulary->bare = bare;
    if (json_object_get(value, "session") != NULL &&
        !dialect_reader_member(reader, value, "session", DIALECT_NAME_BYTES_MAX,
                               &vocabulary->session_key))
        return false;
    for (size_t i = 0; i < sizeof(compared) / sizeof(*compared); i++) {
        if (!dialect_rule_watch(reader, vocabulary, compared[i][0], compared[i][1]))
            return false;
    }
    if (json_object_get(value, "asks") == NULL)
        return true;
    return dialect_reader_member(reader, value, "asks", DIALECT_NAME_BYTES_MAX,
                                 &vocabulary->asks_key) &&
           dialect_rule_watch(reader, vocabulary, "result", vocabulary->asks_key);
}

/* A refusal is sent as it stands but for two values, so nothing else may look like one. */
static bool check_refusal(struct dialect_reader *reader, json_t *value)
{
    const char *key;
    json_t *member;

    if (!json_is_object(value))
        return dialect_reader_fail(reader, "This must be an object.");
    json_object_foreach(value, key, member)
    {
        const char *text = json_string_value(member);

        if (json_is_object(member) || json_is_array(member))
            return dialect_reader_fail(reader, "A refusal has no objects or lists inside.");
        if (strchr(key, '$') != NULL ||
            (text != NULL && strchr(text, '$') != NULL && strcmp(text, "$verb") != 0 &&
             strcmp(text, "$reason") != 0))
            return dialect_reader_fail(
                reader, "A $ may only stand in a value, as \"$verb\" or \"$reason\".");
    }
    return true;
}

static bool read_refusal(struct dialect_reader *reader, json_t *value,
                         struct vocabulary *vocabulary)
{
    size_t place = dialect_reader_enter(reader, "refusal");

    if (value != NULL) {
        if (!check_refusal(reader, value))
            return false;
        vocabulary->refusal = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
        if (vocabulary->refusal == NULL)
            return dialect_reader_memory(reader);
        if (strlen(vocabulary->refusal) > DIALECT_REFUSAL_BYTES_MAX)
            return dialect_reader_fail(reader, "This must be at most %d bytes long.",
                                       DIALECT_REFUSAL_BYTES_MAX);
    }
    dialect_reader_leave(reader, place);
    return true;
}

static int compare_rules(const void *left, const void *right)
{
    return strcmp(((const struct verb_rule *)left)->name, ((const struct verb_rule *)right)->name);
}

static bool read_verbs_of(struct dialect_reader *reader, json_t *value,
                          struct vocabulary *vocabulary, enum direction direction)
{
    size_t count = json_object_size(value);
    const char *name;
    json_t *item;

    if (!json_is_object(value) || count > DIALECT_VERBS_MAX)
        return dialect_reader_fail(reader, "This must be an object of at most %d verbs.",
                                   DIALECT_VERBS_MAX);
    vocabulary->verbs[direction] = calloc(count + 1, sizeof(struct verb_rule));
    if (vocabulary->verbs[direction] == NULL)
        return dialect_reader_memory(reader);
    json_object_foreach(value, name, item)
    {
        struct verb_rule *rule = &vocabulary->verbs[direction][vocabulary->verb_count[direction]++];
        size_t place = dialect_reader_enter(reader, name);

        if (*name == '\0' || strlen(name) > DIALECT_VERB_BYTES_MAX)
            return dialect_reader_fail(reader, "A verb has 1 to %d bytes.", DIALECT_VERB_BYTES_MAX);
        rule->name = text_copy(span_of(name));
        if (rule->name == NULL)
            return dialect_reader_memory(reader);
        if (!dialect_rule_read(reader, item, direction, vocabulary, rule))
            return false;
        dialect_reader_leave(reader, place);
    }
    qsort(vocabulary->verbs[direction], count, sizeof(struct verb_rule), compare_rules);
    return true;
}

static bool read_verbs(struct dialect_reader *reader, json_t *value, struct vocabulary *vocabulary)
{
    static const char *const known[] = {"c2s", "s2c", NULL};
    size_t place = dialect_reader_enter(reader, "verbs");

    if (value != NULL && !dialect_reader_keys(reader, value, known))
        return false;
    for (unsigned i = 0; value != NULL && i < DIRECTION_COUNT; i++) {
        json_t *verbs = json_object_get(value, known[i]);
        size_t inner = dialect_reader_enter(reader, known[i]);

        if (verbs != NULL && !read_verbs_of(reader, verbs, vocabulary, (enum direction)i))
            return false;
        dialect_reader_leave(reader, inner);
    }
    dialect_reader_leave(reader, place);
    return true;
}

static bool read_vocabulary(struct dialect_reader *reader, json_t *value,
                            struct vocabulary *vocabulary)
{
    static const char *const opaque[] = {"name", "about", "envelope", NULL};
    static const char *const json_rpc[] = {"name",    "about", "envelope", "open", "jsonrpc",
                                           "session", "asks",  "verbs",    NULL};
    static const char *const typed[] = {"name",      "about", "envelope", "open", "verb_key",
                                        "operation", "verbs", "refusal",  NULL};
    const char *const *known = typed;

    if (!json_is_object(value))
        return dialect_reader_fail(reader, "This must be an object.");
    if (!read_name(reader, value, &vocabulary->name) || !read_envelope(reader, value, vocabulary))
        return false;
    if (vocabulary->envelope != ENVELOPE_TYPED)
        known = vocabulary->envelope == ENVELOPE_OPAQUE ? opaque : json_rpc;
    if (!dialect_reader_keys(reader, value, known) ||
        !read_open(reader, json_object_get(value, "open"), vocabulary))
        return false;
    if (vocabulary->envelope == ENVELOPE_TYPED && !read_typed(reader, value, vocabulary))
        return false;
    if (vocabulary->envelope == ENVELOPE_JSON_RPC && !read_json_rpc(reader, value, vocabulary))
        return false;
    return read_verbs(reader, json_object_get(value, "verbs"), vocabulary) &&
           read_refusal(reader, json_object_get(value, "refusal"), vocabulary);
}

static bool read_vocabularies(struct dialect_reader *reader, json_t *value, struct dialect *dialect)
{
    size_t place = dialect_reader_enter(reader, "vocabularies"), count = json_array_size(value);

    if (count == 0 || count > DIALECT_VOCABULARIES_MAX)
        return dialect_reader_fail(reader, "This must be a list of 1 to %d vocabularies.",
                                   DIALECT_VOCABULARIES_MAX);
    dialect->vocabularies = calloc(count, sizeof(*dialect->vocabularies));
    if (dialect->vocabularies == NULL)
        return dialect_reader_memory(reader);
    for (size_t i = 0; i < count; i++) {
        struct vocabulary *vocabulary = &dialect->vocabularies[dialect->vocabulary_count++];
        size_t inner = dialect_reader_enter_index(reader, i);

        if (!read_vocabulary(reader, json_array_get(value, i), vocabulary))
            return false;
        if (dialect_vocabulary(dialect, vocabulary->name) != vocabulary)
            return dialect_reader_fail(reader, "Another vocabulary has this name.");
        dialect_reader_leave(reader, inner);
    }
    dialect_reader_leave(reader, place);
    return true;
}

static bool read_pack(struct dialect_reader *reader, json_t *root, struct dialect *dialect)
{
    static const char *const known[] = {"name", "about", "vocabularies", "routes", NULL};

    return dialect_reader_keys(reader, root, known) && read_name(reader, root, &dialect->name) &&
           read_vocabularies(reader, json_object_get(root, "vocabularies"), dialect);
}

enum error dialect_load(const char *text, size_t length, struct dialect *dialect,
                        struct dialect_fault *fault)
{
    struct dialect_reader reader = {.fault = fault};
    json_error_t problem;
    json_t *root;

    if (length > DIALECT_BYTES_MAX) {
        dialect_reader_fail(&reader, "The pack is larger than %zu bytes.", DIALECT_BYTES_MAX);
        return ERROR_LIMIT;
    }
    /* jansson passes over a NUL behind a number. */
    if (memchr(text, '\0', length) != NULL) {
        dialect_reader_fail(&reader, "The pack holds a NUL byte.");
        return ERROR_SYNTAX;
    }
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL) {
        dialect_reader_fail(&reader, "Line %d is not valid JSON: %.100s.", problem.line,
                            problem.text);
        return ERROR_SYNTAX;
    }
    read_pack(&reader, root, dialect);
    json_decref(root);
    return reader.error;
}
