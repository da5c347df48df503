#include "vet/target.h"

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

enum reason target_check(const struct text_list *targets, const struct text_list *session_targets,
                         struct span target, enum target_kind kind)
{
    if (targets == NULL && session_targets == NULL)
        return REASON_ALLOWED;
    if (target_is_ambiguous(target, kind))
        return REASON_TARGET_AMBIGUOUS;
    if ((targets != NULL && !target_is_listed(targets, target)) ||
        (session_targets != NULL && !target_is_listed(session_targets, target)))
        return REASON_TARGET_REFUSED;
    return REASON_ALLOWED;
}
