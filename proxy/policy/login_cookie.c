#include "policy/login_cookie.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX      "sidelock-"
#define HOST_PREFIX "__Host-"

enum error login_cookie_make(const struct secret_key *key, const char *session_id,
                             char out[LOGIN_COOKIE_VALUE_SIZE])
{
    unsigned char mac[SHA256_BYTES];
    enum error error;

    if (!token_id_valid(session_id))
        return ERROR_INVALID;
    error = secret_hmac_sha256(key, session_id, TOKEN_ID_SIZE - 1, mac);
    if (error != OK)
        return error;
    memcpy(out, session_id, TOKEN_ID_SIZE - 1);
    out[TOKEN_ID_SIZE - 1] = '.';
    text_hex(mac, sizeof(mac), out + TOKEN_ID_SIZE);
    return OK;
}

enum reason login_cookie_verify(const struct secret_key *key, struct span value,
                                char session_id[TOKEN_ID_SIZE])
{
    char id[TOKEN_ID_SIZE], expected[LOGIN_COOKIE_VALUE_SIZE];
    bool same;

    if (value.data == NULL || value.length != LOGIN_COOKIE_VALUE_SIZE - 1)
        return REASON_COOKIE_INVALID;
    memcpy(id, value.data, TOKEN_ID_SIZE - 1);
    id[TOKEN_ID_SIZE - 1] = '\0';
    if (login_cookie_make(key, id, expected) != OK)
        return REASON_COOKIE_INVALID;
    same = secret_equal(expected, value.data, value.length);
    secret_wipe(expected, sizeof(expected));
    if (!same)
        return REASON_COOKIE_INVALID;
    memcpy(session_id, id, sizeof(id));
    return REASON_ALLOWED;
}

/* 32 lower-case hexadecimal digits, a dot, 64 more. */
static bool has_form(const char *bytes)
{
    for (size_t i = 0; i < LOGIN_COOKIE_VALUE_SIZE - 1; i++) {
        char byte = bytes[i];

        if (i == TOKEN_ID_SIZE - 1 ? byte != '.'
                                   : !(byte >= '0' && byte <= '9') && !(byte >= 'a' && byte <= 'f'))
            return false;
    }
    return true;
}

struct span login_cookie_spot(struct span text)
{
    const size_t before = TOKEN_ID_SIZE - 1, length = LOGIN_COOKIE_VALUE_SIZE - 1;

    for (size_t from = before; from + length - before <= text.length; from++) {
        const char *dot = memchr(text.data + from, '.', text.length - from);

        if (dot == NULL)
            break;
        from = (size_t)(dot - text.data);
        if (from + length - before <= text.length && has_form(dot - before))
            return (struct span){dot - before, length};
    }
    return (struct span){NULL, 0};
}

void login_cookie_name(const struct surface *surface, char out[LOGIN_COOKIE_NAME_SIZE])
{
    snprintf(out, LOGIN_COOKIE_NAME_SIZE, "%s" PREFIX "%s", surface->tls != NULL ? HOST_PREFIX : "",
             surface->name);
}

enum reason login_cookie_find(const struct surface *surface, const struct http_request *request,
                              struct buffer *values)
{
    char name[LOGIN_COOKIE_NAME_SIZE];
    struct span list;
    enum reason reason = http_fields_single(&request->fields, "cookie", &list);
    size_t length;

    if (!reason_allows(reason))
        return reason;
    login_cookie_name(surface, name);
    length = strlen(name);
    while (list.length > 0) {
        struct span pair = span_trim(span_split(&list, ';')), value;

        if (pair.length <= length || memcmp(pair.data, name, length) != 0 ||
            pair.data[length] != '=')
            continue;
        value = span_trim((struct span){pair.data + length + 1, pair.length - length - 1});
        buffer_append(values, value.data, value.length);
        buffer_append_text(values, ";");
    }
    return buffer_failed(values) ? REASON_HEADERS_TOO_LARGE : REASON_ALLOWED;
}

void login_cookie_set(const struct surface *surface, const char *value, int64_t lifetime_s,
                      struct buffer *out)
{
    char name[LOGIN_COOKIE_NAME_SIZE];

    login_cookie_name(surface, name);
    buffer_append_format(out, "%s=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=%" PRId64 "%s",
                         name, value, lifetime_s, surface->tls != NULL ? "; Secure" : "");
}
