#include "vet/target.h"

#include "json/walk.h"

#include <string.h>

/* Whether the percent sign at `i` stands for a byte that nothing needs to encode, or for none. */
static bool hides_something(struct span uri, size_t i)
{
    int high, low, byte;

    if (uri.length - i < 3)
        return true;
    high = text_hex_digit(uri.data[i + 1]);
    low = text_hex_digit(uri.data[i + 2]);
    if (high < 0 || low < 0)
        return true;
    byte = high << 4 | low;
    return byte < 0x20 || byte == 0x7f || strchr("./\\%", byte) != NULL;
}

static bool is_delimiter(char byte)
{
    return byte != '\0' && strchr("/:?#;=&", byte) != NULL;
}

/* Whether ".." at `i` is a whole segment. */
static bool climbs(struct span uri, size_t i)
{
    return uri.length - i >= 2 && uri.data[i + 1] == '.' &&
           (i == 0 || is_delimiter(uri.data[i - 1])) &&
           (uri.length - i == 2 || is_delimiter(uri.data[i + 2]));
}

bool target_is_ambiguous(struct span target, enum target_kind kind)
{
    for (size_t i = 0; i < target.length; i++) {
        unsigned char byte = (unsigned char)target.data[i];

        if (byte < 0x20 || byte == 0x7f)
            return true;
        if (kind == TARGET_URI && (byte == '\\' || (byte == '%' && hides_something(target, i)) ||
                                   (byte == '.' && climbs(target, i))))
            return true;
    }
    return false;
}

bool target_is_listed(const struct text_list *globs, struct span target)
{
    for (size_t i = 0; i < globs->count; i++) {
        if (text_glob_matches(globs->items[i], target))
            return true;
    }
    return false;
}

enum reason target_check(const struct vet_rules *rules, struct span target, enum target_kind kind)
{
    if (kind == TARGET_HANDLE)
        return handles_held(rules->handles, rules->session_id, HANDLE_NAMED, target)
                   ? REASON_ALLOWED
                   : REASON_HANDLE_UNKNOWN;
    if (rules->targets == NULL && rules->session_targets == NULL)
        return REASON_ALLOWED;
    if (target_is_ambiguous(target, kind))
        return REASON_TARGET_AMBIGUOUS;
    if ((rules->targets != NULL && !target_is_listed(rules->targets, target)) ||
        (rules->session_targets != NULL && !target_is_listed(rules->session_targets, target)))
        return REASON_TARGET_REFUSED;
    return REASON_ALLOWED;
}

/* The message's present target. */
static enum reason check_present(const struct vet_rules *rules, const struct message *message)
{
    const struct text_list *within = &message->rule->within;
    const bool limited = within->count > 0 && message->target_kind != TARGET_HANDLE;

    if (message->target_too_long &&
        (limited || rules->targets != NULL || rules->session_targets != NULL))
        return REASON_TARGET_LONG;
    if (limited && !target_is_listed(within, message->target))
        return REASON_TARGET_REFUSED;
    return target_check(rules, message->target, message->target_kind);
}

/* One that is not the message's yet. */
static enum reason check_more(const struct vet_rules *rules, struct message *message,
                              const struct target_path *path, struct span value)
{
    enum reason reason = message_take_element(message, path, value);

    return reason_allows(reason) ? check_present(rules, message) : reason;
}

enum reason target_check_message(const struct vet_rules *rules, struct message *message)
{
    enum reason reason = REASON_ALLOWED;
    unsigned count = 0;

    if (message->target.data != NULL)
        reason = check_present(rules, message);
    for (unsigned i = 0; reason_allows(reason) && i < message->more_count; i++) {
        const struct message_targets *more = &message->more[i];
        struct json_walk_entry entry;
        struct json_walk walk;

        if (more->path->list == 0) {
            reason = check_more(rules, message, more->path, more->value);
            continue;
        }
        if (!json_walk_enter(&walk, more->value))
            return REASON_TARGET_TYPE;
        while (reason_allows(reason) && json_walk_next(&walk, &entry))
            reason = ++count > TARGETS_MAX ? REASON_TARGET_LIMIT
                                           : check_more(rules, message, more->path, entry.value);
    }
    return reason;
}

enum reason target_check_related(const struct vet_rules *rules, const struct json_scan *scan,
                                 const struct message *message)
{
    const struct vocabulary *vocabulary = rules->vocabulary;

    for (size_t i = 0; message->kind == MESSAGE_REQUEST && i < vocabulary->handle_count; i++) {
        char room[HANDLE_BYTES_MAX + 1];
        struct json_member member;
        struct span handle;
        enum reason reason = message_follow(scan, &vocabulary->handles[i], &member);

        if (!reason_allows(reason))
            return reason;
        if (member.type != JSON_NONE &&
            (!json_member_text(&member, room, sizeof(room), &handle) ||
             !handles_held(rules->handles, rules->session_id, HANDLE_NAMED, handle)))
            return REASON_HANDLE_UNKNOWN;
    }
    return REASON_ALLOWED;
}
