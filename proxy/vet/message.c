#include "vet/message.h"

#include <string.h>

/* The members of a JSON-RPC message (JSON-RPC 2.0 sections 4 and 5). */
enum field {
    FIELD_JSONRPC,
    FIELD_ID,
    FIELD_METHOD,
    FIELD_PARAMS,
    FIELD_RESULT,
    FIELD_ERROR,
    FIELD_COUNT
};

typedef const struct json_member *fields[FIELD_COUNT];

static void message_init(struct message *message)
{
    /* Not the byte arrays at its end: this runs for every message. */
    message->kind = MESSAGE_OTHER;
    message->id = message->id_key = message->verb = (struct span){0};
    message->target = message->match = message->session = (struct span){0};
    message->rule = NULL;
    message->target_kind = TARGET_NONE;
    message->target_too_long = false;
    message->more_count = 0;
}

/* The field a key names, as spelt; FIELD_COUNT if none. */
static enum field field_of(struct span key)
{
#define IS(text) (key.length == sizeof(text) - 1 && memcmp(key.data, text, sizeof(text) - 1) == 0)
    if (IS("jsonrpc"))
        return FIELD_JSONRPC;
    if (IS("id"))
        return FIELD_ID;
    if (IS("method"))
        return FIELD_METHOD;
    if (IS("params"))
        return FIELD_PARAMS;
    if (IS("result"))
        return FIELD_RESULT;
    return IS("error") ? FIELD_ERROR : FIELD_COUNT;
#undef IS
}

/* The one key beside the six that a vocabulary may have. */
static bool read_session(const struct json_member *member, const struct vocabulary *vocabulary,
                         struct message *out)
{
    if (vocabulary->session_key == NULL || !span_equals(member->key, vocabulary->session_key) ||
        member->type != JSON_TYPE_STRING || member->value.length > MESSAGE_ID_BYTES_MAX + 2 ||
        member->odd)
        return false;
    out->session = member->value;
    return true;
}

/* Sorts the top members into fields; false if there is one that is not among the known. */
static bool read_fields(const struct json_scan *scan, const struct vocabulary *vocabulary,
                        fields found, struct message *out)
{
    const size_t count = json_scan_count(scan);
    bool known = true;

    for (size_t i = 0; i < count; i++) {
        const struct json_member *member = json_scan_member(scan, i);
        enum field field;

        if (member->depth != 1)
            continue;
        field = field_of(member->key);
        if (field < FIELD_COUNT)
            found[field] = member;
        else if (!read_session(member, vocabulary, out))
            known = false;
    }
    return known;
}

static enum message_kind kind_of(fields found)
{
    bool response = found[FIELD_RESULT] != NULL || found[FIELD_ERROR] != NULL;

    if (found[FIELD_METHOD] != NULL)
        return response                  ? MESSAGE_OTHER
               : found[FIELD_ID] != NULL ? MESSAGE_REQUEST
                                         : MESSAGE_NOTIFICATION;
    return response ? MESSAGE_RESPONSE : MESSAGE_OTHER;
}

/* Takes an id if it is one that every peer reads alike: no null, fraction, exponent or -0. */
enum reason message_read_id(const struct json_member *id, struct message *out)
{
    struct span key;
    size_t length;

    if (id == NULL)
        return REASON_ID_MISSING;
    key = id->value;
    if (id->type == JSON_TYPE_INTEGER && !json_number_is_safe_integer(id->value))
        return REASON_ID_NUMBER;
    if (id->type != JSON_TYPE_INTEGER && id->type != JSON_TYPE_STRING)
        return id->type == JSON_TYPE_NULL   ? REASON_ID_NULL
               : id->type == JSON_TYPE_REAL ? REASON_ID_NUMBER
                                            : REASON_ID_TYPE;
    if (id->value.length > MESSAGE_ID_BYTES_MAX + 2)
        return REASON_ID_LONG;
    if (id->odd)
        return REASON_ID_TEXT;
    if (id->type == JSON_TYPE_STRING && id->value_escaped) {
        out->id_bytes[0] = '"';
        if (json_scan_unescape(id->value, out->id_bytes + 1, MESSAGE_ID_BYTES_MAX + 1, &length) !=
            OK)
            return REASON_ID_LONG;
        out->id_bytes[length + 1] = '"';
        key = (struct span){out->id_bytes, length + 2};
    }
    out->id = id->value;
    out->id_key = key;
    return REASON_ALLOWED;
}

/* Takes the verb out of a string member: unknown is one that is longer than any, or no text. */
static enum reason read_verb(const struct json_member *member, struct message *out)
{
    return json_member_text(member, out->verb_bytes, sizeof(out->verb_bytes), &out->verb) &&
                   out->verb.length > 0 && out->verb.length <= DIALECT_VERB_BYTES_MAX
               ? REASON_ALLOWED
               : REASON_VERB_UNKNOWN;
}

/*
 * Follows keys from the top. REASON_ALLOWED with *out the member, or NULL if it
 * is not there; REASON_KEY_RESEMBLES if something on the way resembles a key.
 */
static enum reason follow(const struct json_scan *scan, char *const *keys, unsigned depth,
                          const struct json_member **out)
{
    const struct json_member *member = NULL;
    int parent = -1;

    *out = NULL;
    for (unsigned i = 0; i < depth; i++) {
        if (json_scan_lookalike(scan, parent, keys[i]) >= 0)
            return REASON_KEY_RESEMBLES;
        member = json_scan_find(scan, parent, keys[i]);
        if (member == NULL || (i + 1 < depth && member->type != JSON_TYPE_OBJECT))
            return REASON_ALLOWED;
        parent = json_scan_index(scan, member);
    }
    *out = member;
    return REASON_ALLOWED;
}

enum reason message_follow(const struct json_scan *scan, const struct target_path *path,
                           struct json_member *out)
{
    const unsigned depth = path->list > 0 ? path->list : path->depth;
    const unsigned recorded = depth < JSON_RECORD_DEPTH ? depth : JSON_RECORD_DEPTH;
    const struct json_member *member;
    enum reason reason = follow(scan, path->keys, recorded, &member);

    *out = (struct json_member){.type = JSON_NONE};
    if (!reason_allows(reason) || member == NULL)
        return reason;
    *out = *member;
    for (unsigned i = recorded; reason_allows(reason) && i < depth; i++)
        reason = json_scan_member_of(out->value, path->keys[i], out);
    return reason;
}

/* A string. */
static enum reason take_target(const struct json_member *member, enum target_kind kind,
                               struct message *out)
{
    out->target_kind = kind;
    out->target_too_long =
        !json_member_text(member, out->target_bytes, sizeof(out->target_bytes), &out->target);
    return member->odd ? REASON_TARGET_TEXT : REASON_ALLOWED;
}

enum reason message_take_element(struct message *message, const struct target_path *path,
                                 struct span element)
{
    struct json_member member = json_member_of(element);
    enum reason reason = REASON_ALLOWED;

    if (path->list > 0 && path->depth > path->list)
        reason = json_scan_member_of(element, path->keys[path->list], &member);
    if (!reason_allows(reason))
        return reason;
    message->target = (struct span){0};
    if (member.type != JSON_TYPE_STRING)
        return member.type == JSON_NONE ? REASON_TARGET_MISSING : REASON_TARGET_TYPE;
    return take_target(&member, path->kind, message);
}

/* A verb with targets has exactly one of them, or each, unless it may do without, and they are
 * strings; of lists there may be any. */
static enum reason read_target(const struct json_scan *scan, struct message *out)
{
    const struct verb_rule *rule = out->rule;
    unsigned singles = 0, found = 0;

    for (unsigned i = 0; i < rule->target_count; i++) {
        const struct target_path *path = &rule->targets[i];
        struct json_member member;
        enum reason reason = message_follow(scan, path, &member);

        singles += path->list == 0;
        if (!reason_allows(reason))
            return reason;
        if (member.type == JSON_NONE)
            continue;
        if (member.type != (path->list > 0 ? JSON_TYPE_ARRAY : JSON_TYPE_STRING))
            return REASON_TARGET_TYPE;
        found += path->list == 0;
        if (path->list > 0 || (rule->each && found > 1))
            out->more[out->more_count++] = (struct message_targets){path, member.value};
        else if (found > 1)
            return REASON_TARGET_SEVERAL;
        else if (!reason_allows(reason = take_target(&member, path->kind, out)))
            return reason;
    }
    if (rule->optional || found == singles)
        return REASON_ALLOWED;
    return rule->each || found == 0 ? REASON_TARGET_MISSING : REASON_ALLOWED;
}

/* What the verb's rule wants read: a member of `holder` to compare (whether it may be absent is
 * for vet to say), and the target. */
static enum reason read_ruled(const struct json_scan *scan, int holder, struct message *out)
{
    const struct json_member *member;

    if (out->rule->match_key != NULL) {
        if (json_scan_lookalike(scan, holder, out->rule->match_key) >= 0)
            return REASON_KEY_RESEMBLES;
        member = json_scan_find(scan, holder, out->rule->match_key);
        if (member != NULL)
            out->match = member->value;
    }
    return read_target(scan, out);
}

/* Whether parameters are of the type that JSON-RPC 2.0 and the vocabulary give them. In a list no
 * member can be told from another, so it is not for verbs whose members are looked at. */
static bool params_fit(const struct json_member *params, bool open, const struct verb_rule *rule)
{
    return params == NULL || params->type == JSON_TYPE_OBJECT ||
           (params->type == JSON_TYPE_ARRAY && open &&
            (rule == NULL || (!rule->optional && rule->only_count == 0)));
}

/* A request or notification, whose id was read. */
static enum reason read_call(const struct json_scan *scan, const struct vocabulary *vocabulary,
                             enum direction direction, fields found, struct message *out)
{
    const struct json_member *method = found[FIELD_METHOD], *params = found[FIELD_PARAMS];
    const struct verb_rule *rule;
    enum reason reason;

    if (method == NULL || method->type != JSON_TYPE_STRING)
        return REASON_SHAPE_METHOD;
    reason = read_verb(method, out);
    if (!reason_allows(reason))
        return reason;
    out->rule = rule = vocabulary_verb(vocabulary, direction, out->verb);
    if (rule == NULL && !vocabulary->open[direction])
        return REASON_VERB_UNKNOWN;
    if (rule != NULL && !(out->kind == MESSAGE_REQUEST ? rule->request : rule->notification))
        return REASON_SHAPE_NOTIFICATION;
    if (!params_fit(params, vocabulary->open[direction], rule))
        return REASON_SHAPE_PARAMS;
    if (rule == NULL)
        return REASON_ALLOWED;
    return params != NULL ? read_ruled(scan, json_scan_index(scan, params), out)
                          : read_target(scan, out);
}

static enum reason read_response(fields found)
{
    const struct json_member *error = found[FIELD_ERROR];

    if (found[FIELD_PARAMS] != NULL || (error != NULL && found[FIELD_RESULT] != NULL))
        return REASON_SHAPE_RESPONSE;
    return error == NULL || error->type == JSON_TYPE_OBJECT ? REASON_ALLOWED : REASON_SHAPE_ERROR;
}

static bool version_fits(const struct json_member *version, const struct vocabulary *vocabulary)
{
    if (vocabulary->bare)
        return version == NULL;
    return version != NULL && span_equals(version->value, "\"2.0\"");
}

static enum reason read_json_rpc(const struct json_scan *scan, const struct vocabulary *vocabulary,
                                 enum direction direction, struct message *out)
{
    fields found = {NULL};
    enum reason identified;
    bool known;

    if (json_scan_root(scan) == JSON_TYPE_ARRAY)
        return REASON_BATCH_REFUSED;
    known = read_fields(scan, vocabulary, found, out);
    out->kind = kind_of(found);
    identified = message_read_id(found[FIELD_ID], out);
    if (!known)
        return REASON_KEY_UNKNOWN;
    if (!version_fits(found[FIELD_JSONRPC], vocabulary))
        return REASON_SHAPE_VERSION;
    if (out->kind == MESSAGE_OTHER)
        return REASON_SHAPE_KIND;
    if (out->kind == MESSAGE_RESPONSE && found[FIELD_ID] != NULL &&
        found[FIELD_ID]->type == JSON_TYPE_NULL)
        return REASON_RESPONSE_NULL;
    if (!reason_allows(identified) && out->kind != MESSAGE_NOTIFICATION)
        return identified;
    if (out->kind == MESSAGE_RESPONSE)
        return read_response(found);
    return read_call(scan, vocabulary, direction, found, out);
}

/* Finds the member that names the verb; an operation goes by its own member. */
static enum reason read_typed_verb(const struct json_scan *scan,
                                   const struct vocabulary *vocabulary, enum direction direction,
                                   struct message *out, bool *operation)
{
    const struct json_member *member;
    enum reason reason = follow(scan, &vocabulary->verb_key, 1, &member);

    *operation = false;
    if (!reason_allows(reason))
        return reason;
    if (member == NULL || member->type != JSON_TYPE_STRING)
        return REASON_SHAPE_METHOD;
    reason = read_verb(member, out);
    if (!reason_allows(reason) || vocabulary->operation_key == NULL)
        return reason;
    if (!span_equals(out->verb, vocabulary->operation_value)) {
        /* The service names its answers' operations too; a client has no cause to. */
        reason = follow(scan, &vocabulary->operation_key, 1, &member);
        return direction == DIRECTION_C2S && (member != NULL || !reason_allows(reason))
                   ? REASON_KEY_UNKNOWN
                   : REASON_ALLOWED;
    }
    *operation = true;
    out->verb = (struct span){0};
    reason = follow(scan, &vocabulary->operation_key, 1, &member);
    if (!reason_allows(reason))
        return reason;
    if (member == NULL || member->type != JSON_TYPE_STRING)
        return REASON_SHAPE_METHOD;
    return read_verb(member, out);
}

static enum reason read_typed(const struct json_scan *scan, const struct vocabulary *vocabulary,
                              enum direction direction, struct message *out)
{
    enum reason reason;
    bool operation;

    if (json_scan_root(scan) == JSON_TYPE_ARRAY)
        return REASON_BATCH_REFUSED;
    out->kind = MESSAGE_TYPED;
    reason = read_typed_verb(scan, vocabulary, direction, out, &operation);
    if (!reason_allows(reason))
        return reason;
    out->rule = vocabulary_verb(vocabulary, direction, out->verb);
    if (out->rule != NULL && out->rule->operation != operation)
        out->rule = NULL;
    if (out->rule == NULL)
        return vocabulary->open[direction] ? REASON_ALLOWED : REASON_VERB_UNKNOWN;
    return read_ruled(scan, -1, out);
}

enum reason message_read(const struct json_scan *scan, const struct vocabulary *vocabulary,
                         enum direction direction, struct message *out)
{
    message_init(out);
    switch (vocabulary->envelope) {
    case ENVELOPE_JSON_RPC:
        return read_json_rpc(scan, vocabulary, direction, out);
    case ENVELOPE_TYPED:
        return read_typed(scan, vocabulary, direction, out);
    case ENVELOPE_OPAQUE:
        break;
    }
    return REASON_MESSAGE_SHAPE;
}

enum reason message_read_ask(const struct json_scan *scan, const struct vocabulary *vocabulary,
                             struct message *out)
{
    fields found = {NULL};
    bool known;

    message_init(out);
    if (json_scan_root(scan) != JSON_TYPE_OBJECT)
        return REASON_SHAPE_ASKS;
    known = read_fields(scan, vocabulary, found, out) && out->session.data == NULL;
    out->kind = MESSAGE_REQUEST;
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        known = known && (found[i] == NULL || i == FIELD_METHOD || i == FIELD_PARAMS);
    return known ? read_call(scan, vocabulary, DIRECTION_S2C, found, out) : REASON_KEY_UNKNOWN;
}
