/*
 * token.c under any bytes. The first byte chooses: the rest is a token as it
 * stands, or a payload that is then truly signed under the right header. What
 * is accepted must be, byte for byte, what token_mint makes of its claims.
 */
#include "policy/token.h"

#include "base/buffer.h"
#include "fuzz.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define HEADER           "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
#define NOW              1700000000
#define FORGED_BYTES_MAX (4 * 1024 * 1024)

static struct secret_key *the_key(void)
{
    static struct secret_key *key;
    unsigned char bytes[SECRET_KEY_BYTES];

    if (key == NULL &&
        (secret_random(bytes, sizeof(bytes)) != OK || secret_key_from_bytes(bytes, &key) != OK))
        abort();
    return key;
}

static void append_base64url(struct buffer *out, const unsigned char *bytes, size_t length)
{
    char *room = buffer_reserve(out, 4 * ((length + 2) / 3));

    if (room == NULL)
        abort();
    text_base64url(bytes, length, room);
    buffer_commit(out, strlen(room));
}

static void sign(struct buffer *token, const uint8_t *payload, size_t length)
{
    unsigned char digest[SHA256_BYTES];
    unsigned int digest_length = 0;

    buffer_append_text(token, HEADER ".");
    append_base64url(token, payload, length);
    if (HMAC(EVP_sha256(), secret_key_bytes(the_key()), SECRET_KEY_BYTES,
             (const unsigned char *)token->data, token->length, digest, &digest_length) == NULL)
        abort();
    buffer_append_text(token, ".");
    append_base64url(token, digest, sizeof(digest));
}

static void check(struct span token)
{
    struct token_claims claims;
    enum reason reason = token_verify(the_key(), token, NULL, NOW, &claims);
    char *again = NULL;

    if (reason != REASON_TOKEN_MALFORMED && !token_resembles(token))
        abort();
    if (reason != REASON_ALLOWED && reason != REASON_TOKEN_EXPIRED)
        return;
    if (token_mint(the_key(), &claims, &again) != OK || !span_equals(token, again))
        abort();
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer token;

    if (size == 0)
        return 0;
    buffer_init(&token, FORGED_BYTES_MAX);
    if (data[0] == 'S')
        sign(&token, data + 1, size - 1);
    else
        buffer_append(&token, data + 1, size - 1);
    check((struct span){token.data, token.length});
    buffer_clear(&token);
    return 0;
}
