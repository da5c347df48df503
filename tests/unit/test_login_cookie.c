/* login_cookie.c: what a browser shows, made, found among others, and forged. */
#include "policy/login_cookie.h"

#include "unit.h"
#include "vector_lines.h"

#include <stdint.h>

#define SESSION "00112233445566778899aabbccddeeff"
#define VALUE   SESSION ".36ec4579078060dfb6c95e4a7a9d963671b37c5dd53a9e4b03955c21f8cbb93a"

static char studio[] = "studio";

static struct secret_key *counting_key(void)
{
    unsigned char bytes[SECRET_KEY_BYTES];
    struct secret_key *key;

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(secret_key_from_bytes(bytes, &key), OK);
    return key;
}

TEST(test_made)
{
    struct secret_key *key = counting_key();
    char value[LOGIN_COOKIE_VALUE_SIZE], session[TOKEN_ID_SIZE] = "";

    assert_int_equal(login_cookie_make(key, SESSION, value), OK);
    assert_string_equal(value, VALUE);
    assert_int_equal(login_cookie_verify(key, span_of(value), session), REASON_ALLOWED);
    assert_string_equal(session, SESSION);
    assert_int_equal(login_cookie_make(key, "", value), ERROR_INVALID);
    assert_int_equal(login_cookie_make(key, SESSION "0", value), ERROR_INVALID);
    assert_int_equal(login_cookie_make(key, "../" SESSION, value), ERROR_INVALID);
    secret_key_destroy(key);
}

TEST(test_forged)
{
    struct secret_key *key = counting_key();
    char session[TOKEN_ID_SIZE] = "untouched", changed[sizeof(VALUE)];
    struct vector_line vector;
    unsigned count = 0;

    vector_open(&vector, VECTORS_DIR "/cookies/forged.txt");
    for (; vector_next(&vector, 2); count++) {
        struct span value = {vector.text, vector.length};

        if (login_cookie_verify(key, value, session) != REASON_COOKIE_INVALID)
            fail_msg("accepted: %s", vector.fields[0]);
        assert_string_equal(session, "untouched");
    }
    assert_true(count >= 30);
    vector_close(&vector);
    assert_int_equal(login_cookie_verify(key, span_of(NULL), session), REASON_COOKIE_INVALID);
    /* Every single byte counts. */
    for (size_t i = 0; i < sizeof(VALUE) - 1; i++) {
        memcpy(changed, VALUE, sizeof(VALUE));
        changed[i] = (char)(changed[i] ^ 1);
        assert_int_equal(login_cookie_verify(key, span_of(changed), session),
                         REASON_COOKIE_INVALID);
        assert_int_equal(login_cookie_verify(key, (struct span){VALUE, i}, session),
                         REASON_COOKIE_INVALID);
    }
    secret_key_destroy(key);
}

static void expect_found(const char *headers, enum reason reason, const char *values)
{
    struct surface surface = {.name = studio};
    struct http_request request;
    struct buffer found;
    enum reason fault;
    char text[1024];

    buffer_init(&found, HTTP_HEAD_BYTES_MAX);
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    assert_int_equal(http_request_parse(text, strlen(text), &request, &fault), HTTP_COMPLETE);
    assert_string_equal(reason_info(login_cookie_find(&surface, &request, &found))->code,
                        reason_info(reason)->code);
    if (found.length != strlen(values) ||
        memcmp(found.length > 0 ? found.data : "", values, found.length) != 0)
        fail_msg("%s: %.*s", headers, (int)found.length, found.data);
    buffer_clear(&found);
}

TEST(test_found)
{
    expect_found("", REASON_ALLOWED, "");
    expect_found("Cookie:\r\n", REASON_ALLOWED, "");
    expect_found("Cookie: sidelock-studio=v\r\n", REASON_ALLOWED, "v;");
    /* The broker takes no list that a header's value could not be. */
    expect_found("Cookie: sidelock-studio= v\r\n", REASON_ALLOWED, "v;");
    expect_found("Cookie: sidelock-studio=\t v \t; sidelock-studio= ; a=b\r\n", REASON_ALLOWED,
                 "v;;");
    expect_found("cookie: a=b; sidelock-studio=v; c=d\r\n", REASON_ALLOWED, "v;");
    expect_found("Cookie: a=b;sidelock-studio=v;c\r\n", REASON_ALLOWED, "v;");
    expect_found("Cookie: a=b;\t sidelock-studio=v \t; c\r\n", REASON_ALLOWED, "v;");
    expect_found("Cookie: sidelock-studio=\r\n", REASON_ALLOWED, ";");
    expect_found("Cookie: sidelock-studio=a=b\r\n", REASON_ALLOWED, "a=b;");
    expect_found("Cookie: ;;; sidelock-studio=v;\r\n", REASON_ALLOWED, "v;");
    /* Not this name. */
    expect_found("Cookie: sidelock-studio\r\n", REASON_ALLOWED, "");
    expect_found("Cookie: Sidelock-studio=v\r\n", REASON_ALLOWED, "");
    expect_found("Cookie: sidelock-studio =v\r\n", REASON_ALLOWED, "");
    expect_found("Cookie: xsidelock-studio=v; sidelock-studio2=v\r\n", REASON_ALLOWED, "");
    expect_found("Cookie: sidelock-other=v; a=sidelock-studio=v\r\n", REASON_ALLOWED, "");
    expect_found("Cookie: __Host-sidelock-studio=v\r\n", REASON_ALLOWED, "");
    /* A page of a neighbour can add cookies of the same name; which came first proves nothing. */
    expect_found("Cookie: sidelock-studio=v; sidelock-studio=v\r\n", REASON_ALLOWED, "v;v;");
    expect_found("Cookie: sidelock-studio=v; a=b; sidelock-studio=w\r\n", REASON_ALLOWED, "v;w;");
    expect_found("Cookie: sidelock-studio=v\r\nCookie: a=b\r\n", REASON_HEADER_DUPLICATE, "");
}

static void expect_set(const struct surface *surface, const char *wanted)
{
    struct buffer out;

    buffer_init(&out, 512);
    login_cookie_set(surface, "v", 3600, &out);
    assert_string_equal(out.data, wanted);
    buffer_clear(&out);
}

TEST(test_set)
{
    struct surface_tls tls = {0};
    struct surface surface = {.name = studio};
    char name[LOGIN_COOKIE_NAME_SIZE];

    expect_set(&surface, "sidelock-studio=v; HttpOnly; SameSite=Strict; Path=/; Max-Age=3600");
    surface.tls = &tls;
    expect_set(&surface, "__Host-sidelock-studio=v; HttpOnly; SameSite=Strict; Path=/; "
                         "Max-Age=3600; Secure");
    login_cookie_name(&surface, name);
    assert_string_equal(name, "__Host-sidelock-studio");
}
