/* A scan under way: what scan_read.c, which reads, and scan_state.c, which begins and ends, share.
 */
#pragma once

#include "json/keys.h"
#include "json/scan.h"

/* Keeps out of the way of what is done per byte. */
#define SCAN_SELDOM __attribute__((cold, noinline))

/* An object or array that is still open. */
struct scan_container {
    bool object;
    bool record;    /* its members are recorded */
    bool watched;   /* if not all: those that are watched */
    int16_t holder; /* the recorded member whose value it is; -1 */
    int16_t member; /* the recorded member whose value comes next; -1 */
    struct json_keys_object keys;
};

/* What is to be read next. */
enum scan_place {
    SCAN_ROOT = 0,
    SCAN_VALUE,
    SCAN_KEY,
    SCAN_COLON,
    SCAN_OPENED, /* behind an opening bracket */
    SCAN_BEHIND, /* behind a value */
    SCAN_OVER,
};

struct json_scan {
    const unsigned char *start;
    const unsigned char *end;
    struct scan_container *top;  /* the innermost open one */
    struct scan_container *last; /* what it may be at most, unless there is more room */
    const struct json_limits *limits;
    const struct json_scan_wishes *wishes;
    struct json_scan_wishes kept_wishes; /* of a text that is coming */
    enum reason reason;
    const unsigned char *fault;
    bool escaped;          /* the string read last holds an escape */
    enum reason odd;       /* and why what it spells is no Unicode text; REASON_ALLOWED if it is */
    bool coming;           /* more of the text is to come behind `end` */
    enum scan_place place; /* where it goes on, if it ends before it should */
    const unsigned char *at;
    enum json_type root;
    size_t count;
    struct scan_container *open; /* owned; the first is below all */
    uint32_t capacity;
    uint32_t values_left; /* that may still come */
    struct json_keys keys;
    struct json_member members[JSON_RECORDED_MAX];
};

/* How many objects and arrays are open. */
static inline size_t scan_depth(const struct json_scan *scan)
{
    return (size_t)(scan->top - scan->open);
}

static inline void scan_set_room(struct json_scan *scan)
{
    const uint32_t depth = scan->limits->depth;

    scan->last = scan->open + (depth < scan->capacity ? depth : scan->capacity);
}

/* Notes why it is refused, and where; NULL. */
SCAN_SELDOM const unsigned char *scan_fault(struct json_scan *scan, const unsigned char *at,
                                            enum reason reason);
/* A byte that cannot stand here: says what is worst about it. */
SCAN_SELDOM const unsigned char *scan_fault_byte(struct json_scan *scan, const unsigned char *at);
/* What is left of a string behind its first plain bytes; returns behind the closing quote, or NULL.
 */
const unsigned char *scan_string_rest(struct json_scan *scan, const unsigned char *at);
/* Room for more open objects and arrays. */
SCAN_SELDOM enum reason scan_make_room(struct json_scan *scan);
/* The text lies elsewhere. */
SCAN_SELDOM void scan_move(struct json_scan *scan, const unsigned char *to);
/* Keeps no more memory than most texts need; no results of what was refused. */
enum reason scan_end(struct json_scan *scan);
