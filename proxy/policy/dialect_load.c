#include "policy/dialect_load.h"

#include "policy/json_scan.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(DIALECT_TARGET_DEPTH_MAX <= JSON_RECORD_DEPTH, "the scanner records targets");

/* Where reading is and what went wrong; readers return false once something did. */
struct loader {
    struct dialect_fault *fault;
    enum error error;
    char pointer[sizeof(((struct dialect_fault *)0)->pointer)];
};

PRINTF_LIKE(2, 3) static bool fail(struct loader *loader, const char *format, ...)
{
    va_list arguments;

    loader->error = ERROR_INVALID;
    va_start(arguments, format);
    vsnprintf(loader->fault->text, sizeof(loader->fault->text), format, arguments);
    va_end(arguments);
    memcpy(loader->fault->pointer, loader->pointer, sizeof(loader->pointer));
    return false;
}

static bool fail_memory(struct loader *loader)
{
    fail(loader, "There is not enough memory.");
    loader->error = ERROR_MEMORY;
    return false;
}

/* Goes to a member; returns the place to leave to. A pointer too long to hold is cut short. */
static size_t enter(struct loader *loader, const char *key)
{
    size_t place = strlen(loader->pointer), used = place;

    if (used + 1 < sizeof(loader->pointer))
        loader->pointer[used++] = '/';
    for (; *key != '\0' && used + 2 < sizeof(loader->pointer); key++) {
        char byte = *key;

        if (byte == '/' || byte == '~') {
            loader->pointer[used++] = '~';
            byte = byte == '/' ? '1' : '0';
        }
        loader->pointer[used++] = byte;
    }
    loader->pointer[used] = '\0';
    return place;
}

static size_t enter_index(struct loader *loader, size_t index)
{
    char text[24];

    snprintf(text, sizeof(text), "%zu", index);
    return enter(loader, text);
}

static void leave(struct loader *loader, size_t place)
{
    loader->pointer[place] = '\0';
}

/* Checks that the value is an object with no keys but those in a list that NULL ends. */
static bool check_keys(struct loader *loader, json_t *value, const char *const *known)
{
    const char *key;
    json_t *member;

    if (!json_is_object(value))
        return fail(loader, "This must be an object.");
    json_object_foreach(value, key, member)
    {
        size_t i = 0;

        while (known[i] != NULL && strcmp(known[i], key) != 0)
            i++;
        if (known[i] == NULL) {
            enter(loader, key);
            return fail(loader, "A dialect pack has no such key here; remove it.");
        }
    }
    return true;
}

/* Copies a string of 1 to `maximum` bytes without control characters. */
static bool read_text(struct loader *loader, json_t *value, size_t maximum, char **out)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    if (text == NULL || length == 0 || length > maximum)
        return fail(loader, "This must be a string of 1 to %zu bytes.", maximum);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return fail(loader, "This must be free of control characters.");
    }
    *out = text_copy((struct span){text, length});
    return *out != NULL || fail_memory(loader);
}

static bool read_member_text(struct loader *loader, json_t *object, const char *key, size_t maximum,
                             char **out)
{
    size_t place = enter(loader, key);
    bool done = read_text(loader, json_object_get(object, key), maximum, out);

    if (done)
        leave(loader, place);
    return done;
}

static bool read_name(struct loader *loader, json_t *object, char **out)
{
    if (!read_member_text(loader, object, "name", DIALECT_NAME_BYTES_MAX, out))
        return false;
    if (strspn(*out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") !=
        strlen(*out)) {
        enter(loader, "name");
        return fail(loader, "A name has letters, digits, dots, dashes and underscores only.");
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

static bool read_envelope(struct loader *loader, json_t *value, struct vocabulary *vocabulary)
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
    enter(loader, "envelope");
    return fail(loader, "This must be \"json-rpc\", \"typed\" or \"opaque\".");
}

static bool read_open(struct loader *loader, json_t *value, struct vocabulary *vocabulary)
{
    size_t place = enter(loader, "open"), index;
    json_t *item;

    if (value != NULL && !json_is_array(value))
        return fail(loader, "This must be a list of \"c2s\" and \"s2c\".");
    json_array_foreach(value, index, item)
    {
        enum direction direction = direction_of(json_string_value(item));

        if (direction == DIRECTION_COUNT)
            return fail(loader, "This must be a list of \"c2s\" and \"s2c\".");
        vocabulary->open[direction] = true;
    }
    leave(loader, place);
    return true;
}

/* The members that only a typed envelope has. */
static bool read_typed(struct loader *loader, json_t *value, struct vocabulary *vocabulary)
{
    static const char *const known[] = {"value", "key", NULL};
    json_t *operation = json_object_get(value, "operation");

    if (!read_member_text(loader, value, "verb_key", DIALECT_NAME_BYTES_MAX, &vocabulary->verb_key))
        return false;
    if (operation != NULL) {
        size_t place = enter(loader, "operation");

        if (!check_keys(loader, operation, known) ||
            !read_member_text(loader, operation, "value", DIALECT_VERB_BYTES_MAX,
                              &vocabulary->operation_value) ||
            !read_member_text(loader, operation, "key", DIALECT_NAME_BYTES_MAX,
                              &vocabulary->operation_key))
            return false;
        leave(loader, place);
    }
    return true;
}

/* A refusal is sent as it stands but for two values, so nothing else may look like one. */
static bool check_refusal(struct loader *loader, json_t *value)
{
    const char *key;
    json_t *member;

    if (!json_is_object(value))
        return fail(loader, "This must be an object.");
    json_object_foreach(value, key, member)
    {
        const char *text = json_string_value(member);

        if (json_is_object(member) || json_is_array(member))
            return fail(loader, "A refusal has no objects or lists inside.");
        if (strchr(key, '$') != NULL ||
            (text != NULL && strchr(text, '$') != NULL && strcmp(text, "$verb") != 0 &&
             strcmp(text, "$reason") != 0))
            return fail(loader, "A $ may only stand in a value, as \"$verb\" or \"$reason\".");
    }
    return true;
}

static bool read_refusal(struct loader *loader, json_t *value, struct vocabulary *vocabulary)
{
    size_t place = enter(loader, "refusal");

    if (value != NULL) {
        if (!check_refusal(loader, value))
            return false;
        vocabulary->refusal = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
        if (vocabulary->refusal == NULL)
            return fail_memory(loader);
        if (strlen(vocabulary->refusal) > DIALECT_REFUSAL_BYTES_MAX)
            return fail(loader, "This must be at most %d bytes long.", DIALECT_REFUSAL_BYTES_MAX);
    }
    leave(loader, place);
    return true;
}

static bool add_descend(struct loader *loader, struct vocabulary *vocabulary, const char *key)
{
    if (text_list_contains(&vocabulary->descend, span_of(key)))
        return true;
    return text_list_add(&vocabulary->descend, key, strlen(key)) == OK || fail_memory(loader);
}

static bool read_target_path(struct loader *loader, json_t *keys, struct vocabulary *vocabulary,
                             struct target_path *path)
{
    json_t *key;
    size_t index;

    if (json_array_size(keys) == 0 || json_array_size(keys) > DIALECT_TARGET_DEPTH_MAX)
        return fail(loader, "This must be a list of 1 to %d keys.", DIALECT_TARGET_DEPTH_MAX);
    json_array_foreach(keys, index, key)
    {
        if (!read_text(loader, key, DIALECT_NAME_BYTES_MAX, &path->keys[index]))
            return false;
        path->depth++;
        if (index + 1 < json_array_size(keys) &&
            !add_descend(loader, vocabulary, path->keys[index]))
            return false;
    }
    if (vocabulary->envelope == ENVELOPE_JSON_RPC &&
        (path->depth < 2 || strcmp(path->keys[0], "params") != 0))
        return fail(loader, "In JSON-RPC a target lies below \"params\".");
    return true;
}

static bool read_targets(struct loader *loader, json_t *value, struct vocabulary *vocabulary,
                         struct verb_rule *rule)
{
    static const char *const known[] = {"name", "uri", NULL};
    json_t *item;
    size_t index, place = enter(loader, "targets");

    if (value != NULL &&
        (json_array_size(value) == 0 || json_array_size(value) > DIALECT_TARGET_PATHS_MAX))
        return fail(loader, "This must be a list of 1 or %d targets.", DIALECT_TARGET_PATHS_MAX);
    json_array_foreach(value, index, item)
    {
        struct target_path *path = &rule->targets[rule->target_count++];
        size_t inner = enter_index(loader, index);
        bool uri = json_object_get(item, "uri") != NULL;

        if (!check_keys(loader, item, known))
            return false;
        if (json_object_size(item) != 1)
            return fail(loader, "This must have either \"name\" or \"uri\".");
        path->kind = uri ? TARGET_URI : TARGET_NAME;
        if (!read_target_path(loader, json_object_get(item, uri ? "uri" : "name"), vocabulary,
                              path))
            return false;
        leave(loader, inner);
    }
    leave(loader, place);
    return true;
}

static bool read_as(struct loader *loader, json_t *value, const struct vocabulary *vocabulary,
                    struct verb_rule *rule)
{
    const char *as = json_string_value(value);

    if (vocabulary->envelope == ENVELOPE_JSON_RPC) {
        rule->request = value == NULL || (as != NULL && strcmp(as, "request") == 0);
        rule->notification = as != NULL && strcmp(as, "notification") == 0;
        if (rule->request || rule->notification)
            return true;
        enter(loader, "as");
        return fail(loader, "This must be \"request\" or \"notification\".");
    }
    rule->operation = as != NULL && strcmp(as, "operation") == 0;
    if (value == NULL || (rule->operation && vocabulary->operation_key != NULL))
        return true;
    enter(loader, "as");
    return fail(loader, "This may only be \"operation\", where the vocabulary has one.");
}

static bool read_rule(struct loader *loader, json_t *value, struct vocabulary *vocabulary,
                      struct verb_rule *rule)
{
    static const char *const known[] = {"as", "always", "targets", "match", NULL};
    json_t *always = json_object_get(value, "always");

    if (!check_keys(loader, value, known) ||
        !read_as(loader, json_object_get(value, "as"), vocabulary, rule))
        return false;
    if (always != NULL && !json_is_boolean(always)) {
        enter(loader, "always");
        return fail(loader, "This must be true or false.");
    }
    rule->always = json_is_true(always);
    if (json_object_get(value, "match") != NULL) {
        if (!read_member_text(loader, value, "match", DIALECT_NAME_BYTES_MAX, &rule->match_key))
            return false;
        if (vocabulary->envelope == ENVELOPE_JSON_RPC && !add_descend(loader, vocabulary, "params"))
            return false;
    }
    return read_targets(loader, json_object_get(value, "targets"), vocabulary, rule);
}

static int compare_rules(const void *left, const void *right)
{
    return strcmp(((const struct verb_rule *)left)->name, ((const struct verb_rule *)right)->name);
}

static bool read_verbs_of(struct loader *loader, json_t *value, struct vocabulary *vocabulary,
                          enum direction direction)
{
    size_t count = json_object_size(value);
    const char *name;
    json_t *item;

    if (!json_is_object(value) || count > DIALECT_VERBS_MAX)
        return fail(loader, "This must be an object of at most %d verbs.", DIALECT_VERBS_MAX);
    vocabulary->verbs[direction] = calloc(count + 1, sizeof(struct verb_rule));
    if (vocabulary->verbs[direction] == NULL)
        return fail_memory(loader);
    json_object_foreach(value, name, item)
    {
        struct verb_rule *rule = &vocabulary->verbs[direction][vocabulary->verb_count[direction]++];
        size_t place = enter(loader, name);

        if (*name == '\0' || strlen(name) > DIALECT_VERB_BYTES_MAX)
            return fail(loader, "A verb has 1 to %d bytes.", DIALECT_VERB_BYTES_MAX);
        rule->name = text_copy(span_of(name));
        if (rule->name == NULL)
            return fail_memory(loader);
        if (!read_rule(loader, item, vocabulary, rule))
            return false;
        leave(loader, place);
    }
    qsort(vocabulary->verbs[direction], count, sizeof(struct verb_rule), compare_rules);
    return true;
}

static bool read_verbs(struct loader *loader, json_t *value, struct vocabulary *vocabulary)
{
    static const char *const known[] = {"c2s", "s2c", NULL};
    size_t place = enter(loader, "verbs");

    if (value != NULL && !check_keys(loader, value, known))
        return false;
    for (unsigned i = 0; value != NULL && i < DIRECTION_COUNT; i++) {
        json_t *verbs = json_object_get(value, known[i]);
        size_t inner = enter(loader, known[i]);

        if (verbs != NULL && !read_verbs_of(loader, verbs, vocabulary, (enum direction)i))
            return false;
        leave(loader, inner);
    }
    leave(loader, place);
    return true;
}

static bool read_vocabulary(struct loader *loader, json_t *value, struct vocabulary *vocabulary)
{
    static const char *const opaque[] = {"name", "about", "envelope", NULL};
    static const char *const json_rpc[] = {"name", "about", "envelope", "open", "verbs", NULL};
    static const char *const typed[] = {"name",      "about", "envelope", "open", "verb_key",
                                        "operation", "verbs", "refusal",  NULL};
    const char *const *known = typed;

    if (!json_is_object(value))
        return fail(loader, "This must be an object.");
    if (!read_name(loader, value, &vocabulary->name) || !read_envelope(loader, value, vocabulary))
        return false;
    if (vocabulary->envelope != ENVELOPE_TYPED)
        known = vocabulary->envelope == ENVELOPE_OPAQUE ? opaque : json_rpc;
    if (!check_keys(loader, value, known) ||
        !read_open(loader, json_object_get(value, "open"), vocabulary))
        return false;
    if (vocabulary->envelope == ENVELOPE_TYPED && !read_typed(loader, value, vocabulary))
        return false;
    return read_verbs(loader, json_object_get(value, "verbs"), vocabulary) &&
           read_refusal(loader, json_object_get(value, "refusal"), vocabulary);
}

static bool read_vocabularies(struct loader *loader, json_t *value, struct dialect *dialect)
{
    size_t place = enter(loader, "vocabularies"), count = json_array_size(value);

    if (count == 0 || count > DIALECT_VOCABULARIES_MAX)
        return fail(loader, "This must be a list of 1 to %d vocabularies.",
                    DIALECT_VOCABULARIES_MAX);
    dialect->vocabularies = calloc(count, sizeof(*dialect->vocabularies));
    if (dialect->vocabularies == NULL)
        return fail_memory(loader);
    for (size_t i = 0; i < count; i++) {
        struct vocabulary *vocabulary = &dialect->vocabularies[dialect->vocabulary_count++];
        size_t inner = enter_index(loader, i);

        if (!read_vocabulary(loader, json_array_get(value, i), vocabulary))
            return false;
        if (dialect_vocabulary(dialect, vocabulary->name) != vocabulary)
            return fail(loader, "Another vocabulary has this name.");
        leave(loader, inner);
    }
    leave(loader, place);
    return true;
}

static bool read_pack(struct loader *loader, json_t *root, struct dialect *dialect)
{
    static const char *const known[] = {"name", "about", "vocabularies", "routes", NULL};

    return check_keys(loader, root, known) && read_name(loader, root, &dialect->name) &&
           read_vocabularies(loader, json_object_get(root, "vocabularies"), dialect);
}

enum error dialect_load(const char *text, size_t length, struct dialect *dialect,
                        struct dialect_fault *fault)
{
    struct loader loader = {.fault = fault};
    json_error_t problem;
    json_t *root;

    if (length > DIALECT_BYTES_MAX) {
        fail(&loader, "The pack is larger than %zu bytes.", DIALECT_BYTES_MAX);
        return ERROR_LIMIT;
    }
    /* jansson passes over a NUL behind a number. */
    if (memchr(text, '\0', length) != NULL) {
        fail(&loader, "The pack holds a NUL byte.");
        return ERROR_SYNTAX;
    }
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL) {
        fail(&loader, "Line %d is not valid JSON: %.100s.", problem.line, problem.text);
        return ERROR_SYNTAX;
    }
    read_pack(&loader, root, dialect);
    json_decref(root);
    return loader.error;
}
