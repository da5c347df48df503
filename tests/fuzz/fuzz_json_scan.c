/*
 * The scanner against jansson as oracle: both accept or both refuse, but for
 * the documented exceptions; and what was recorded is what jansson read. What jansson cannot
 * hold, and the scanner lets pass, is made tame for it first. (flow.oracles asks two other
 * parsers about the very text.)
 */
#include "json/scan.h"

#include "fuzz.h"
#include "tame.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define STRING_BYTES_MAX (64 * 1024)

static void die(const char *what, const uint8_t *data, size_t size)
{
    fprintf(stderr, "%s: %.*s\n", what, (int)size, (const char *)data);
    abort();
}

static int type_of(enum json_type type)
{
    static const int types[] = {
        [JSON_TYPE_OBJECT] = JSON_OBJECT, [JSON_TYPE_ARRAY] = JSON_ARRAY,
        [JSON_TYPE_STRING] = JSON_STRING, [JSON_TYPE_INTEGER] = JSON_INTEGER,
        [JSON_TYPE_REAL] = JSON_REAL,     [JSON_TYPE_TRUE] = JSON_TRUE,
        [JSON_TYPE_FALSE] = JSON_FALSE,   [JSON_TYPE_NULL] = JSON_NULL};

    return types[type];
}

/* Unescapes a key or a string value; the caller frees it. */
static char *unescape(struct span inside, size_t *length)
{
    static char quoted[STRING_BYTES_MAX + 2];
    char *out = malloc(STRING_BYTES_MAX);

    if (out == NULL || inside.length > STRING_BYTES_MAX - 1)
        abort();
    quoted[0] = '"';
    memcpy(quoted + 1, inside.data, inside.length);
    quoted[inside.length + 1] = '"';
    if (json_scan_unescape((struct span){quoted, inside.length + 2}, out, STRING_BYTES_MAX,
                           length) != OK)
        abort();
    return out;
}

/* Compares the recorded members of one object with jansson's; returns how many there are. */
static size_t compare_object(const struct json_scan *scan, int parent, json_t *object)
{
    size_t found = 0;

    for (size_t i = 0; i < json_scan_count(scan); i++) {
        const struct json_member *member = json_scan_member(scan, i);
        size_t length;
        json_t *value;
        char *text;

        if (member->parent != parent)
            continue;
        found++;
        text = unescape(member->key, &length);
        value = json_object_get(object, text);
        if (value == NULL || (int)json_typeof(value) != type_of(member->type) ||
            member->key_escaped != (memchr(member->key.data, '\\', member->key.length) != NULL))
            abort();
        free(text);
        if (json_is_string(value)) {
            text =
                unescape((struct span){member->value.data + 1, member->value.length - 2}, &length);
            if (length != json_string_length(value) ||
                memcmp(text, json_string_value(value), length) != 0)
                abort();
            free(text);
        } else if (json_is_object(value) || json_is_array(value)) {
            json_t *again = json_loadb(member->value.data, member->value.length, 0, NULL);

            if (again == NULL || !json_equal(again, value))
                abort();
            json_decref(again);
            if (json_is_object(value))
                compare_object(scan, (int)i, value);
        }
    }
    if (parent < 0 && found != json_object_size(object))
        abort();
    return found;
}

static bool same(struct span a, const char *a_text, struct span b, const char *b_text)
{
    return a.length == b.length && a.data - a_text == b.data - b_text;
}

/* What comes in pieces, and lies elsewhere each time, is what lies there at once. */
static void compare_in_pieces(const struct json_scan *whole, const char *text, size_t size,
                              enum reason reason, const struct json_scan_wishes *wishes,
                              size_t step)
{
    static struct json_scan *scan;
    char *last = NULL;

    if (scan == NULL && json_scan_create(&scan) != OK)
        abort();
    json_scan_begin(scan, wishes);
    for (size_t there = step; there < size; there += step) {
        char *copy = malloc(there);

        memcpy(copy, text, there);
        json_scan_more(scan, (struct span){copy, there});
        free(last);
        last = copy;
    }
    if (json_scan_end(scan, (struct span){text, size}) != reason)
        die("in pieces otherwise", (const uint8_t *)text, size);
    free(last);
    if (json_scan_fault_offset(scan) != json_scan_fault_offset(whole) && !reason_allows(reason))
        die("a fault elsewhere", (const uint8_t *)text, size);
    if (json_scan_root(scan) != json_scan_root(whole) ||
        json_scan_count(scan) != json_scan_count(whole))
        die("in pieces another", (const uint8_t *)text, size);
    for (size_t i = 0; i < json_scan_count(scan); i++) {
        const struct json_member *a = json_scan_member(scan, i), *b = json_scan_member(whole, i);

        if (!same(a->key, text, b->key, text) || !same(a->value, text, b->value, text) ||
            a->type != b->type || a->depth != b->depth || a->parent != b->parent ||
            a->key_escaped != b->key_escaped || a->value_escaped != b->value_escaped ||
            a->odd != b->odd)
            die("in pieces another member", (const uint8_t *)text, size);
    }
}

/* With the limits of messages: the same but for what is odd. */
static void compare_generously(struct json_scan *scan, const char *text, size_t size, bool strict)
{
    static const struct json_limits limits = {512, 100000, 100000, 100000, false};
    enum reason reason = json_scan_wishing(scan, (struct span){text, size},
                                           &(struct json_scan_wishes){.limits = &limits});
    json_t *value;

    if (strict && !reason_allows(reason))
        die("only without what is odd", (const uint8_t *)text, size);
    for (size_t step = 1; step < 64 && size < 2048; step = 3 * step + 1)
        compare_in_pieces(scan, text, size, reason, &(struct json_scan_wishes){.limits = &limits},
                          step);
    if (!reason_allows(reason))
        return;
    value = tame_load(text, size);
    if (value == NULL)
        die("only the scanner accepts, generously", (const uint8_t *)text, size);
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_scan *scan;
    static struct text_list descend;
    const char *text = (const char *)data;
    enum reason reason;
    json_t *value;

    if (scan == NULL && (json_scan_create(&scan) != OK || text_list_add(&descend, "a", 1) != OK))
        abort();
    if (size > STRING_BYTES_MAX - 2)
        return 0;
    reason = json_scan_text(scan, text, size, &descend);
    value = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    if (value == NULL && reason_allows(reason)) {
        value = tame_load(text, size);
        if (value == NULL)
            die("only the scanner accepts", data, size);
        json_decref(value);
        value = NULL;
    }
    if (value != NULL && !reason_allows(reason) && reason != REASON_JSON_NUL &&
        reason != REASON_JSON_DEPTH && !reason_same(reason, REASON_JSON_LIMIT))
        die("only jansson accepts", data, size);
    if (json_scan_fault_offset(scan) > size)
        die("the fault lies outside", data, size);
    if (value != NULL && reason_allows(reason)) {
        size_t offset;

        if (json_is_object(value))
            compare_object(scan, -1, value);
        if (json_scan_locate(text, size, "/a/0", &offset) && offset >= size)
            die("located outside", data, size);
    }
    json_decref(value);
    for (size_t step = 1; step < 64 && size < 2048; step = 3 * step + 1)
        compare_in_pieces(scan, text, size, reason, &(struct json_scan_wishes){.descend = &descend},
                          step);
    compare_generously(scan, text, size, reason_allows(reason));
    return 0;
}
