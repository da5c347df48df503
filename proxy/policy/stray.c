#include "policy/stray.h"

#include "base/secret.h"
#include "policy/login_cookie.h"
#include "policy/own_path.h"
#include "policy/token.h"
#include "wire/url.h"

#include <string.h>

#define DECODINGS       2 /* a URL within a URL is encoded twice */
#define TEXT_BYTES_MAX  HTTP_HEAD_BYTES_MAX
#define SHORTEST        (sizeof(ADMISSION_TICKET_PREFIX) - 1 + ADMISSION_WORD_BYTES)
#define WORD_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static const struct span none = {NULL, 0};

/* How many bytes at the start could be of a word. */
static size_t word_run(struct span text)
{
    size_t length = 0;

    while (length < text.length && text.data[length] != '\0' &&
           strchr(WORD_CHARACTERS, text.data[length]) != NULL)
        length++;
    return length;
}

static struct span find_ticket(struct span text)
{
    const size_t prefix = sizeof(ADMISSION_TICKET_PREFIX) - 1;

    while (text.length >= prefix + ADMISSION_WORD_BYTES) {
        const char *at = memmem(text.data, text.length, ADMISSION_TICKET_PREFIX, prefix);

        if (at == NULL)
            break;
        text = (struct span){at + prefix, text.length - prefix - (size_t)(at - text.data)};
        if (word_run(text) >= ADMISSION_WORD_BYTES)
            return (struct span){text.data, ADMISSION_WORD_BYTES};
    }
    return none;
}

/* A word of just that length. */
static struct span find_word(struct span text)
{
    while (text.length >= ADMISSION_WORD_BYTES) {
        size_t run = word_run(text);

        if (run == ADMISSION_WORD_BYTES)
            return (struct span){text.data, run};
        run += run < text.length ? 1 : 0;
        text = (struct span){text.data + run, text.length - run};
    }
    return none;
}

static const struct {
    enum credential_kind kind;
    struct span (*find)(struct span text);
} forms[] = {
    {CREDENTIAL_BEARER, token_find},
    {CREDENTIAL_COOKIE, login_cookie_spot},
    {CREDENTIAL_TICKET, find_ticket},
    {CREDENTIAL_LOGIN_CODE, find_word}, /* if `words` */
};

/* The first in a text, of any form. */
static bool find(struct span text, bool words, struct credential *found)
{
    *found = (struct credential){CREDENTIAL_NONE, none};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct span at;

        if (forms[i].kind == CREDENTIAL_LOGIN_CODE && !words)
            continue;
        at = forms[i].find(text);
        if (at.data != NULL && (found->bytes.data == NULL || at.data < found->bytes.data))
            *found = (struct credential){forms[i].kind, at};
    }
    return found->kind != CREDENTIAL_NONE;
}

/* What is left of a text behind the first byte of what was found: one may begin within another. */
static struct span after(struct span text, struct span found)
{
    size_t skipped = (size_t)(found.data - text.data) + 1;

    return (struct span){text.data + skipped, text.length - skipped};
}

static bool occurs(struct span text, bool words, const struct credential *wanted)
{
    struct credential found;

    for (; find(text, words, &found); text = after(text, found.bytes)) {
        if (found.kind == wanted->kind && span_same(found.bytes, wanted->bytes))
            return true;
    }
    return false;
}

/* Whether nothing is judged any more: whatever has the form is one. */
static bool has_verdict(const struct stray *stray)
{
    return stray->judge == NULL || stray->judged == STRAY_JUDGED_MAX;
}

/* Judges what is in a text, but for what was in it before it was decoded. */
static bool look(struct stray *stray, struct span text, struct span before, bool words)
{
    struct credential found;
    bool any = false;

    for (; find(text, words, &found); text = after(text, found.bytes)) {
        if (stray->found == STRAY_FOUND_MAX)
            return true;
        stray->found++;
        if (occurs(before, words, &found))
            continue;
        if (has_verdict(stray))
            return true;
        stray->judged++;
        if (stray->judge(stray->context, &found))
            any = true;
    }
    return any;
}

/* What others may read in a text with percent-encodings. */
static bool look_decoded(struct stray *stray, struct span text, bool words)
{
    char decoded[TEXT_BYTES_MAX];
    size_t length = text.length;
    bool any = false;

    memcpy(decoded, text.data, length);
    for (unsigned i = 0; i < DECODINGS; i++) {
        length = url_unescape(decoded, length);
        if (look(stray, (struct span){decoded, length}, text, words))
            any = true;
    }
    secret_wipe(decoded, text.length);
    return any;
}

bool stray_in(struct stray *stray, struct span text, bool words)
{
    bool any;

    if (text.data == NULL || text.length < (words ? ADMISSION_WORD_BYTES : SHORTEST))
        return false;
    any = look(stray, text, none, words);
    /* Else there are few, with which what is decoded is compared. */
    if (any && has_verdict(stray))
        return true;
    if (text.length <= TEXT_BYTES_MAX && memchr(text.data, '%', text.length) != NULL &&
        look_decoded(stray, text, words))
        any = true;
    return any;
}

static bool has_form(struct span text, bool words)
{
    return stray_in(&(struct stray){0}, text, words);
}

bool stray_redact(struct span text, struct buffer *out)
{
    bool words = text.length >= sizeof(OWN_PATH_PREFIX) - 1 &&
                 memcmp(text.data, OWN_PATH_PREFIX, sizeof(OWN_PATH_PREFIX) - 1) == 0;
    size_t start = out->length;
    struct span rest = text;
    const char *written = text.data; /* up to here */
    struct credential found;

    if (!has_form(text, words))
        return false;
    for (; find(rest, words, &found); rest = after(rest, found.bytes)) {
        if (found.bytes.data >= written) {
            buffer_append(out, written, (size_t)(found.bytes.data - written));
            buffer_append_text(out, STRAY_MARK);
        }
        if (found.bytes.data + found.bytes.length > written)
            written = found.bytes.data + found.bytes.length;
    }
    buffer_append(out, written, (size_t)(text.data + text.length - written));
    /* One that is percent-encoded is left; no part of the text is worth the care. */
    if (!buffer_failed(out) &&
        has_form((struct span){out->data + start, out->length - start}, words)) {
        buffer_truncate(out, start);
        buffer_append_text(out, STRAY_MARK);
    }
    return true;
}
