/* What of a query reaches a service: admission_query() and admission_query_bearer(). */
#include "config/pattern.h"
#include "policy/admission.h"
#include "wire/url.h"

#include <string.h>

#define QUERY_NAME_BYTES_MAX  256
#define QUERY_VALUE_BYTES_MAX 4096

static void append_pair(const char *name, struct span value, struct buffer *out)
{
    if (out->length > 0)
        buffer_append_text(out, "&");
    url_encode(span_of(name), false, out);
    buffer_append_text(out, "=");
    url_encode(value, false, out);
}

static const struct query_pass *find_pass(const struct route *route, const char *name,
                                          size_t *index)
{
    for (*index = 0; *index < route->pass_count; (*index)++) {
        if (strcmp(route->pass[*index].name, name) == 0)
            return &route->pass[*index];
    }
    return NULL;
}

/* Keeps what may pass; the first value of a name is the only one. *at is the one that may not. */
static enum reason pass_query(const struct route *route, const char *client_query,
                              struct buffer *out, const struct query_pass **at)
{
    struct span rest = span_of(client_query), name, value;
    uint64_t seen = 0;

    while (url_query_next(&rest, &name, &value)) {
        char name_text[QUERY_NAME_BYTES_MAX], value_text[QUERY_VALUE_BYTES_MAX];
        const struct query_pass *pass;
        size_t index;

        if (url_query_decode(name, name_text, sizeof(name_text)) != OK)
            continue;
        *at = pass = find_pass(route, name_text, &index);
        if (pass == NULL)
            continue;
        if ((seen >> index & 1) != 0)
            return REASON_QUERY_TWICE;
        if (url_query_decode(value, value_text, sizeof(value_text)) != OK)
            return REASON_QUERY_ENCODING;
        if (!config_pattern_matches(pass->pattern, value_text))
            return REASON_QUERY_INVALID;
        seen |= (uint64_t)1 << index;
        append_pair(pass->name, span_of(value_text), out);
    }
    return REASON_ALLOWED;
}

static enum reason inject_query(const struct route *route, const struct params *params,
                                struct buffer *out)
{
    for (size_t i = 0; i < route->inject_count; i++) {
        const struct query_inject *inject = &route->inject[i];
        struct buffer value;

        if (params == NULL)
            return REASON_PARAMS_REQUIRED;
        buffer_init(&value, 2 * PARAMS_BYTES_MAX);
        if (params_append_part(params, inject->from, inject->encoding, &value) != OK ||
            buffer_failed(&value)) {
            buffer_wipe(&value);
            return REASON_PARAMS_REQUIRED;
        }
        append_pair(inject->name, (struct span){value.data, value.length}, out);
        buffer_wipe(&value);
    }
    return REASON_ALLOWED;
}

enum reason admission_query(const struct route *route, const char *client_query,
                            const struct params *params, struct buffer *out)
{
    const struct query_pass *at;
    enum reason reason = pass_query(route, client_query, out, &at);

    if (reason_allows(reason))
        reason = inject_query(route, params, out);
    if (reason_allows(reason) && buffer_failed(out))
        reason = REASON_QUERY_TOO_LONG;
    return reason;
}

const char *admission_query_refused(const struct route *route, const char *client_query)
{
    const struct query_pass *at = NULL;
    struct buffer none;
    enum reason reason;

    buffer_init(&none, 0);
    reason = pass_query(route, client_query, &none, &at);
    buffer_clear(&none);
    return reason_allows(reason) ? NULL : at->name;
}

static bool is_token68(const char *text)
{
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                 "-._~+/");

    return length > 0 && text[length + strspn(text + length, "=")] == '\0';
}

bool admission_query_bearer(const struct route *route, const char *client_query, char *out,
                            size_t capacity)
{
    struct span rest = span_of(client_query), name, value;
    bool seen = false, found = false;

    while (route->query_bearer != NULL && url_query_next(&rest, &name, &value)) {
        char name_text[QUERY_NAME_BYTES_MAX];

        if (url_query_decode(name, name_text, sizeof(name_text)) != OK ||
            strcmp(name_text, route->query_bearer) != 0)
            continue;
        if (seen || url_query_decode(value, out, capacity) != OK || !is_token68(out))
            return false;
        seen = true;
        found = strcmp(out, "null") != 0 && strcmp(out, "undefined") != 0;
    }
    return found;
}
