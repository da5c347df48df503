#include "vet/salvage.h"

#include "json/walk.h"

#include <string.h>

/* A value as a member, with the type that an id may have. */
static struct json_member id_of(struct span value)
{
    struct json_member member = json_member_of(value);
    const unsigned char *at = (const unsigned char *)value.data, *end = at + value.length;
    enum json_type type;

    if (member.type == JSON_TYPE_NULL && json_number_read(at, end, &type) == end)
        member.type = type;
    return member;
}

/* Whether a value ends within the text, and is not cut where that is. */
static bool is_whole(struct span value, const struct json_walk *walk)
{
    return value.data + value.length < walk->end && (value.data[0] != '"' || value.length > 1);
}

void salvage_message(struct span text, struct message *out)
{
    struct json_member id = {.type = JSON_NONE};
    struct json_walk_entry entry;
    struct json_walk walk;
    bool method = false;
    unsigned ids = 0;

    memset(out, 0, sizeof(*out));
    if (!json_walk_enter(&walk, text) || !walk.object)
        return;
    while (json_walk_next(&walk, &entry) && is_whole(entry.value, &walk)) {
        if (span_equals(entry.key, "method"))
            method = true;
        if (span_equals(entry.key, "id") && ++ids == 1)
            id = id_of(entry.value);
    }
    if (ids == 1)
        (void)!message_read_id(&id, out);
    if (method)
        out->kind = out->id.data != NULL ? MESSAGE_REQUEST : MESSAGE_NOTIFICATION;
    else if (out->id.data != NULL)
        out->kind = MESSAGE_RESPONSE;
}
