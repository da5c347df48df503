/*
 * token.c: forged tokens, tokens/refused.json, are refused for the right reason.
 *
 * A vector builds a token from `header` and `payload` (texts; the file has the
 * defaults), signs it as `sign` says, and puts it together as `form` says: H, P
 * and S stand for the segments. `pad` brings the token to that many bytes. Keys
 * are made here, at random.
 */
#include "token_fixture.h"

#include "base/buffer.h"
#include "unit.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

CMFixtureFunction unit_set_up = make_keys, unit_tear_down = drop_keys;

#define FORGED_BYTES_MAX (10 * 1024 * 1024)
#define VECTORS_MIN      60

/* What a forger has: segments, and an HMAC of any kind. */

static void append_base64url(struct buffer *out, const void *bytes, size_t length)
{
    char *room = buffer_reserve(out, 4 * ((length + 2) / 3));

    assert_non_null(room);
    text_base64url(bytes, length, room);
    buffer_commit(out, strlen(room));
}

static void append_hmac(struct buffer *out, const EVP_MD *hash, const void *key, int key_length,
                        const char *input, size_t length)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;

    assert_non_null(
        HMAC(hash, key, key_length, (const unsigned char *)input, length, digest, &size));
    append_base64url(out, digest, size);
}

/* Appends the signature over "H.P" that `kind` names. */
static void append_signature(struct buffer *out, const char *kind, const char *input, size_t length)
{
    static const unsigned char zeros[SECRET_KEY_BYTES];
    const unsigned char *key = secret_key_bytes(ours);
    const EVP_MD *hash = EVP_sha256();
    int key_length = SECRET_KEY_BYTES;

    if (strcmp(kind, "none") == 0)
        return;
    if (strcmp(kind, "plain") == 0) {
        unsigned char digest[SHA256_BYTES];

        secret_sha256(input, length, digest);
        append_base64url(out, digest, sizeof(digest));
        return;
    }
    if (strcmp(kind, "payload-only") == 0) {
        const char *payload = strchr(input, '.') + 1;

        length -= (size_t)(payload - input);
        input = payload;
    } else if (strcmp(kind, "other") == 0) {
        key = secret_key_bytes(other);
    } else if (strcmp(kind, "zeros") == 0) {
        key = zeros;
    } else if (strcmp(kind, "empty") == 0) {
        key_length = 0;
    } else if (strcmp(kind, "ours") != 0) {
        hash = EVP_get_digestbyname(kind);
    }
    append_hmac(out, hash, key, key_length, input, length);
}

struct forgery {
    struct buffer header, payload, signature, token;
};

static void forgery_init(struct forgery *forgery)
{
    buffer_init(&forgery->header, FORGED_BYTES_MAX);
    buffer_init(&forgery->payload, FORGED_BYTES_MAX);
    buffer_init(&forgery->signature, FORGED_BYTES_MAX);
    buffer_init(&forgery->token, FORGED_BYTES_MAX);
}

static void forgery_clear(struct forgery *forgery)
{
    buffer_clear(&forgery->header);
    buffer_clear(&forgery->payload);
    buffer_clear(&forgery->signature);
    buffer_clear(&forgery->token);
}

static void forgery_sign(struct forgery *forgery, const char *kind)
{
    struct buffer input;

    buffer_init(&input, FORGED_BYTES_MAX);
    buffer_append(&input, forgery->header.data, forgery->header.length);
    buffer_append_text(&input, ".");
    buffer_append(&input, forgery->payload.data, forgery->payload.length);
    append_signature(&forgery->signature, kind, input.data, input.length);
    buffer_clear(&input);
}

/* Puts the segments in the places of H, P and S where they stand alone; the rest is literal. */
static void forgery_assemble(struct forgery *forgery, const char *form, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const struct buffer *segment = form[i] == 'H'   ? &forgery->header
                                       : form[i] == 'P' ? &forgery->payload
                                       : form[i] == 'S' ? &forgery->signature
                                                        : NULL;

        if (segment != NULL)
            buffer_append(&forgery->token, segment->data, segment->length);
        else
            buffer_append(&forgery->token, form + i, 1);
    }
    assert_false(buffer_failed(&forgery->token));
}

/* A vector's text, or the file's default. */
static const json_t *member(const json_t *file, const json_t *vector, const char *name)
{
    const json_t *value = json_object_get(vector, name);

    return value != NULL ? value : json_object_get(file, name);
}

static const char *text_or(const json_t *vector, const char *name, const char *otherwise)
{
    const json_t *value = json_object_get(vector, name);

    return value != NULL ? json_string_value(value) : otherwise;
}

static void build(const json_t *file, const json_t *vector, struct forgery *forgery)
{
    const json_t *header = member(file, vector, "header");
    const json_t *payload = member(file, vector, "payload");
    const json_t *form = json_object_get(vector, "form");
    size_t pad = (size_t)json_integer_value(json_object_get(vector, "pad"));

    forgery_init(forgery);
    append_base64url(&forgery->header, json_string_value(header), json_string_length(header));
    append_base64url(&forgery->payload, json_string_value(payload), json_string_length(payload));
    while (forgery->header.length + forgery->payload.length + 45 < pad)
        buffer_append(&forgery->payload, "A", 1);
    forgery_sign(forgery, text_or(vector, "sign", "ours"));
    if (form != NULL)
        forgery_assemble(forgery, json_string_value(form), json_string_length(form));
    else
        forgery_assemble(forgery, "H.P.S", 5);
}

/* `reason` is a code, or a list of codes where versions of libjwt notice a fault sooner or later.
 */
static bool expects(const json_t *vector, enum reason reason)
{
    const json_t *expected = json_object_get(vector, "reason");
    const char *code = reason_info(reason)->code;

    for (size_t i = 0; i < json_array_size(expected); i++) {
        if (strcmp(json_string_value(json_array_get(expected, i)), code) == 0)
            return true;
    }
    return json_is_string(expected) && strcmp(json_string_value(expected), code) == 0;
}

static void check_vector(const json_t *file, const json_t *vector)
{
    int64_t now = json_integer_value(member(file, vector, "now"));
    struct token_claims claims;
    struct forgery forgery;
    enum reason reason;

    build(file, vector, &forgery);
    reason = token_verify(ours, (struct span){forgery.token.data, forgery.token.length},
                          json_string_value(json_object_get(file, "surface")), now, &claims);
    if (!expects(vector, reason))
        fail_msg("\"%s\": %s", text_or(vector, "name", "?"), reason_info(reason)->code);
    forgery_clear(&forgery);
}

static json_t *load_vectors(void)
{
    json_error_t error;
    json_t *file = json_load_file(VECTORS_DIR "/tokens/refused.json",
                                  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

    if (file == NULL)
        fail_msg("line %d: %s", error.line, error.text);
    return file;
}

TEST(test_vectors_are_refused)
{
    json_t *file = load_vectors();
    const json_t *vectors = json_object_get(file, "vectors");

    assert_true(json_array_size(vectors) >= VECTORS_MIN);
    for (size_t i = 0; i < json_array_size(vectors); i++)
        check_vector(file, json_array_get(vectors, i));
    json_decref(file);
}

/* The defaults of the vector file are a good token: each vector is refused for its own reason. */
TEST(test_vector_defaults_are_accepted)
{
    json_t *file = load_vectors();
    json_t *vector = json_pack("{s:s}", "reason", "allowed");

    check_vector(file, vector);
    json_decref(vector);
    json_decref(file);
}

/* Other last characters of the payload segment that decode to the same bytes, truly signed. */
static unsigned try_second_encodings(const char *token)
{
    size_t header_length = strcspn(token, ".");
    const char *payload = token + header_length + 1;
    size_t length = strcspn(payload, ".");
    const char *place = strchr(BASE64URL, payload[length - 1]);

    if (length % 4 == 0)
        return 0;
    for (unsigned low = 1; low < 4; low++) {
        struct forgery forgery;

        forgery_init(&forgery);
        buffer_append(&forgery.header, token, header_length);
        buffer_append(&forgery.payload, payload, length);
        forgery.payload.data[length - 1] = place[low];
        forgery_sign(&forgery, "ours");
        forgery_assemble(&forgery, "H.P.S", 5);
        assert_int_equal(verify(forgery.token.data, NOW), REASON_TOKEN_CLAIMS);
        forgery_clear(&forgery);
    }
    return 3;
}

/* Base64 leaves bits unused at the end of some segments: only zeros are accepted there. */
TEST(test_second_encoding_of_a_payload)
{
    struct token_claims claims = good_claims();
    unsigned tried = 0;

    /* Subjects of three lengths give all three lengths of the last group. */
    for (size_t length = 6; length <= 8; length++) {
        char *token;

        claims.subject[length] = '\0';
        token = mint(&claims);
        tried += try_second_encodings(token);
        free(token);
        strcpy(claims.subject, "uid:1000");
    }
    assert_int_equal(tried, 6);
}
