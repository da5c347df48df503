#include "vet/verb.h"

#define VALUE_BYTES_MAX 128

enum reason verb_check(const struct vet_rules *rules, enum direction direction,
                       const struct verb_rule *rule, struct span verb)
{
    bool client = direction == DIRECTION_C2S;
    const struct text_list *list = client ? rules->verbs : rules->server_verbs;

    if (rule != NULL && rule->never)
        return REASON_VERB_CLOSED;
    if (rule != NULL && rule->off)
        return REASON_EXTENSION_OFF;
    if (rule != NULL && rule->always)
        return REASON_ALLOWED;
    if ((list != NULL && !text_list_contains(list, verb)) ||
        (client && rules->session_verbs != NULL && !text_list_contains(rules->session_verbs, verb)))
        return REASON_VERB_REFUSED;
    return REASON_ALLOWED;
}

enum reason verb_check_arguments(const struct vet_rules *rules, const struct json_scan *scan,
                                 const struct verb_rule *rule)
{
    int holder = -1;

    if (rules->vocabulary->envelope == ENVELOPE_JSON_RPC && rule->only_count > 0) {
        const struct json_member *params = json_scan_find(scan, -1, "params");

        if (params == NULL)
            return REASON_ALLOWED;
        holder = json_scan_index(scan, params);
    }
    for (size_t i = 0; i < rule->only_count; i++) {
        const struct verb_argument *argument = &rule->only[i];
        const struct json_member *member = json_scan_find(scan, holder, argument->name);
        char room[VALUE_BYTES_MAX + 1];
        struct span value;

        if (json_scan_lookalike(scan, holder, argument->name) >= 0)
            return REASON_KEY_RESEMBLES;
        if (member != NULL && (!json_member_text(member, room, sizeof(room), &value) ||
                               !text_list_contains(&argument->values, value)))
            return REASON_ARGUMENT_REFUSED;
    }
    return REASON_ALLOWED;
}
