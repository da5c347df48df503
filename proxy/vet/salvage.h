/*
 * What can be made out of a JSON-RPC message that is refused for what it is: broken, nested too
 * deeply, with too many members, too big. Nothing passes by it; it says whose request stays
 * unanswered, so that they are told, and the connection need not end for it. The message is read
 * as it comes, and nothing of it is kept but its id.
 */
#pragma once

#include "vet/message.h"

#define SALVAGE_BYTES_MAX (MESSAGE_ID_BYTES_MAX + 2) /* of a key or an id, with its quotes */

enum salvage_place {
    SALVAGE_START = 0, /* before the object */
    SALVAGE_KEY,       /* before or in one of its keys */
    SALVAGE_COLON,
    SALVAGE_AFTER_COLON,
    SALVAGE_VALUE,
    SALVAGE_COMMA, /* behind a value */
    SALVAGE_OVER,  /* nothing counts any more */
};

/* Embedded by its user; all zero is one that has read nothing. */
struct salvage {
    enum salvage_place place;
    bool in_string, after_backslash;
    bool in_id, in_method; /* the value is theirs */
    bool has_method;
    unsigned ids;
    size_t depth;             /* within the value */
    size_t length, id_length; /* one more than there is room for: too long */
    char text[SALVAGE_BYTES_MAX], id[SALVAGE_BYTES_MAX];
};

/* More of the message. */
void salvage_read(struct salvage *salvage, struct span piece);
/*
 * The kind and the id, if there was one "id" of the permitted ones before it broke or ended;
 * MESSAGE_OTHER if it said neither that nor a method. Spans point into the salvage.
 */
void salvage_message(const struct salvage *salvage, struct message *out);
