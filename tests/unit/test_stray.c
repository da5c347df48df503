/* stray.c: credentials where none belong, found and redacted. */
#include "policy/stray.h"

#include "policy/login_cookie.h"
#include "policy/own_path.h"
#include "policy/token.h"
#include "token_fixture.h"
#include "unit.h"
#include "vector_lines.h"

#include <stdint.h>

#define TEXT_BYTES  16384
#define VECTORS_MIN 60
#define ID          "00112233445566778899aabbccddeeff"
#define TICKET      "abcdefghijklmnopqrst-_"

static char *token, cookie[LOGIN_COOKIE_VALUE_SIZE], once[3 * TOKEN_BYTES_MAX],
    twice[5 * TOKEN_BYTES_MAX];

static int make(void **state)
{
    const struct token_claims claims = good_claims();

    if (make_keys(state) != 0 || login_cookie_make(ours, ID, cookie) != OK)
        return -1;
    token = mint(&claims);
    for (size_t i = 0; token[i] != '\0'; i++) {
        snprintf(once + 3 * i, 4, "%%%02x", (unsigned char)token[i]);
        snprintf(twice + 5 * i, 6, "%%25%02X", (unsigned char)token[i]);
    }
    return 0;
}

static int drop(void **state)
{
    free(token);
    return drop_keys(state);
}

#define STRAY_TEST(test) TEST_BETWEEN(test, make, drop)

/* Appends what stands for NAME, or N*TEXT. */
static void append_value(struct buffer *out, struct span name)
{
    const struct {
        const char *name, *value;
    } values[] = {{"TOKEN", token}, {"TAIL", token + 1}, {"COOKIE", cookie}, {"TICKET", TICKET},
                  {"CODE", TICKET}, {"ONCE", once},      {"TWICE", twice}};
    const char *star = memchr(name.data, '*', name.length);

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (span_equals(name, values[i].name)) {
            buffer_append_text(out, values[i].value);
            return;
        }
    }
    assert_non_null(star);
    for (long times = strtol(name.data, NULL, 10); times > 0; times--)
        buffer_append(out, star + 1, (size_t)(name.data + name.length - star) - 1);
}

static void expand(const char *text, struct buffer *out)
{
    buffer_init(out, TEXT_BYTES);
    while (*text != '\0') {
        const char *end = *text == '{' && text[1] != '"' ? strchr(text, '}') : NULL;

        if (end == NULL) {
            buffer_append(out, text++, 1);
            continue;
        }
        append_value(out, (struct span){text + 1, (size_t)(end - text) - 1});
        text = end + 1;
    }
    assert_false(buffer_failed(out));
}

/* What was found, and whether it is the whole of it. */
static bool is_good(void *context, const struct credential *found)
{
    struct token_claims claims;
    char id[TOKEN_ID_SIZE];
    bool good;

    if (found->kind == CREDENTIAL_BEARER)
        good = reason_allows(token_verify(ours, found->bytes, NULL, NOW, &claims));
    else if (found->kind == CREDENTIAL_COOKIE)
        good = reason_allows(login_cookie_verify(ours, found->bytes, id));
    else
        good = span_equals(found->bytes, TICKET);
    *(unsigned *)context += good ? 1 : 0;
    return good;
}

static bool holds(struct span text, const char *secret)
{
    return memmem(text.data, text.length, secret, strlen(secret)) != NULL;
}

/* Redacted, there is nothing left of it. */
static void check_redacted(const struct vector_line *vector, struct span text, bool astray)
{
    struct buffer out;
    struct span redacted;
    struct stray stray = {0};

    buffer_init(&out, TEXT_BYTES);
    if (stray_redact(text, &out) != astray)
        fail_msg("line %zu: redacted otherwise", vector->number);
    redacted = (struct span){out.data, out.length};
    if (astray && (!holds(redacted, STRAY_MARK) || stray_in(&stray, redacted, false) ||
                   holds(redacted, strrchr(token, '.')) || holds(redacted, strchr(cookie, '.'))))
        fail_msg("line %zu: left is %s", vector->number, out.data);
    buffer_clear(&out);
}

STRAY_TEST(test_vectors)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/url/strays.txt");
    for (; vector_next(&vector, 2); count++) {
        bool astray = strcmp(vector.fields[0], "-") != 0;
        unsigned good = 0;
        struct stray stray = {.judge = is_good, .context = &good};
        struct buffer text;
        struct span target;

        expand(vector.fields[1], &text);
        target = (struct span){text.data, text.length};
        if (stray_in(&stray, target, own_path_is(text.data)) != astray || (good > 0) != astray)
            fail_msg("line %zu: %s: found %u", vector.number, vector.fields[1], good);
        check_redacted(&vector, target, astray);
        buffer_clear(&text);
    }
    vector_close(&vector);
    assert_true(count >= VECTORS_MIN);
}

/* All are judged, each once, and not more than a few. */
STRAY_TEST(test_bounds)
{
    static const char lookalike[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30."
                                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    struct buffer text;
    unsigned good = 0;
    struct stray stray = {.judge = is_good, .context = &good};

    buffer_init(&text, TEXT_BYTES);
    buffer_append_format(&text, "%s&%s&%%20%s", token, cookie, cookie);
    assert_true(stray_in(&stray, (struct span){text.data, text.length}, false));
    assert_int_equal(good, 3);
    assert_int_equal(stray.judged, 3);
    buffer_reset(&text);
    good = 0;
    stray = (struct stray){.judge = is_good, .context = &good};
    for (unsigned i = 0; i < STRAY_JUDGED_MAX; i++) {
        assert_false(stray_in(&stray, span_of(lookalike), false));
        assert_int_equal(stray.judged, i + 1);
    }
    assert_true(stray_in(&stray, span_of(lookalike), false));
    assert_int_equal(stray.judged, STRAY_JUDGED_MAX);
    assert_false(stray_in(&stray, span_of("nothing"), false));
    assert_false(stray_in(&stray, (struct span){NULL, 0}, false));
    assert_int_equal(good, 0);
    buffer_clear(&text);
}

/* A text that is full of them is given up soon, decoded or not: anybody may send one. */
STRAY_TEST(test_work_is_bounded)
{
    struct stray judging = {.judge = is_good}, looking = {.judge = NULL};
    struct buffer text;
    struct span all;
    unsigned good = 0;

    buffer_init(&text, TEXT_BYTES);
    for (unsigned i = 0; i < 400; i++)
        buffer_append_format(&text, ADMISSION_TICKET_PREFIX "%022u", i);
    buffer_append_text(&text, "%41");
    assert_false(buffer_failed(&text));
    all = (struct span){text.data, text.length};
    judging.context = &good;
    assert_true(stray_in(&judging, all, false));
    assert_int_equal(judging.found, STRAY_JUDGED_MAX + 1);
    assert_true(stray_in(&looking, all, false));
    assert_int_equal(looking.found, 1);

    /* One that is nobody's, and the same again and again where it is decoded. */
    buffer_reset(&text);
    for (unsigned i = 0; i < 300; i++)
        buffer_append_format(&text,
                             "%s"
                             "idelock.ticket.%022u",
                             i == 0 ? "s" : "%73", 0U);
    assert_false(buffer_failed(&text));
    all = (struct span){text.data, text.length};
    judging = (struct stray){.judge = is_good, .context = &good};
    assert_true(stray_in(&judging, all, false));
    assert_int_equal(judging.judged, 1);
    assert_int_equal(judging.found, STRAY_FOUND_MAX);
    assert_int_equal(good, 0);
    buffer_clear(&text);
}

/* A foreign token is none of ours, and yet nothing for a log. */
STRAY_TEST(test_foreign)
{
    const struct token_claims claims = good_claims();
    char *foreign = NULL;
    unsigned good = 0;
    struct stray stray = {.judge = is_good, .context = &good};
    struct buffer out;

    assert_int_equal(token_mint(other, &claims, &foreign), OK);
    buffer_init(&out, TEXT_BYTES);
    assert_false(stray_in(&stray, span_of(foreign), false));
    assert_true(stray_redact(span_of(foreign), &out));
    assert_string_equal(out.data, STRAY_MARK);
    buffer_clear(&out);
    free(foreign);
}
