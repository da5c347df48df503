/*
 * A strict, single-pass JSON scanner (RFC 8259) for bytes from a hostile peer.
 *
 * The text is an object or an array. Refused are a byte order mark, any NUL byte,
 * invalid UTF-8, duplicate keys (compared after unescaping), and what is beyond the
 * limits. What is merely odd inside a value passes, for it passes byte for byte:
 * numbers of any size, and, unless the limits say otherwise, escapes in strings that spell no
 * Unicode text (a lone surrogate, U+0000). Keys have none of these, and a string
 * that anybody unescapes has none (`odd` says so).
 *
 * The scanner copies nothing and records where the members of interest lie, so that
 * the bytes that were vetted are the bytes that are forwarded. It does not recurse. What it
 * allocates is its scratch space: for each open object or array some 160 bytes, up to the depth
 * that is permitted, and for keys at most JSON_KEYS_BYTES_MAX (keys.h).
 */
#pragma once

#include "base/reason.h"
#include "base/text.h"
#include "json/number.h"

#define JSON_DEPTH_MAX    64    /* of documents, and of what clients say, unless configured */
#define JSON_MEMBERS_MAX  4096  /* the same: of one object */
#define JSON_KEYS_MAX     65536 /* and of the text */
#define JSON_RECORDED_MAX 1024  /* members recorded for the caller; more is REASON_JSON_LIMIT */
#define JSON_RECORD_DEPTH 3     /* members of the top object, of its objects, and of theirs */

/* What a text may hold; more is REASON_JSON_DEPTH or REASON_JSON_LIMIT. */
struct json_limits {
    uint32_t depth;       /* objects and arrays within each other */
    uint32_t members;     /* of one object */
    uint32_t keys;        /* of the text */
    uint32_t values;      /* of the text, those within others too */
    bool refuse_unpaired; /* strings that spell no Unicode text are refused wherever they stand */
};

/* One recorded member of an object. Spans point into the scanned text. */
struct json_member {
    struct span key;   /* raw, between the quotes */
    struct span value; /* raw, with quotes or brackets */
    enum json_type type;
    uint8_t depth;      /* 1: a member of the top object */
    bool key_escaped;   /* the key holds a backslash escape */
    bool value_escaped; /* a string value holds a backslash escape */
    int16_t parent;     /* index of the member whose object holds it; -1 at depth 1 */
    bool odd;           /* a string value spells no Unicode text */
};

/* A member to look out for: `name`, or what could be taken for it, in the object of `of`. */
struct json_watch {
    struct span of;
    const char *name;
};

/* What to look for in a text. */
struct json_scan_wishes {
    const struct json_limits *limits; /* NULL: those of documents, the constants above */
    /* Which members are recorded: all of the top object; of the object that is a recorded member's
     * value, those too if that member's key, as spelt, is in `descend` (may be NULL: none), down to
     * JSON_RECORD_DEPTH. So {params, ref} records what a target needs and not the members of
     * params.arguments. */
    const struct text_list *descend;
    /* Of an object that is a recorded member's value and not in `descend`, those members too are
     * recorded that are watched: the other members, however many, cost no place. */
    const struct json_watch *watches;
    size_t watch_count;
};

struct json_scan; /* reusable scratch space; one per thread */

enum error json_scan_create(struct json_scan **out) MUST_CHECK;
void json_scan_destroy(struct json_scan *scan);

/*
 * Scans a whole text. REASON_ALLOWED, or the JSON_* reason of the first fault; REASON_INTERNAL
 * without memory. On success, the results below are valid until the next scan.
 */
enum reason json_scan_wishing(struct json_scan *scan, struct span text,
                              const struct json_scan_wishes *wishes);
/*
 * The same of a text that is still coming. `text` is what is there of it so far, and may lie
 * elsewhere each time; what `wishes` points to stays until the end. At the end all of it is there.
 */
void json_scan_begin(struct json_scan *scan, const struct json_scan_wishes *wishes);
void json_scan_more(struct json_scan *scan, struct span text);
enum reason json_scan_end(struct json_scan *scan, struct span text);
/* The same of a document, in which nothing odd has a place. */
enum reason json_scan_text(struct json_scan *scan, const char *text, size_t length,
                           const struct text_list *descend);

/* The memory that it takes. */
size_t json_scan_holds(const struct json_scan *scan);

enum json_type json_scan_root(const struct json_scan *scan);
size_t json_scan_count(const struct json_scan *scan);
const struct json_member *json_scan_member(const struct json_scan *scan, size_t index);
/* The member of `parent` (-1: the top object) whose raw key is exactly `key`, or NULL. */
const struct json_member *json_scan_find(const struct json_scan *scan, int parent, const char *key);
/* A member's index, to be a parent. */
int json_scan_index(const struct json_scan *scan, const struct json_member *member);
/* The same in the object that is a member's value; NULL also if `object` is NULL or no object. */
const struct json_member *json_scan_find_in(const struct json_scan *scan,
                                            const struct json_member *object, const char *key);
/*
 * Index of a member whose key is not `key` but could be taken for it: equal
 * after unescaping, ASCII case folding, U+017F to s and U+212A to k; -1 if
 * there is none. (A trailing escaped NUL, the other known confusion, is in no key.)
 */
int json_scan_lookalike(const struct json_scan *scan, int parent, const char *key);

/*
 * A value of the scanned text as a member of its own, without a key. Of strings, objects
 * and arrays the type is exact; all else is JSON_TYPE_NULL.
 */
struct json_member json_member_of(struct span value);
/*
 * Finds a member in an object of the scanned text that may lie deeper than what is recorded.
 * REASON_ALLOWED with *out the member, of type JSON_NONE if it is not there;
 * REASON_KEY_RESEMBLES for one that could be taken for it.
 */
enum reason json_scan_member_of(struct span object, const char *key, struct json_member *out);

/* Byte offset of the last fault, for messages to people. */
size_t json_scan_fault_offset(const struct json_scan *scan);

/*
 * Unescapes a scanned string value (with its quotes) into out, NUL-terminated.
 * ERROR_LIMIT if it does not fit; ERROR_SYNTAX if it spells no Unicode text. *length is
 * without the NUL.
 */
enum error json_scan_unescape(struct span value, char *out, size_t capacity,
                              size_t *length) MUST_CHECK;

/*
 * What a recorded member's string says: in place, or unescaped into `room`. False if
 * the member is NULL or no string, if its text does not fit the room or is odd; then
 * *out is the string as it is written.
 */
bool json_member_text(const struct json_member *member, char *room, size_t capacity,
                      struct span *out);

/*
 * Where in a strictly valid text a JSON pointer (RFC 6901) leads: the byte
 * offset of the key's (or, in an array, the element's) first character.
 * False if there is nothing there. For messages that name a line.
 */
bool json_scan_locate(const char *text, size_t length, const char *pointer, size_t *offset);
