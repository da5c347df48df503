/* The scanner itself (scan.h): reads a text value by value. Called by whoever has one to be
 * scanned. */
#include "json/scan_state.h"

#include "json/chars.h"
#include "json/plain.h"

#include <string.h>

#define NEAR_END 12 /* what may be a fault because the rest is missing: an escaped pair */

/*
 * The readers below return where reading goes on, or NULL after noting a fault, or where the text
 * that is there ends before it should.
 */

/*
 * A byte that cannot stand here, or is missing: then it may come, and with what is near the end
 * may be another matter.
 */
SCAN_SELDOM static const unsigned char *misfit(struct json_scan *scan, const unsigned char *at,
                                               enum scan_place place)
{
    if (!scan->coming || scan->end - at > NEAR_END)
        return scan_fault_byte(scan, at);
    /* A number that ends there may go on. */
    if (at == scan->end && place == SCAN_BEHIND && at[-1] >= '0' && at[-1] <= '9') {
        while (at > scan->start && strchr("0123456789.eE+-", at[-1]) != NULL && at[-1] != '\0')
            at--;
        scan->values_left++;
        place = SCAN_VALUE;
    }
    scan->at = at;
    scan->place = place;
    return NULL;
}

/* A token has a fault, which may be but that its rest is missing: then it is read again. */
SCAN_SELDOM static const unsigned char *retry(struct json_scan *scan, const unsigned char *at,
                                              enum scan_place place)
{
    if (!scan->coming || scan->end - scan->fault > NEAR_END)
        return NULL;
    scan->reason = scan->odd = REASON_ALLOWED;
    scan->values_left += place == SCAN_VALUE;
    scan->at = at;
    scan->place = place;
    return NULL;
}

/* `at` is behind the opening quote; returns behind the closing one. Most are short and plain. */
static inline const unsigned char *read_string(struct json_scan *scan, const unsigned char *at)
{
    scan->escaped = false;
    at = json_plain_skip(at, scan->end);
    return at < scan->end && *at == '"' ? at + 1 : scan_string_rest(scan, at);
}

static const unsigned char *read_literal(struct json_scan *scan, const unsigned char *at,
                                         const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(scan->end - at) < length || memcmp(at, word, length) != 0)
        return scan_fault_byte(scan, at);
    return at + length;
}

static const unsigned char *read_number(struct json_scan *scan, const unsigned char *at,
                                        enum json_type *type)
{
    at = json_number_read(at, scan->end, type);
    return *type != JSON_NONE ? at : scan_fault_byte(scan, at);
}

static void record_value(struct json_scan *scan, const unsigned char *start,
                         const unsigned char *at, enum json_type type)
{
    struct json_member *member = &scan->members[scan->top->member];

    member->value = (struct span){(const char *)start, (size_t)(at - start)};
    member->type = type;
    member->value_escaped = type == JSON_TYPE_STRING && scan->escaped;
    member->odd = !reason_allows(scan->odd);
}

/* Any value that is not an object or array. */
static const unsigned char *read_scalar(struct json_scan *scan, const unsigned char *start)
{
    const unsigned char *at;
    enum json_type type = JSON_NONE;

    switch (*start) {
    case '"':
        type = JSON_TYPE_STRING;
        at = read_string(scan, start + 1);
        break;
    case 't':
        type = JSON_TYPE_TRUE;
        at = read_literal(scan, start, "true");
        break;
    case 'f':
        type = JSON_TYPE_FALSE;
        at = read_literal(scan, start, "false");
        break;
    case 'n':
        type = JSON_TYPE_NULL;
        at = read_literal(scan, start, "null");
        break;
    default:
        at = read_number(scan, start, &type);
        break;
    }
    if (at == NULL)
        return retry(scan, start, SCAN_VALUE);
    if (scan->top->member >= 0)
        record_value(scan, start, at, type);
    if (type == JSON_TYPE_STRING)
        scan->odd = REASON_ALLOWED;
    return at;
}

/* Whether members of the object that has just been opened may be recorded. */
static bool is_recorded_depth(const struct json_scan *scan)
{
    return scan_depth(scan) <= JSON_RECORD_DEPTH;
}

static bool record_key(struct json_scan *scan, struct scan_container *container, struct span key)
{
    struct json_member *member = &scan->members[scan->count];

    if (scan->count == JSON_RECORDED_MAX)
        return false;
    *member = (struct json_member){.key = key,
                                   .depth = (uint8_t)scan_depth(scan),
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
    if (!is_recorded_depth(scan))
        return false;
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

/* Reads the colon; returns at the value. */
static inline const unsigned char *read_colon(struct json_scan *scan, const unsigned char *at)
{
    at = json_space_skip(at, scan->end);
    if (at == scan->end || *at != ':')
        return misfit(scan, at, SCAN_COLON);
    return json_space_skip(at + 1, scan->end);
}

/* Reads a key and its colon; returns at the value. */
static const unsigned char *read_key(struct json_scan *scan, const unsigned char *at)
{
    struct scan_container *container = scan->top;
    const unsigned char *start = at + 1;
    struct span key;
    enum reason reason;

    if (at == scan->end || *at != '"')
        return misfit(scan, at, SCAN_KEY);
    at = read_string(scan, start);
    if (at == NULL)
        return retry(scan, start - 1, SCAN_KEY);
    if (!reason_allows(scan->odd))
        return scan_fault(scan, start, scan->odd);
    key = (struct span){(const char *)start, (size_t)(at - 1 - start)};
    reason = json_keys_add(&scan->keys, &container->keys, key, scan->escaped);
    if (!reason_allows(reason))
        return scan_fault(scan, start, reason);
    container->member = -1;
    if ((container->record || (container->watched && is_watched(scan, container->holder, key))) &&
        !record_key(scan, container, key))
        return scan_fault(scan, start, REASON_JSON_RECORDED);
    return read_colon(scan, at);
}

/* Notes the end of the object or array that is the value of a recorded member, or of none. */
static inline void end_value(struct json_scan *scan, int16_t holder, const unsigned char *at)
{
    if (holder >= 0) {
        struct span *value = &scan->members[holder].value;

        value->length = (size_t)((const char *)at - value->data);
    }
}

/* The innermost container is at its end; `at` is behind its bracket. */
static inline void close_container(struct json_scan *scan, const unsigned char *at)
{
    const struct scan_container *container = scan->top--;

    if (scan->keys.used > 0 && container->object)
        json_keys_close(&scan->keys, &container->keys);
    end_value(scan, container->holder, at);
}

/* After a value: closes what ends here and returns at the next value, or behind the root. */
static const unsigned char *read_on(struct json_scan *scan, const unsigned char *at)
{
    while (at != NULL && scan->top > scan->open) {
        const struct scan_container *container = scan->top;

        at = json_space_skip(at, scan->end);
        if (at == scan->end)
            return misfit(scan, at, SCAN_BEHIND);
        if (*at == ',') {
            at = json_space_skip(at + 1, scan->end);
            return container->object ? read_key(scan, at) : at;
        }
        if (*at != (container->object ? '}' : ']'))
            return misfit(scan, at, SCAN_BEHIND);
        close_container(scan, ++at);
    }
    return at;
}

/* Whether the members of an object that is the value of member `holder` are recorded. */
static bool records(const struct json_scan *scan, int16_t holder)
{
    return holder >= 0 && is_recorded_depth(scan) && scan->wishes->descend != NULL &&
           text_list_contains(scan->wishes->descend, scan->members[holder].key);
}

/* Notes where the value of a recorded member begins; that member, or -1. */
static inline int16_t begin_value(struct json_scan *scan, const unsigned char *at)
{
    const int16_t holder = scan->top->member;

    if (holder >= 0) {
        scan->members[holder].type = *at == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
        scan->members[holder].value.data = (const char *)at;
    }
    return holder;
}

/* Behind an opening bracket, before white space; returns at the next value. */
static __attribute__((noinline)) const unsigned char *read_opened(struct json_scan *scan,
                                                                  const unsigned char *at)
{
    const bool object = scan->top->object;

    at = json_space_skip(at, scan->end);
    if (at == scan->end)
        return misfit(scan, at, SCAN_OPENED);
    if (*at == (object ? '}' : ']')) {
        close_container(scan, ++at);
        return read_on(scan, at);
    }
    return object ? read_key(scan, at) : at;
}

/* `at` is on the bracket; returns at the next value. */
static const unsigned char *open_container(struct json_scan *scan, const unsigned char *at)
{
    const bool object = *at == '{';
    const int16_t holder = begin_value(scan, at);
    struct scan_container *container;

    if (scan->top == scan->last) {
        enum reason reason = scan_make_room(scan);

        if (!reason_allows(reason))
            return scan_fault(scan, at, reason);
    }
    /* There are many without anything in them. */
    if (++at < scan->end && *at == (object ? '}' : ']')) {
        end_value(scan, holder, ++at);
        return read_on(scan, at);
    }
    container = ++scan->top;
    container->object = object;
    container->record = object && (container == scan->open + 1 || records(scan, holder));
    container->watched = object && !container->record && holder >= 0 && watches(scan, holder);
    container->holder = holder;
    container->member = -1;
    if (object)
        json_keys_open(&scan->keys, &container->keys);
    if (at == scan->end || *at <= ' ')
        return read_opened(scan, at);
    return object ? read_key(scan, at) : at;
}

/* Value after value, until the root is at its end. */
static const unsigned char *read_values(struct json_scan *scan, const unsigned char *at)
{
    while (at != NULL && scan->top > scan->open) {
        if (at == scan->end)
            at = misfit(scan, at, SCAN_VALUE);
        else if (scan->values_left-- == 0)
            at = scan_fault(scan, at, REASON_JSON_VALUES);
        else if (*at == '{' || *at == '[')
            at = open_container(scan, at);
        else
            at = read_on(scan, read_scalar(scan, at));
    }
    return at;
}

static const unsigned char *read_root(struct json_scan *scan, const unsigned char *at)
{
    if (at == scan->end || (*at != '{' && *at != '['))
        return misfit(scan, at, SCAN_ROOT);
    scan->root = *at == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
    if (scan->values_left-- == 0)
        return scan_fault(scan, at, REASON_JSON_VALUES);
    return open_container(scan, at);
}

/* Goes on where it stopped. */
static const unsigned char *read_from(struct json_scan *scan, const unsigned char *at)
{
    at = json_space_skip(at, scan->end);
    switch (scan->place) {
    case SCAN_ROOT:
        return read_root(scan, at);
    case SCAN_KEY:
        return read_key(scan, at);
    case SCAN_COLON:
        return read_colon(scan, at);
    case SCAN_OPENED:
        return read_opened(scan, at);
    case SCAN_BEHIND:
        return read_on(scan, at);
    case SCAN_VALUE:
    case SCAN_OVER:
        break;
    }
    return at;
}

static const struct json_limits document_limits = {JSON_DEPTH_MAX, JSON_MEMBERS_MAX, JSON_KEYS_MAX,
                                                   UINT32_MAX, .refuse_unpaired = true};

static void begin(struct json_scan *scan, const struct json_scan_wishes *wishes)
{
    scan->start = scan->end = scan->at = NULL;
    scan->place = SCAN_ROOT;
    scan->wishes = wishes;
    scan->limits = wishes->limits != NULL ? wishes->limits : &document_limits;
    scan->reason = scan->odd = REASON_ALLOWED;
    scan->root = JSON_NONE;
    scan->count = 0;
    scan->values_left = scan->limits->values;
    scan->top = scan->open;
    scan->top->member = -1;
    scan_set_room(scan);
    json_keys_begin(&scan->keys, scan->limits->members, scan->limits->keys);
}

void json_scan_begin(struct json_scan *scan, const struct json_scan_wishes *wishes)
{
    scan->kept_wishes = *wishes;
    begin(scan, &scan->kept_wishes);
}

/* As far as the text is there; `end`: all of it. */
static void go_on(struct json_scan *scan, struct span text, bool end)
{
    const unsigned char *at = (const unsigned char *)text.data;

    if (scan->start == NULL)
        scan->at = scan->fault = at;
    else if (scan->start != at)
        scan_move(scan, at);
    scan->start = at;
    scan->end = at + text.length;
    scan->coming = !end;
    if (!reason_allows(scan->reason))
        return;
    at = read_values(scan, read_from(scan, scan->at));
    if (at == NULL)
        return;
    scan->at = json_space_skip(at, scan->end);
    scan->place = SCAN_OVER;
    if (scan->at != scan->end)
        misfit(scan, scan->at, SCAN_OVER);
}

void json_scan_more(struct json_scan *scan, struct span text)
{
    /* What stopped within a long token is read again: only once it is twice as long. */
    const size_t read = (size_t)(scan->at - scan->start);

    if (text.length - read < 2 * ((size_t)(scan->end - scan->start) - read))
        return;
    go_on(scan, text, false);
}

enum reason json_scan_end(struct json_scan *scan, struct span text)
{
    go_on(scan, text, true);
    return scan_end(scan);
}

enum reason json_scan_wishing(struct json_scan *scan, struct span text,
                              const struct json_scan_wishes *wishes)
{
    begin(scan, wishes);
    go_on(scan, text, true);
    return scan_end(scan);
}

enum reason json_scan_text(struct json_scan *scan, const char *text, size_t length,
                           const struct text_list *descend)
{
    return json_scan_wishing(scan, (struct span){text, length},
                             &(struct json_scan_wishes){.descend = descend});
}
