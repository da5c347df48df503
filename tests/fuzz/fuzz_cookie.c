/*
 * Any header lines: the surface's own cookie is found where a second, simpler
 * reading of them finds it, and counts only if it was made with the key.
 */
#include "policy/login_cookie.h"

#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#define HEAD_BYTES_MAX 8192
#define NAME           "sidelock-studio="
#define SESSION        "00112233445566778899aabbccddeeff"

/* The only Cookie header cut at every semicolon: our values without blanks around them, a
 * semicolon behind each. */
static void collect_ours(char *cookies, struct buffer *out)
{
    for (char *pair = cookies, *next; pair != NULL; pair = next) {
        char *end = strchr(pair, ';');

        next = end != NULL ? end + 1 : NULL;
        if (end == NULL)
            end = pair + strlen(pair);
        pair += strspn(pair, " \t");
        while (end > pair && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        *end = '\0';
        if (strncmp(pair, NAME, strlen(NAME)) != 0)
            continue;
        pair += strlen(NAME);
        buffer_append_format(out, "%s;", pair + strspn(pair, " \t"));
    }
}

static void check_found(const struct http_request *request, enum reason reason,
                        const struct buffer *found)
{
    struct buffer wanted;
    char *cookies;
    struct span all;

    if (http_fields_single(&request->fields, "cookie", &all) != REASON_ALLOWED) {
        require(reason == REASON_HEADER_DUPLICATE && found->length == 0);
        return;
    }
    cookies = text_copy(all.data != NULL ? all : span_of(""));
    require(cookies != NULL && reason_allows(reason));
    buffer_init(&wanted, HEAD_BYTES_MAX);
    collect_ours(cookies, &wanted);
    require(wanted.length == found->length &&
            (found->length == 0 || memcmp(wanted.data, found->data, found->length) == 0));
    buffer_clear(&wanted);
    free(cookies);
}

/* What is accepted is the one value that the key makes for this session. */
static void check_value(const struct secret_key *key, struct span value)
{
    char made[LOGIN_COOKIE_VALUE_SIZE], session[TOKEN_ID_SIZE];

    require(login_cookie_make(key, SESSION, made) == OK);
    if (reason_allows(login_cookie_verify(key, value, session)))
        require(span_equals(value, made) && strcmp(session, SESSION) == 0);
    else
        require(!span_equals(value, made));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char bytes[SECRET_KEY_BYTES] = "a key that the seeds know";
    static char text[HEAD_BYTES_MAX], name[] = "studio";
    const struct surface surface = {.name = name};
    struct http_request request;
    struct secret_key *key;
    struct buffer found;
    struct span values;
    enum reason reason;
    size_t length;

    if (size > HEAD_BYTES_MAX - 64)
        return 0;
    length = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: x\r\n");
    memcpy(text + length, data, size);
    memcpy(text + length + size, "\r\n\r\n", 4);
    require(secret_key_from_bytes(bytes, &key) == OK);
    buffer_init(&found, HEAD_BYTES_MAX);
    check_value(key, (struct span){(const char *)data, size});
    if (http_request_parse(text, length + size + 4, &request, &reason) == HTTP_COMPLETE) {
        reason = login_cookie_find(&surface, &request, &found);
        check_found(&request, reason, &found);
        values = (struct span){found.data, found.length};
        while (values.length > 0)
            check_value(key, span_split(&values, ';'));
    }
    buffer_clear(&found);
    secret_key_destroy(key);
    return 0;
}
