#include "vet/salvage.h"

#include "json/chars.h"
#include "json/plain.h"

#include <string.h>

/* Keeps bytes of a key, or of a value itself. */
static void keep(struct salvage *salvage, const unsigned char *bytes, size_t length)
{
    size_t room = SALVAGE_BYTES_MAX - salvage->length;

    if (salvage->depth > 0 || salvage->length > SALVAGE_BYTES_MAX)
        return;
    memcpy(salvage->text + salvage->length, bytes, length < room ? length : room);
    salvage->length = length <= room ? salvage->length + length : SALVAGE_BYTES_MAX + 1;
}

static void end_key(struct salvage *salvage)
{
    struct span key = {salvage->text, salvage->length};

    salvage->in_id = span_equals(key, "\"id\"");
    salvage->in_method = span_equals(key, "\"method\"");
    salvage->place = SALVAGE_COLON;
}

static void end_value(struct salvage *salvage)
{
    salvage->place = salvage->length > 0 ? SALVAGE_COMMA : SALVAGE_OVER;
    if (salvage->length == 0)
        return;
    salvage->has_method = salvage->has_method || salvage->in_method;
    if (salvage->in_id && ++salvage->ids == 1) {
        salvage->id_length = salvage->length;
        memcpy(salvage->id, salvage->text, sizeof(salvage->id));
    }
}

static const unsigned char *read_string(struct salvage *salvage, const unsigned char *at,
                                        const unsigned char *end)
{
    const unsigned char *start = at;

    if (!salvage->after_backslash)
        at = json_plain_skip(at, end);
    if (at == end) {
        keep(salvage, start, (size_t)(at - start));
        return at;
    }
    salvage->in_string = salvage->after_backslash || *at != '"';
    salvage->after_backslash = !salvage->after_backslash && *at == '\\';
    keep(salvage, start, (size_t)(++at - start));
    if (!salvage->in_string && salvage->place == SALVAGE_KEY)
        end_key(salvage);
    else if (!salvage->in_string && salvage->depth == 0)
        end_value(salvage);
    return at;
}

/* Of a value all but the inside of strings. */
static const unsigned char *read_value(struct salvage *salvage, const unsigned char *at,
                                       const unsigned char *end)
{
    for (; at < end && !salvage->in_string && salvage->place == SALVAGE_VALUE; at++) {
        const bool closes = *at == '}' || *at == ']';

        if (salvage->depth == 0 && (closes || *at == ',' || json_space_skip(at, at + 1) > at)) {
            end_value(salvage);
            return at;
        }
        keep(salvage, at, 1);
        salvage->in_string = *at == '"';
        if (*at == '{' || *at == '[')
            salvage->depth++;
        if (closes && --salvage->depth == 0)
            end_value(salvage);
    }
    return at;
}

/* What stands around keys and values; behind white space. */
static const unsigned char *read_mark(struct salvage *salvage, const unsigned char *at)
{
    static const struct {
        unsigned char mark;
        enum salvage_place next;
    } marks[] = {[SALVAGE_START] = {'{', SALVAGE_KEY},
                 [SALVAGE_KEY] = {'"', SALVAGE_KEY},
                 [SALVAGE_COLON] = {':', SALVAGE_AFTER_COLON},
                 [SALVAGE_COMMA] = {',', SALVAGE_KEY}};

    salvage->length = 0;
    if (salvage->place == SALVAGE_AFTER_COLON) {
        salvage->place = SALVAGE_VALUE;
        return at;
    }
    if (*at != marks[salvage->place].mark) {
        salvage->place = SALVAGE_OVER;
        return at;
    }
    if (salvage->place == SALVAGE_KEY) {
        salvage->in_string = true;
        keep(salvage, at, 1);
    }
    salvage->place = marks[salvage->place].next;
    return at + 1;
}

void salvage_read(struct salvage *salvage, struct span piece)
{
    const unsigned char *at = (const unsigned char *)piece.data, *end = at + piece.length;

    while (at < end && salvage->place != SALVAGE_OVER) {
        if (salvage->in_string)
            at = read_string(salvage, at, end);
        else if (salvage->place == SALVAGE_VALUE)
            at = read_value(salvage, at, end);
        else if ((at = json_space_skip(at, end)) < end)
            at = read_mark(salvage, at);
    }
}

/* A value as a member, with the type that an id may have; odd is what is no JSON string. */
static struct json_member id_of(struct span value)
{
    struct json_member member = json_member_of(value);
    const unsigned char *at = (const unsigned char *)value.data, *end = at + value.length;
    enum json_type type;

    if (member.type == JSON_TYPE_NULL && json_number_read(at, end, &type) == end)
        member.type = type;
    for (size_t i = 0; i < value.length && !member.odd; i++)
        member.odd = at[i] < 0x20;
    if (member.type == JSON_TYPE_STRING)
        member.odd = member.odd || json_chars_odd((struct span){value.data + 1, value.length - 2});
    return member;
}

void salvage_message(const struct salvage *salvage, struct message *out)
{
    memset(out, 0, sizeof(*out));
    if (salvage->ids == 1 && salvage->id_length <= SALVAGE_BYTES_MAX) {
        struct json_member id = id_of((struct span){salvage->id, salvage->id_length});

        (void)!message_read_id(&id, out);
    }
    if (salvage->has_method)
        out->kind = out->id.data != NULL ? MESSAGE_REQUEST : MESSAGE_NOTIFICATION;
    else if (out->id.data != NULL)
        out->kind = MESSAGE_RESPONSE;
}
