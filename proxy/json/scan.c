#include "json/scan.h"

#include "base/text.h"
#include "json/chars.h"
#include "json/keys.h"
#include "json/plain.h"

#include <stdlib.h>
#include <string.h>
#define SELDOM   __attribute__((cold, noinline)) /* keeps out of the way of what is done per byte */
#define OPEN_MIN 64 /* room for so many open objects and arrays is kept between texts */

/* An object or array that is still open. */
struct container {
    bool object;
    bool record;    /* its members are recorded */
    bool watched;   /* if not all: those that are watched */
    int16_t holder; /* the recorded member whose value it is; -1 */
    int16_t member; /* the recorded member whose value comes next; -1 */
    struct json_keys_object keys;
};

struct json_scan {
    const unsigned char *start;
    const unsigned char *end;
    const struct json_limits *limits;
    const struct json_scan_wishes *wishes;
    enum reason reason;
    const unsigned char *fault;
    bool escaped;    /* the string read last holds an escape */
    enum reason odd; /* and why what it spells is no Unicode text; REASON_ALLOWED if it is */
    enum json_type root;
    size_t count;
    struct container *open; /* owned; the innermost last */
    uint32_t depth, capacity;
    uint32_t room; /* of the capacity, what the limits permit */
    struct json_keys keys;
    struct json_member members[JSON_RECORDED_MAX];
};

static const struct json_limits document_limits = {JSON_DEPTH_MAX, JSON_MEMBERS_MAX, JSON_KEYS_MAX,
                                                   UINT32_MAX, .refuse_unpaired = true};

enum error json_scan_create(struct json_scan **out)
{
    struct json_scan *scan = malloc(sizeof(*scan));
    enum error error;

    if (scan == NULL)
        return ERROR_MEMORY;
    scan->count = 0;
    scan->root = JSON_NONE;
    scan->capacity = OPEN_MIN;
    scan->open = malloc(OPEN_MIN * sizeof(*scan->open));
    error = json_keys_init(&scan->keys);
    if (error == OK && scan->open == NULL)
        error = ERROR_MEMORY;
    if (error != OK) {
        json_scan_destroy(scan);
        return error;
    }
    *out = scan;
    return OK;
}

void json_scan_destroy(struct json_scan *scan)
{
    if (scan == NULL)
        return;
    json_keys_clear(&scan->keys);
    free(scan->open);
    free(scan);
}

/* The readers below return where reading goes on, or NULL after noting a fault. */

SELDOM static const unsigned char *fault(struct json_scan *scan, const unsigned char *at,
                                         enum reason reason)
{
    scan->fault = at;
    scan->reason = reason;
    return NULL;
}

/* A byte that cannot stand here: say what is worst about it. */
SELDOM static const unsigned char *fault_byte(struct json_scan *scan, const unsigned char *at)
{
    if (at < scan->end && *at == 0)
        return fault(scan, at, REASON_JSON_NUL);
    if (at < scan->end && *at >= 0x80 && utf8_sequence(at, scan->end) == 0)
        return fault(scan, at, REASON_JSON_UTF8);
    return fault(scan, at, REASON_JSON_SYNTAX);
}

/* An escape that spells no Unicode text; `at` is on its backslash. */
SELDOM static const unsigned char *note_odd(struct json_scan *scan, const unsigned char *at,
                                            enum reason reason)
{
    if (scan->limits->refuse_unpaired)
        return fault(scan, at, reason);
    scan->odd = reason;
    return at + 6;
}

/* `at` is on the backslash. */
static const unsigned char *read_escape(struct json_scan *scan, const unsigned char *at)
{
    const unsigned char *end = scan->end;
    uint32_t unit, low;

    if (end - at < 2)
        return fault(scan, at, REASON_JSON_SYNTAX);
    if (at[1] != 'u')
        return at[1] != 0 && strchr("\"\\/bfnrt", at[1]) != NULL ? at + 2
                                                                 : fault_byte(scan, at + 1);
    unit = json_chars_hex4(at + 2, end);
    if (unit == JSON_CHARS_FAULT)
        return fault(scan, at, REASON_JSON_SYNTAX);
    if (unit == 0)
        return note_odd(scan, at, REASON_JSON_NUL);
    if (unit < 0xd800 || unit > 0xdfff)
        return at + 6;
    low = unit < 0xdc00 && end - at >= 12 && at[6] == '\\' && at[7] == 'u'
              ? json_chars_hex4(at + 8, end)
              : 0;
    if (low < 0xdc00 || low > 0xdfff)
        return note_odd(scan, at, REASON_JSON_SURROGATE);
    return at + 12;
}

/* `at` is behind the opening quote; returns behind the closing one. */
static const unsigned char *read_string(struct json_scan *scan, const unsigned char *at)
{
    const unsigned char *end = scan->end, *rest;

    scan->escaped = false;
    while (at != NULL) {
        at = json_plain_skip(at, end);
        if (at == end)
            return fault(scan, at, REASON_JSON_SYNTAX);
        if (*at == '"')
            return at + 1;
        rest = json_string_skip(at, end, &scan->escaped);
        if (rest != at) {
            at = rest;
            continue;
        }
        if (*at == '\\') {
            scan->escaped = true;
            at = read_escape(scan, at);
            continue;
        }
        if (*at < 0x80)
            return fault_byte(scan, at);
        do {
            size_t length = utf8_sequence(at, end);

            if (length == 0)
                return fault(scan, at, REASON_JSON_UTF8);
            at += length;
        } while (at < end && *at >= 0x80);
    }
    return NULL;
}

static const unsigned char *read_literal(struct json_scan *scan, const unsigned char *at,
                                         const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(scan->end - at) < length || memcmp(at, word, length) != 0)
        return fault_byte(scan, at);
    return at + length;
}

static const unsigned char *read_number(struct json_scan *scan, const unsigned char *at,
                                        enum json_type *type)
{
    at = json_number_read(at, scan->end, type);
    return *type != JSON_NONE ? at : fault_byte(scan, at);
}

/* Any value that is not an object or array. */
static const unsigned char *read_scalar(struct json_scan *scan, const unsigned char *at)
{
    const int16_t index = scan->open[scan->depth - 1].member;
    const unsigned char *start = at;
    enum json_type type = JSON_NONE;

    switch (*at) {
    case '"':
        type = JSON_TYPE_STRING;
        at = read_string(scan, at + 1);
        break;
    case 't':
        type = JSON_TYPE_TRUE;
        at = read_literal(scan, at, "true");
        break;
    case 'f':
        type = JSON_TYPE_FALSE;
        at = read_literal(scan, at, "false");
        break;
    case 'n':
        type = JSON_TYPE_NULL;
        at = read_literal(scan, at, "null");
        break;
    default:
        at = read_number(scan, at, &type);
        break;
    }
    if (at != NULL && index >= 0) {
        struct json_member *member = &scan->members[index];

        member->value = (struct span){(const char *)start, (size_t)(at - start)};
        member->type = type;
        member->value_escaped = type == JSON_TYPE_STRING && scan->escaped;
        member->odd = !reason_allows(scan->odd);
    }
    if (!reason_allows(scan->odd))
        scan->odd = REASON_ALLOWED;
    return at;
}

static bool record_key(struct json_scan *scan, struct container *container, struct span key)
{
    struct json_member *member = &scan->members[scan->count];

    if (scan->count == JSON_RECORDED_MAX)
        return false;
    *member = (struct json_member){.key = key,
                                   .depth = (uint8_t)scan->depth,
                                   .key_escaped = scan->escaped,
                                   .parent = container->holder};
    container->member = (int16_t)scan->count++;
    return true;
}

static bool key_is(const struct json_member *member, struct span key)
{
    return member->key.length == key.length && memcmp(member->key.data, key.data, key.length) == 0;
}

/* Whether members of an object that is the value of member `holder` are watched. */
static bool watches(const struct json_scan *scan, int16_t holder)
{
    for (size_t i = 0; i < scan->wishes->watch_count; i++) {
        if (key_is(&scan->members[holder], scan->wishes->watches[i].of))
            return true;
    }
    return false;
}

/* Whether a key in such an object is, or could be taken for, a watched one. */
static bool is_watched(const struct json_scan *scan, int16_t holder, struct span key)
{
    for (size_t i = 0; i < scan->wishes->watch_count; i++) {
        const struct json_watch *watch = &scan->wishes->watches[i];

        if (json_chars_may_fold_to(key, watch->name) && key_is(&scan->members[holder], watch->of) &&
            json_chars_folds_to(key, watch->name))
            return true;
    }
    return false;
}

/* Reads a key and its colon; returns at the value. */
static const unsigned char *read_key(struct json_scan *scan, const unsigned char *at)
{
    struct container *container = &scan->open[scan->depth - 1];
    const unsigned char *start = at + 1;
    struct span key;
    enum reason reason;

    if (at == scan->end || *at != '"')
        return fault_byte(scan, at);
    at = read_string(scan, start);
    if (at == NULL)
        return NULL;
    if (!reason_allows(scan->odd))
        return fault(scan, start, scan->odd);
    key = (struct span){(const char *)start, (size_t)(at - 1 - start)};
    reason = json_keys_add(&scan->keys, &container->keys, key, scan->escaped);
    if (!reason_allows(reason))
        return fault(scan, start, reason);
    container->member = -1;
    if ((container->record || (container->watched && is_watched(scan, container->holder, key))) &&
        !record_key(scan, container, key))
        return fault(scan, start, REASON_JSON_RECORDED);
    at = json_space_skip(at, scan->end);
    if (at == scan->end || *at != ':')
        return fault_byte(scan, at);
    return json_space_skip(at + 1, scan->end);
}

/* Notes the end of the innermost container; `at` is behind its bracket. */
static inline __attribute__((always_inline)) void close_container(struct json_scan *scan,
                                                                  const unsigned char *at)
{
    const struct container *container = &scan->open[--scan->depth];

    if (scan->keys.used > 0 && container->object)
        json_keys_close(&scan->keys, &container->keys);
    if (container->holder >= 0) {
        struct span *value = &scan->members[container->holder].value;

        value->length = (size_t)((const char *)at - value->data);
    }
}

/* After a value: closes what ends here and returns at the next value, or behind the root. */
static const unsigned char *read_on(struct json_scan *scan, const unsigned char *at)
{
    while (at != NULL && scan->depth > 0) {
        const struct container *container = &scan->open[scan->depth - 1];

        at = json_space_skip(at, scan->end);
        if (at == scan->end)
            return fault_byte(scan, at);
        if (*at == ',') {
            at = json_space_skip(at + 1, scan->end);
            return container->object ? read_key(scan, at) : at;
        }
        if (*at != (container->object ? '}' : ']'))
            return fault_byte(scan, at);
        close_container(scan, ++at);
    }
    return at;
}

/* Whether the members of an object that is the value of member `holder` are recorded. */
static bool records(const struct json_scan *scan, int16_t holder)
{
    return holder >= 0 && scan->depth < JSON_RECORD_DEPTH && scan->wishes->descend != NULL &&
           text_list_contains(scan->wishes->descend, scan->members[holder].key);
}

/* Notes where the value of a recorded member begins; that member, or -1. */
static int16_t begin_value(struct json_scan *scan, const unsigned char *at)
{
    int16_t holder = -1;

    if (scan->depth > 0)
        holder = scan->open[scan->depth - 1].member;
    if (holder >= 0) {
        scan->members[holder].type = *at == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
        scan->members[holder].value.data = (const char *)at;
    }
    return holder;
}

/* As many may be open as there is room for. */
static uint32_t least(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

/* Room for more open objects and arrays. */
SELDOM static enum reason make_room(struct json_scan *scan)
{
    uint32_t capacity = scan->capacity + (scan->capacity > OPEN_MIN ? scan->capacity : OPEN_MIN);
    struct container *open;

    if (scan->depth >= scan->limits->depth)
        return REASON_JSON_DEPTH;
    open = realloc(scan->open, capacity * sizeof(*open));
    if (open == NULL)
        return REASON_INTERNAL;
    scan->open = open;
    scan->capacity = capacity;
    scan->room = least(scan->capacity, scan->limits->depth);
    return REASON_ALLOWED;
}

/* `at` is on the bracket; returns at the next value. */
static const unsigned char *open_container(struct json_scan *scan, const unsigned char *at)
{
    const bool object = *at == '{';
    struct container *container;
    int16_t holder;

    if (scan->depth >= scan->room) {
        enum reason reason = make_room(scan);

        if (!reason_allows(reason))
            return fault(scan, at, reason);
    }
    holder = begin_value(scan, at);
    container = &scan->open[scan->depth];
    container->object = object;
    container->record = object && (scan->depth == 0 || records(scan, holder));
    container->watched = object && !container->record && holder >= 0 &&
                         scan->depth < JSON_RECORD_DEPTH && watches(scan, holder);
    container->holder = holder;
    container->member = -1;
    if (object)
        json_keys_open(&scan->keys, &container->keys);
    scan->depth++;

    at = json_space_skip(at + 1, scan->end);
    if (at < scan->end && *at == (object ? '}' : ']')) {
        close_container(scan, ++at);
        return read_on(scan, at);
    }
    return object ? read_key(scan, at) : at;
}

enum reason json_scan_text(struct json_scan *scan, const char *text, size_t length,
                           const struct text_list *descend)
{
    return json_scan_wishing(scan, (struct span){text, length},
                             &(struct json_scan_wishes){.descend = descend});
}

static void begin(struct json_scan *scan, struct span text, const struct json_scan_wishes *wishes)
{
    scan->start = scan->fault = (const unsigned char *)text.data;
    scan->end = scan->start + text.length;
    scan->wishes = wishes;
    scan->limits = wishes->limits != NULL ? wishes->limits : &document_limits;
    scan->reason = scan->odd = REASON_ALLOWED;
    scan->root = JSON_NONE;
    scan->count = 0;
    scan->depth = 0;
    scan->room = least(scan->capacity, scan->limits->depth);
    json_keys_begin(&scan->keys, scan->limits->members, scan->limits->keys);
}

/* Keeps no more memory than most texts need. */
static void let_go(struct json_scan *scan)
{
    struct container *open;

    json_keys_let_go(&scan->keys);
    if (scan->capacity == OPEN_MIN)
        return;
    open = realloc(scan->open, OPEN_MIN * sizeof(*open));
    if (open != NULL) {
        scan->open = open;
        scan->capacity = OPEN_MIN;
    }
}

enum reason json_scan_wishing(struct json_scan *scan, struct span text,
                              const struct json_scan_wishes *wishes)
{
    const unsigned char *at = (const unsigned char *)text.data;
    uint32_t values_left;

    begin(scan, text, wishes);
    values_left = scan->limits->values;
    at = json_space_skip(at, scan->end);
    if (at == scan->end || (*at != '{' && *at != '[')) {
        fault_byte(scan, at);
        return scan->reason;
    }
    scan->root = *at == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
    do {
        if (at == scan->end)
            at = fault_byte(scan, at);
        else if (values_left-- == 0)
            at = fault(scan, at, REASON_JSON_VALUES);
        else if (*at == '{' || *at == '[')
            at = open_container(scan, at);
        else
            at = read_on(scan, read_scalar(scan, at));
    } while (at != NULL && scan->depth > 0);
    if (at != NULL && (at = json_space_skip(at, scan->end)) != scan->end)
        fault_byte(scan, at);
    let_go(scan);
    if (!reason_allows(scan->reason)) {
        scan->root = JSON_NONE;
        scan->count = 0;
    }
    return scan->reason;
}

enum json_type json_scan_root(const struct json_scan *scan)
{
    return scan->root;
}

size_t json_scan_count(const struct json_scan *scan)
{
    return scan->count;
}

const struct json_member *json_scan_member(const struct json_scan *scan, size_t index)
{
    return index < scan->count ? &scan->members[index] : NULL;
}

size_t json_scan_fault_offset(const struct json_scan *scan)
{
    return (size_t)(scan->fault - scan->start);
}
