#include "vet/answer.h"

#include "vet/target.h"
#include "json/walk.h"

/* Whether the service may ask for what an entry says. The entry was scanned as a text of its own.
 */
static enum reason check_entry(const struct vet_answer *answer)
{
    const struct vet_rules *rules = answer->rules;
    struct message message;
    enum reason reason = message_read_ask(answer->scan, rules->vocabulary, &message);

    if (reason == REASON_VERB_UNKNOWN)
        return REASON_VERB_REFUSED;
    if (!reason_allows(reason) || (message.rule != NULL && message.rule->always))
        return reason;
    if ((message.rule != NULL && message.rule->never) ||
        (rules->server_verbs != NULL && !text_list_contains(rules->server_verbs, message.verb)))
        return REASON_VERB_REFUSED;
    return REASON_ALLOWED;
}

static enum reason check_asks(const struct vet_answer *answer, const struct json_member *asks)
{
    const struct vocabulary *vocabulary = answer->rules->vocabulary;
    struct json_walk_entry entry;
    struct json_walk walk;

    if (asks->type != JSON_TYPE_OBJECT || !json_walk_enter(&walk, asks->value))
        return REASON_MESSAGE_SHAPE;
    while (json_walk_next(&walk, &entry)) {
        enum reason reason;

        if (entry.value.data[0] != '{')
            return REASON_MESSAGE_SHAPE;
        reason = json_scan_watching(answer->scan, entry.value, &vocabulary->descend,
                                    vocabulary->watches, vocabulary->watch_count);
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
    char room[MESSAGE_TARGET_BYTES_MAX + 1];
    struct span target;

    if (item.data[0] != '{' ||
        !reason_allows(json_scan_text(answer->scan, item.data, item.length, NULL)) ||
        json_scan_lookalike(answer->scan, -1, rule->filter_name) >= 0 ||
        !json_member_text(json_scan_find(answer->scan, -1, rule->filter_name), room, sizeof(room),
                          &target))
        return false;
    return reason_allows(target_check(answer->rules->targets, answer->rules->session_targets,
                                      target, rule->filter_kind));
}

/* Writes the answer anew without the items that are not permitted; nothing if all are. */
static enum reason filter(const struct vet_answer *answer, const struct verb_rule *rule,
                          const struct json_member *items, struct buffer *forward)
{
    const char *const end = answer->text.data + answer->text.length;
    const char *const close = items->value.data + items->value.length - 1; /* the bracket */
    const char *written = answer->text.data;
    struct json_walk_entry entry;
    struct json_walk walk;
    bool cut = false, kept = false;

    if (items->type != JSON_TYPE_ARRAY || !json_walk_enter(&walk, items->value))
        return REASON_MESSAGE_SHAPE;
    buffer_append(forward, written, (size_t)(items->value.data + 1 - written));
    while (json_walk_next(&walk, &entry)) {
        if (!is_permitted(answer, rule, entry.value)) {
            cut = true;
            continue;
        }
        if (kept)
            buffer_append_text(forward, ",");
        buffer_append(forward, entry.whole.data, entry.whole.length);
        kept = true;
    }
    if (!cut) {
        buffer_reset(forward);
        return REASON_ALLOWED;
    }
    buffer_append(forward, close, (size_t)(end - close));
    return buffer_failed(forward) ? REASON_INTERNAL : REASON_ALLOWED;
}

/* The rule of the verb whose answer is to be filtered; NULL if it is not. */
static const struct verb_rule *filtering_rule(const struct vet_answer *answer)
{
    const struct vet_rules *rules = answer->rules;
    const struct verb_rule *rule;

    if (rules->observe || (rules->targets == NULL && rules->session_targets == NULL))
        return NULL;
    rule = vocabulary_verb(rules->vocabulary, DIRECTION_C2S, answer->verb);
    return rule != NULL && rule->filter_items != NULL ? rule : NULL;
}

/* A member of the result, copied, as the scan does not last; JSON_NONE if it is not there. */
static enum reason find(const struct vet_answer *answer, int result, const char *key,
                        struct json_member *out)
{
    const struct json_member *member;

    if (json_scan_lookalike(answer->scan, result, key) >= 0)
        return REASON_MESSAGE_KEY;
    member = json_scan_find(answer->scan, result, key);
    if (member != NULL)
        *out = *member;
    return REASON_ALLOWED;
}

enum reason vet_answer_check(const struct vet_answer *answer, struct buffer *forward)
{
    const char *asks_key = answer->rules->vocabulary->asks_key;
    const struct json_member *result = json_scan_find(answer->scan, -1, "result");
    struct json_member asks = {.type = JSON_NONE}, items = {.type = JSON_NONE};
    const struct verb_rule *rule;
    enum reason reason = REASON_ALLOWED;
    int place;

    if (result == NULL || result->type != JSON_TYPE_OBJECT)
        return REASON_ALLOWED;
    place = json_scan_index(answer->scan, result);
    rule = filtering_rule(answer);
    if (asks_key != NULL)
        reason = find(answer, place, asks_key, &asks);
    if (reason_allows(reason) && rule != NULL)
        reason = find(answer, place, rule->filter_items, &items);
    if (reason_allows(reason) && asks.type != JSON_NONE)
        reason = check_asks(answer, &asks);
    if (reason_allows(reason) && items.type != JSON_NONE)
        reason = filter(answer, rule, &items, forward);
    return reason;
}
