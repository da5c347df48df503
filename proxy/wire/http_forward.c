#include "wire/http_forward.h"

#include "wire/http_names.h"
#include "wire/url.h"

#include <inttypes.h>
#include <string.h>

static const char *const hop_by_hop[] = {
    "connection", "keep-alive",     "proxy-*",        "te", "trailer", "transfer-encoding",
    "upgrade",    "http2-settings", "content-length",
};
/* Read or made by the gate; the credential is the gate's own, and so is what upgrades say. */
static const char *const not_for_service[] = {"host", "expect", "authorization", "sec-websocket-*"};
/* Connection may not take these away: they were judged as part of the request. */
static const char *const judged[] = {
    "host",          "content-length", "content-type", "content-encoding",
    "accept",        "authorization",  "cookie",       "origin",
    "last-event-id", "mcp-*",          "sec-*",
};
/* Would send the browser past the gate, by itself. */
static const char *const not_for_client[] = {"alt-svc", "refresh"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Takes a prefix off, if it is there. */
static bool skip_nocase(struct span *span, const char *prefix)
{
    size_t length = strlen(prefix);

    if (!http_name_begins(*span, prefix, length))
        return false;
    *span = (struct span){span->data + length, span->length - length};
    return true;
}

/* The headers that Connection names. */
struct named {
    struct span names[HTTP_CONNECTION_NAMES_MAX];
    size_t count;
};

static bool collect_named(const struct http_fields *fields, struct named *out)
{
    out->count = 0;
    for (size_t i = 0; i < fields->count; i++) {
        struct span list = fields->list[i].value, element;

        if (!span_equals_nocase(fields->list[i].name, "connection"))
            continue;
        while (http_list_next(&list, &element)) {
            if (out->count == HTTP_CONNECTION_NAMES_MAX)
                return false;
            out->names[out->count++] = element;
        }
    }
    return true;
}

static bool stays(struct span name, const struct named *named)
{
    if (http_name_among(name, hop_by_hop, COUNT(hop_by_hop)))
        return true;
    for (size_t i = 0; i < named->count; i++) {
        if (name.length == named->names[i].length &&
            http_name_begins(name, named->names[i].data, name.length))
            return true;
    }
    return false;
}

static void write_field(struct buffer *out, struct span name, struct span value)
{
    buffer_append(out, name.data, name.length);
    buffer_append(out, ": ", 2);
    buffer_append(out, value.data, value.length);
    buffer_append(out, "\r\n", 2);
}

static void write_framing(const struct http_body *body, bool answer, struct buffer *out)
{
    if (body->kind == HTTP_BODY_LENGTH)
        buffer_append_format(out, "Content-Length: %" PRIu64 "\r\n", body->left);
    else if (body->kind == HTTP_BODY_CHUNKED)
        buffer_append_text(out, "Transfer-Encoding: chunked\r\n");
    else if (answer && body->kind == HTTP_BODY_NONE && body->has_length)
        buffer_append_format(out, "Content-Length: %" PRIu64 "\r\n", body->length);
}

/*
 * Whether a browser that is given this pair may send a login cookie. A pair
 * without a name ("=sidelock-a=x") is sent without the first '='.
 */
static bool is_login_cookie(struct span pair)
{
    while (pair.length > 0 && (pair.data[0] == '=' || pair.data[0] == ' ' || pair.data[0] == '\t'))
        pair = (struct span){pair.data + 1, pair.length - 1};
    if (!skip_nocase(&pair, "__host-"))
        skip_nocase(&pair, "__secure-");
    return skip_nocase(&pair, HTTP_LOGIN_COOKIE_PREFIX);
}

static bool is_pair(struct span pair)
{
    const char *equals = pair.length > 0 ? memchr(pair.data, '=', pair.length) : NULL;

    return equals != NULL && http_is_token((struct span){pair.data, (size_t)(equals - pair.data)});
}

/* Writes the pairs that may pass; no header at all if there are none. */
static void write_cookie(struct span name, struct span list, struct buffer *out)
{
    bool any = false;

    while (list.length > 0) {
        struct span pair = span_trim(span_split(&list, ';'));

        if (!is_pair(pair) || is_login_cookie(pair))
            continue;
        if (!any)
            buffer_append(out, name.data, name.length);
        buffer_append_text(out, any ? "; " : ": ");
        buffer_append(out, pair.data, pair.length);
        any = true;
    }
    if (any)
        buffer_append(out, "\r\n", 2);
}

/* Whether the service may see a request header at all. */
static bool may_reach_service(const struct http_forward_request_options *options, struct span name)
{
    if (!http_name_plain(name) || http_name_among(name, not_for_service, COUNT(not_for_service)))
        return false;
    if (http_name_trusted(name)) {
        for (size_t i = 0; options->readmit != NULL && i < options->readmit->count; i++) {
            if (span_equals_nocase(name, options->readmit->items[i]))
                return true;
        }
        return false;
    }
    if (span_equals_nocase(name, "referer"))
        return options->host_public;
    return !(options->identity_encoding && span_equals_nocase(name, "accept-encoding"));
}

static void write_request_field(const struct http_forward_request_options *options,
                                const struct http_field *field, struct buffer *out)
{
    if (span_equals_nocase(field->name, "cookie")) {
        write_cookie(field->name, field->value, out);
    } else if (span_equals_nocase(field->name, "origin") && !options->host_public) {
        buffer_append(out, field->name.data, field->name.length);
        buffer_append_format(out, ": http://%s\r\n", options->host);
    } else {
        write_field(out, field->name, field->value);
    }
}

enum reason http_forward_request(const struct http_forward_request_options *options,
                                 const struct http_request *request, struct buffer *out)
{
    struct named named;

    if (!collect_named(&request->fields, &named))
        return REASON_CONNECTION_NAMES;
    for (size_t i = 0; i < named.count; i++) {
        if (http_name_among(named.names[i], judged, COUNT(judged)))
            return REASON_CONNECTION_NAMES;
    }
    for (size_t i = 0; i < request->fields.count; i++) {
        struct span name = request->fields.list[i].name;

        if (!stays(name, &named) && may_reach_service(options, name))
            write_request_field(options, &request->fields.list[i], out);
    }
    if (options->identity_encoding)
        buffer_append_text(out, "Accept-Encoding: identity\r\n");
    write_framing(options->body, false, out);
    return REASON_ALLOWED;
}

/* Whether a reference leads to the path that was asked for but for a slash at the end. */
static bool is_slash_apart(struct span reference, struct span path)
{
    size_t end = 0;

    if (path.length == 0)
        return false;
    while (end < reference.length && strchr("?#", reference.data[end]) == NULL)
        end++;
    if (end == path.length + 1)
        return reference.data[end - 1] == '/' &&
               span_same((struct span){reference.data, end - 1}, path);
    return end + 1 == path.length && path.data[end] == '/' &&
           span_same((struct span){reference.data, end}, (struct span){path.data, end});
}

/*
 * What is behind the authority of a URL of the service's own (http, or without a scheme); absent
 * if it is somebody else's. A service knows itself by the Host that it is told, and some by another
 * name of this machine: with the port that the client came to, or, where it sends the client from
 * a path to the one with a slash more or less, with the port that it listens on itself.
 */
static struct span after_own_authority(const struct http_forward_response_options *options,
                                       struct span url)
{
    struct span rest = url;
    unsigned port;

    skip_nocase(&rest, "http:");
    /* What follows the host must not make it a longer authority. */
    if (skip_nocase(&rest, "//") && skip_nocase(&rest, options->host) &&
        (rest.length == 0 || strchr("/?#", rest.data[0]) != NULL))
        return rest;
    rest = url_after_loopback(url, &port);
    if (rest.data != NULL && (port == options->port || is_slash_apart(rest, options->path)))
        return rest;
    return (struct span){NULL, 0};
}

/* Whether a path begins with two slashes for a browser, to which tabs are not there. */
static bool begins_with_two(struct span path)
{
    size_t second = 1;

    while (second < path.length && path.data[second] == '\t')
        second++;
    return second < path.length && (path.data[second] == '/' || path.data[second] == '\\');
}

/*
 * A URL of the service's own as a reference without an authority. A path that begins
 * with two slashes would be another one: "/." before it is no part of the path once
 * resolved (RFC 3986 section 5.2.4).
 */
static void write_location(const struct http_forward_response_options *options,
                           const struct http_field *field, struct buffer *out)
{
    struct span rest = after_own_authority(options, field->value);
    const char *prefix = "";

    if (rest.data == NULL) {
        write_field(out, field->name, field->value);
        return;
    }
    if (rest.length == 0 || rest.data[0] != '/')
        prefix = "/";
    else if (begins_with_two(rest))
        prefix = "/.";
    buffer_append(out, field->name.data, field->name.length);
    buffer_append_format(out, ": %s", prefix);
    buffer_append(out, rest.data, rest.length);
    buffer_append(out, "\r\n", 2);
}

static void write_response_field(const struct http_forward_response_options *options,
                                 const struct http_field *field, struct buffer *out)
{
    struct span name = field->name, list = field->value;

    if (span_equals_nocase(name, "location") || span_equals_nocase(name, "content-location"))
        write_location(options, field, out);
    else if (!span_equals_nocase(name, "set-cookie") ||
             !is_login_cookie(span_trim(span_split(&list, ';'))))
        write_field(out, name, field->value);
}

static void write_status_line(const struct http_response *response, struct buffer *out)
{
    struct span phrase = response->phrase;

    if (phrase.length == 0)
        phrase = span_of(http_status_phrase(response->status));
    buffer_append_format(out, "HTTP/1.1 %u ", response->status);
    buffer_append(out, phrase.data, phrase.length);
    buffer_append(out, "\r\n", 2);
}

/* MCP's session id, which clients would read as a list of two: the very line was there before. */
static bool is_said_again(const struct http_fields *fields, size_t at)
{
    const struct http_field *field = &fields->list[at];

    if (!span_equals_nocase(field->name, "mcp-session-id"))
        return false;
    for (size_t i = 0; i < at; i++) {
        if (span_equals_nocase(fields->list[i].name, "mcp-session-id") &&
            span_same(fields->list[i].value, field->value))
            return true;
    }
    return false;
}

enum reason http_forward_response(const struct http_forward_response_options *options,
                                  const struct http_response *response, struct buffer *out)
{
    struct named named;

    if (!collect_named(&response->fields, &named))
        return REASON_ANSWER_HEAD;
    write_status_line(response, out);
    for (size_t i = 0; i < response->fields.count; i++) {
        struct span name = response->fields.list[i].name;

        if (!stays(name, &named) && !http_name_among(name, not_for_client, COUNT(not_for_client)) &&
            !is_said_again(&response->fields, i))
            write_response_field(options, &response->fields.list[i], out);
    }
    /* RFC 9110 section 8.6: these have none, not even one of 0. */
    if (response->status >= 200 && response->status != 204)
        write_framing(options->body, true, out);
    if (options->close || options->body->kind == HTTP_BODY_UNTIL_CLOSE)
        buffer_append_text(out, "Connection: close\r\n");
    buffer_append(out, "\r\n", 2);
    return REASON_ALLOWED;
}
