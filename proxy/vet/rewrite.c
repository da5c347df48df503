#include "vet/rewrite.h"

#include "json/chars.h"
#include "json/parse.h"
#include "json/walk.h"

#include <string.h>

/* One rewriting: the answer up to `copied` is in `out`. */
struct rewriting {
    const struct route_answer *route;
    const struct rewrite_addresses *addresses;
    struct buffer *out;
    const char *copied;
};

/* The schemes that are rewritten: plain, and over TLS. */
static const char *const schemes[][2] = {{"http", "https"}, {"ws", "wss"}};

/*
 * Splits "scheme://authority" off a URL (RFC 3986 section 3): the new scheme,
 * or NULL if it is no URL of the service. *rest is what follows the authority.
 */
static const char *new_scheme(const struct rewriting *rewriting, struct span url, struct span *rest)
{
    const struct rewrite_addresses *addresses = rewriting->addresses;
    const size_t length = strlen(addresses->sent);
    const char *mark = memmem(url.data, url.length, "://", 3);
    struct span scheme, after;

    if (mark == NULL)
        return NULL;
    scheme = (struct span){url.data, (size_t)(mark - url.data)};
    after = (struct span){mark + 3, url.length - scheme.length - 3};
    if (after.length < length ||
        !span_equals_nocase((struct span){after.data, length}, addresses->sent) ||
        (after.length > length && strchr("/?#", after.data[length]) == NULL))
        return NULL;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        if (span_equals_nocase(scheme, schemes[i][0]) ||
            span_equals_nocase(scheme, schemes[i][1])) {
            *rest = (struct span){after.data + length, after.length - length};
            return schemes[i][addresses->secure];
        }
    }
    return NULL;
}

static bool is_rewritten(const struct rewriting *rewriting, struct span key)
{
    for (size_t i = 0; i < rewriting->route->urls.count; i++) {
        if (json_chars_equal(key, rewriting->route->urls.items[i]))
            return true;
    }
    return false;
}

/* Where the query of a URL begins and ends; both at the end if there is none. */
static void find_query(struct span url, size_t *start, size_t *end)
{
    const char *fragment = memchr(url.data, '#', url.length);
    size_t stop = fragment != NULL ? (size_t)(fragment - url.data) : url.length;
    const char *mark = memchr(url.data, '?', stop);

    *start = mark != NULL ? (size_t)(mark - url.data) : stop;
    *end = stop;
}

/* Builds the new URL; false if it is the old one. */
static bool build(const struct rewriting *rewriting, struct span url, struct buffer *out)
{
    struct span rest = url;
    const char *scheme = new_scheme(rewriting, url, &rest);
    size_t start, end;

    if (scheme != NULL) {
        buffer_append_text(out, scheme);
        buffer_append_text(out, "://");
        buffer_append_text(out, rewriting->addresses->client);
    }
    find_query(rest, &start, &end);
    if (!rewriting->route->strip_query)
        start = end;
    buffer_append(out, rest.data, start);
    buffer_append(out, rest.data + end, rest.length - end);
    return buffer_failed(out) || out->length != url.length ||
           memcmp(out->data, url.data, url.length) != 0;
}

/* Puts a new URL in the place of a string value. REASON_JSON_REWRITTEN without memory or room. */
static enum reason replace(struct rewriting *rewriting, struct span value)
{
    const size_t growth = strlen(rewriting->addresses->client) + sizeof("https://");
    struct buffer url, plain;
    size_t length = 0;
    char *room;
    bool failed;

    buffer_init(&plain, value.length);
    buffer_init(&url, value.length + growth);
    room = buffer_reserve(&plain, value.length);
    if (room == NULL || json_scan_unescape(value, room, value.length, &length) != OK) {
        buffer_clear(&plain);
        return REASON_JSON_REWRITTEN;
    }
    if (length > 0 && build(rewriting, (struct span){room, length}, &url)) {
        buffer_append(rewriting->out, rewriting->copied, (size_t)(value.data - rewriting->copied));
        buffer_append_json_string(rewriting->out, url.length > 0 ? url.data : "", url.length);
        rewriting->copied = value.data + value.length;
    }
    failed = buffer_failed(&url) || buffer_failed(rewriting->out);
    buffer_clear(&plain);
    buffer_clear(&url);
    return failed ? REASON_JSON_REWRITTEN : REASON_ALLOWED;
}

static enum reason rewrite_object(struct rewriting *rewriting, struct span object)
{
    struct json_walk_entry entry;
    struct json_walk walk;

    if (!json_walk_enter(&walk, object) || !walk.object)
        return REASON_ALLOWED;
    while (json_walk_next(&walk, &entry)) {
        enum reason reason;

        if (entry.value.data[0] != '"' || !is_rewritten(rewriting, entry.key))
            continue;
        if (json_member_of(entry.value).odd)
            return REASON_JSON_SURROGATE; /* nobody knows where it leads */
        reason = replace(rewriting, entry.value);
        if (!reason_allows(reason))
            return reason;
    }
    return REASON_ALLOWED;
}

enum reason rewrite_answer(struct json_scan *scan, const struct route_answer *route,
                           const struct rewrite_addresses *addresses, struct span text,
                           struct buffer *out)
{
    struct rewriting rewriting = {route, addresses, out, text.data};
    enum reason reason =
        json_scan_wishing(scan, text, &(struct json_scan_wishes){.limits = addresses->limits});
    struct json_walk_entry entry;
    struct json_walk walk;

    if (!reason_allows(reason))
        return reason;
    if (json_scan_root(scan) == JSON_TYPE_OBJECT) {
        reason = rewrite_object(&rewriting, text);
    } else if (json_walk_enter(&walk, text)) {
        while (reason_allows(reason) && json_walk_next(&walk, &entry))
            reason = rewrite_object(&rewriting, entry.value);
    }
    if (reason_allows(reason) && rewriting.copied != text.data) {
        buffer_append(out, rewriting.copied, (size_t)(text.data + text.length - rewriting.copied));
        reason = buffer_failed(out) ? REASON_JSON_REWRITTEN : REASON_ALLOWED;
    }
    return reason;
}

enum reason stored_body_digest(struct json_scan *scan, const struct route_body *route,
                               struct span body, char out[SHA256_HEX_SIZE])
{
    enum reason reason = json_scan_text(scan, body.data, body.length, NULL);
    const struct json_member *member;
    enum error error;

    if (!reason_allows(reason))
        return reason;
    if (json_scan_root(scan) != JSON_TYPE_OBJECT ||
        json_scan_lookalike(scan, -1, route->member) >= 0)
        return REASON_VALUE_MISMATCH;
    member = json_scan_find(scan, -1, route->member);
    if (member == NULL)
        return REASON_VALUE_MISMATCH;
    error = canonical_text_digest(member->value.data, member->value.length, out);
    if (error == OK)
        return REASON_ALLOWED;
    return error == ERROR_MEMORY ? REASON_INTERNAL : REASON_VALUE_MISMATCH;
}
