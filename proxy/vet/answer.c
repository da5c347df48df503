#include "vet/answer.h"

#include "vet/target.h"
#include "vet/verb.h"
#include "json/walk.h"

#define ASKS_MAX 3 /* the top, and what it holds */

bool vet_answer_is_plain(const struct json_scan *scan)
{
    const size_t count = json_scan_count(scan);

    for (size_t i = 0; i < count; i++) {
        if (json_scan_member(scan, i)->depth > 1)
            return false;
    }
    return true;
}

/* Whether the service may ask the client for what an entry says, which was scanned as a text of
 * its own. */
static enum reason check_entry(const struct vet_answer *answer)
{
    struct message message;
    enum reason reason = message_read_ask(answer->scan, answer->rules->vocabulary, &message);

    if (reason == REASON_VERB_UNKNOWN)
        return REASON_VERB_REFUSED;
    if (reason_allows(reason))
        reason = verb_check(answer->rules, DIRECTION_S2C, message.rule, message.verb);
    return reason_allows(reason) && message.rule != NULL
               ? target_check_message(answer->rules, &message)
               : reason;
}

static enum reason check_asks(const struct vet_answer *answer, const struct json_member *asks)
{
    struct json_walk_entry entry;
    struct json_walk walk;

    if (asks->type != JSON_TYPE_OBJECT || !json_walk_enter(&walk, asks->value))
        return REASON_SHAPE_ASKS;
    while (json_walk_next(&walk, &entry)) {
        enum reason reason;

        if (entry.value.data[0] != '{')
            return REASON_SHAPE_ASKS;
        reason = rules_scan(answer->rules, DIRECTION_S2C, answer->scan, entry.value);
        if (reason_allows(reason))
            reason = check_entry(answer);
        if (!reason_allows(reason))
            return reason;
    }
    return REASON_ALLOWED;
}

/* Whether an item is an object that names a permitted target, in one way only. */
static bool is_permitted(const struct vet_answer *answer, const struct verb_rule *rule,
                         struct span item)
{
    const struct json_scan_wishes plain = {.limits = rules_limits(answer->rules, DIRECTION_S2C)};
    char room[MESSAGE_TARGET_BYTES_MAX + 1];
    struct span target;

    if (item.data[0] != '{' || !reason_allows(json_scan_wishing(answer->scan, item, &plain)) ||
        json_scan_lookalike(answer->scan, -1, rule->filter_name) >= 0 ||
        !json_member_text(json_scan_find(answer->scan, -1, rule->filter_name), room, sizeof(room),
                          &target))
        return false;
    return reason_allows(target_check(answer->rules, target, rule->filter_kind));
}

/* Where the text is written anew, in the order of the text. */
struct cut {
    const char *written; /* so far */
    struct buffer *forward;
};

static void write_until(struct cut *cut, const char *end)
{
    buffer_append(cut->forward, cut->written, (size_t)(end - cut->written));
    cut->written = end;
}

/* Writes a list without the items that are not permitted; true if there were any. */
static bool write_items(const struct vet_answer *answer, const struct verb_rule *rule,
                        struct span items, struct cut *cut)
{
    struct json_walk_entry entry;
    struct json_walk walk;
    bool missing = false, kept = false;

    if (!json_walk_enter(&walk, items))
        return false;
    write_until(cut, items.data + 1);
    while (json_walk_next(&walk, &entry)) {
        if (!is_permitted(answer, rule, entry.value)) {
            missing = true;
            continue;
        }
        if (kept)
            buffer_append_text(cut->forward, ",");
        buffer_append(cut->forward, entry.whole.data, entry.whole.length);
        kept = true;
    }
    cut->written = items.data + items.length - 1; /* the bracket */
    return missing;
}

/* What a result says of who may keep it: of a list that was cut, only whom it was cut for. */
static void write_private(const struct verb_rule *rule, const struct json_member *result,
                          const struct json_member *scope, struct cut *cut)
{
    if (scope->type == JSON_NONE) {
        write_until(cut, result->value.data + 1);
        buffer_append_format(cut->forward, "\"%s\":\"private\",", rule->filter_private);
    } else {
        write_until(cut, scope->value.data);
        buffer_append_text(cut->forward, "\"private\"");
        cut->written += scope->value.length;
    }
}

/* What of a result is written anew, copied, as the scan does not last. */
struct filtered {
    struct json_member result, items, scope;
};

/* Writes the answer anew without the items that are not permitted; nothing if all are. */
static enum reason filter(const struct vet_answer *answer, const struct verb_rule *rule,
                          const struct filtered *filtered, struct buffer *forward)
{
    const struct span items = filtered->items.value;
    const bool marks = rule->filter_private != NULL;
    const bool before =
        marks && (filtered->scope.type == JSON_NONE || filtered->scope.value.data < items.data);
    struct cut cut = {answer->text.data, forward};
    bool missing;

    if (filtered->items.type != JSON_TYPE_ARRAY)
        return REASON_SHAPE_LIST;
    if (before)
        write_private(rule, &filtered->result, &filtered->scope, &cut);
    missing = write_items(answer, rule, items, &cut);
    if (!missing) {
        buffer_reset(forward);
        return REASON_ALLOWED;
    }
    if (marks && !before)
        write_private(rule, &filtered->result, &filtered->scope, &cut);
    write_until(&cut, answer->text.data + answer->text.length);
    return buffer_failed(forward) ? REASON_INTERNAL : REASON_ALLOWED;
}

/* The rule of the verb whose answer is to be filtered; NULL if it is not. */
static const struct verb_rule *filtering_rule(const struct vet_answer *answer)
{
    const struct vet_rules *rules = answer->rules;
    const bool limited = rules->targets != NULL || rules->session_targets != NULL;
    const struct verb_rule *rule;

    if (rules->observe)
        return NULL;
    rule = vocabulary_verb(rules->vocabulary, DIRECTION_C2S, answer->verb);
    return rule != NULL && rule->filter_items != NULL &&
                   (limited || rule->filter_kind == TARGET_HANDLE)
               ? rule
               : NULL;
}

/* A member of the result, copied, as the scan does not last; JSON_NONE if it is not there. */
static enum reason find(const struct vet_answer *answer, int result, const char *key,
                        struct json_member *out)
{
    const struct json_member *member;

    if (json_scan_lookalike(answer->scan, result, key) >= 0)
        return REASON_KEY_RESEMBLES;
    member = json_scan_find(answer->scan, result, key);
    if (member != NULL)
        *out = *member;
    return REASON_ALLOWED;
}

/* What asks in the object `top`, and in those within that hold a whole answer: of each the asking
 * member, copied. */
static enum reason find_asks(const struct vet_answer *answer, const struct json_member *top,
                             struct json_member *out, unsigned *count)
{
    static const char *const within[] = {"result", "task"};
    const char *key = answer->rules->vocabulary->asks_key;
    const struct json_member *holder = top;

    *count = 0;
    for (size_t i = 0; i <= sizeof(within) / sizeof(*within); i++) {
        if (i > 0)
            holder = json_scan_find_in(answer->scan, top, within[i - 1]);
        if (holder != NULL && holder->type == JSON_TYPE_OBJECT) {
            enum reason reason =
                find(answer, json_scan_index(answer->scan, holder), key, &out[*count]);

            if (!reason_allows(reason))
                return reason;
            *count += out[*count].type != JSON_NONE;
        }
    }
    return REASON_ALLOWED;
}

enum reason vet_asks_check(const struct vet_answer *answer, const char *top)
{
    const struct json_member *holder = json_scan_find(answer->scan, -1, top);
    struct json_member asks[ASKS_MAX] = {{.type = JSON_NONE}};
    enum reason reason;
    unsigned count;

    if (answer->rules->vocabulary->asks_key == NULL || holder == NULL)
        return REASON_ALLOWED;
    reason = find_asks(answer, holder, asks, &count);
    for (unsigned i = 0; reason_allows(reason) && i < count; i++)
        reason = check_asks(answer, &asks[i]);
    return reason;
}

enum reason vet_error_check(const struct vet_rules *rules, const struct json_member *error)
{
    const struct vocabulary *vocabulary = rules->vocabulary;
    struct json_member member;
    struct span verb;
    enum reason reason;

    if (error == NULL || vocabulary->error_key == NULL)
        return REASON_ALLOWED;
    reason = json_scan_member_of(error->value, "data", &member);
    if (!reason_allows(reason) || member.type != JSON_TYPE_OBJECT)
        return reason;
    reason = json_scan_member_of(member.value, vocabulary->error_key, &member);
    if (!reason_allows(reason) || member.type == JSON_NONE)
        return reason;
    verb = span_of(vocabulary->error_verb);
    return verb_check(rules, DIRECTION_S2C, vocabulary_verb(vocabulary, DIRECTION_S2C, verb), verb);
}

/* The list that is to be filtered, if the result has one, and what says who may keep it. */
static enum reason find_filtered(const struct vet_answer *answer, const struct verb_rule *rule,
                                 const struct json_member *result, struct filtered *out)
{
    const int index = json_scan_index(answer->scan, result);
    enum reason reason = find(answer, index, rule->filter_items, &out->items);

    out->result = *result;
    if (reason_allows(reason) && out->items.type != JSON_NONE && rule->filter_private != NULL)
        reason = find(answer, index, rule->filter_private, &out->scope);
    return reason;
}

enum reason vet_answer_check(const struct vet_answer *answer, struct buffer *forward)
{
    const struct json_member *result = json_scan_find(answer->scan, -1, "result");
    struct filtered filtered = {.items.type = JSON_NONE, .scope.type = JSON_NONE};
    const struct verb_rule *rule;
    enum reason reason = REASON_ALLOWED;

    if (result == NULL)
        return vet_error_check(answer->rules, json_scan_find(answer->scan, -1, "error"));
    if (result->type != JSON_TYPE_OBJECT || vet_answer_is_plain(answer->scan))
        return REASON_ALLOWED;
    rule = filtering_rule(answer);
    if (rule != NULL)
        reason = find_filtered(answer, rule, result, &filtered);
    if (reason_allows(reason))
        reason = vet_asks_check(answer, "result");
    if (reason_allows(reason) && filtered.items.type != JSON_NONE)
        reason = filter(answer, rule, &filtered, forward);
    return reason;
}
