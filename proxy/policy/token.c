#include "policy/token.h"

#include "json/parse.h"

#include <jansson.h>
#include <jwt.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* {"alg":"HS256","typ":"JWT"}: the one header libjwt writes, and the one accepted. */
#define HEADER            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
#define SIGNATURE_BYTES   43 /* base64url of 32 bytes, without padding */
#define PAYLOAD_BYTES_MAX (TOKEN_BYTES_MAX / 4 * 3)
#define TIME_MAX          INT64_C(253402300799) /* the end of the year 9999 */

/* "uid:1000": names with colons between them. */
static bool subject_valid(const char *subject)
{
    char name[TOKEN_NAME_SIZE];
    size_t length = strlen(subject);

    if (length >= sizeof(name))
        return false;
    for (size_t i = 0; i <= length; i++)
        name[i] = (char)(subject[i] == ':' ? '.' : subject[i]);
    return text_is_name(name);
}

bool token_id_valid(const char *id)
{
    return text_is_hex(id, TOKEN_ID_SIZE - 1);
}

bool token_digest_valid(const char *digest)
{
    return strcmp(digest, "-") == 0 || text_is_hex(digest, SHA256_HEX_SIZE - 1);
}

static bool times_valid(const struct token_claims *claims)
{
    return claims->issued_at > 0 && claims->not_before > 0 && claims->expires_at <= TIME_MAX &&
           claims->expires_at > claims->not_before && claims->expires_at > claims->issued_at &&
           claims->expires_at - claims->issued_at <= TOKEN_LIFETIME_MAX_S;
}

static bool claims_valid(const struct token_claims *claims)
{
    return subject_valid(claims->subject) && text_is_name(claims->surface) &&
           token_id_valid(claims->session_id) && token_id_valid(claims->token_id) &&
           token_id_valid(claims->generation) && token_digest_valid(claims->params_digest) &&
           times_valid(claims);
}

/*
 * libjwt, 1.10.2 to 1.17, begins here. A string it returns is from malloc(): no
 * part of Sidelock gives it another allocator, so free() is right for every
 * version, and jwt_free_str(), which 1.10 lacks, is not needed.
 */

/* libjwt writes them sorted by name. */
static bool add_claims(jwt_t *jwt, const struct token_claims *claims)
{
    return jwt_add_grant(jwt, "aud", claims->surface) == 0 &&
           jwt_add_grant_int(jwt, "exp", (long)claims->expires_at) == 0 &&
           jwt_add_grant(jwt, "gen", claims->generation) == 0 &&
           jwt_add_grant_int(jwt, "iat", (long)claims->issued_at) == 0 &&
           jwt_add_grant(jwt, "iss", TOKEN_ISSUER) == 0 &&
           jwt_add_grant(jwt, "jti", claims->token_id) == 0 &&
           jwt_add_grant_int(jwt, "nbf", (long)claims->not_before) == 0 &&
           jwt_add_grant(jwt, "prm", claims->params_digest) == 0 &&
           jwt_add_grant(jwt, "sid", claims->session_id) == 0 &&
           jwt_add_grant(jwt, "sub", claims->subject) == 0;
}

enum error token_mint(const struct secret_key *key, const struct token_claims *claims, char **out)
{
    jwt_t *jwt = NULL;
    char *token = NULL;

    if (!claims_valid(claims))
        return ERROR_INVALID;
    if (jwt_new(&jwt) == 0 && add_claims(jwt, claims) &&
        jwt_set_alg(jwt, JWT_ALG_HS256, secret_key_bytes(key), SECRET_KEY_BYTES) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    if (token == NULL)
        return ERROR_CRYPTO;
    *out = token;
    return OK;
}

/* The signature, and nothing else: libjwt's view of the content is not relied on. */
static bool signature_verifies(const struct secret_key *key, struct span token)
{
    char text[TOKEN_BYTES_MAX + 1];
    jwt_t *jwt = NULL;
    bool verified;

    memcpy(text, token.data, token.length);
    text[token.length] = '\0';
    verified = jwt_decode(&jwt, text, secret_key_bytes(key), SECRET_KEY_BYTES) == 0 &&
               jwt_get_alg(jwt) == JWT_ALG_HS256;
    jwt_free(jwt);
    secret_wipe(text, token.length);
    return verified;
}

/* libjwt ends here. */

static bool all_base64url(struct span span)
{
    for (size_t i = 0; i < span.length; i++) {
        char byte = span.data[i];

        if (!(byte >= 'A' && byte <= 'Z') && !(byte >= 'a' && byte <= 'z') &&
            !(byte >= '0' && byte <= '9') && byte != '-' && byte != '_')
            return false;
    }
    return span.length > 0;
}

/* HEADER '.' payload '.' signature, and nothing more; *payload is the part in the middle. */
static bool has_form(struct span token, struct span *payload)
{
    const size_t before = sizeof(HEADER), after = SIGNATURE_BYTES + 1; /* with their dots */
    struct span signature;

    if (token.data == NULL || token.length > TOKEN_BYTES_MAX || token.length <= before + after ||
        memcmp(token.data, HEADER ".", before) != 0 || token.data[token.length - after] != '.')
        return false;
    *payload = (struct span){token.data + before, token.length - before - after};
    signature = (struct span){token.data + token.length - SIGNATURE_BYTES, SIGNATURE_BYTES};
    return all_base64url(*payload) && all_base64url(signature);
}

bool token_resembles(struct span bytes)
{
    struct span payload;

    return has_form(bytes, &payload);
}

/* How many bytes at the start are of the base64url alphabet. */
static size_t base64url_run(struct span span)
{
    size_t length = 0;

    while (length < span.length && all_base64url((struct span){span.data + length, 1}))
        length++;
    return length;
}

struct span token_find(struct span text)
{
    const struct span none = {NULL, 0};

    while (text.data != NULL) {
        const char *at = memmem(text.data, text.length, HEADER ".", sizeof(HEADER));
        struct span token, payload;

        if (at == NULL)
            break;
        text.length -= (size_t)(at - text.data);
        text.data = at;
        payload = (struct span){at + sizeof(HEADER), text.length - sizeof(HEADER)};
        token = (struct span){at, sizeof(HEADER) + base64url_run(payload) + 1 + SIGNATURE_BYTES};
        if (token.length <= text.length && has_form(token, &payload))
            return token;
        text = (struct span){at + 1, text.length - 1};
    }
    return none;
}

/* RFC 4648 section 5 without padding. */
static bool decode_payload(struct span encoded, char *out, size_t *length)
{
    unsigned char padded[TOKEN_BYTES_MAX + 4];
    size_t count = encoded.length;
    int decoded;

    for (size_t i = 0; i < count; i++) {
        char byte = encoded.data[i];

        padded[i] = (unsigned char)(byte == '-' ? '+' : byte == '_' ? '/' : byte);
    }
    while (count % 4 != 0)
        padded[count++] = '=';
    decoded = EVP_DecodeBlock((unsigned char *)out, padded, (int)count);
    if (decoded < 0 || count - encoded.length > 2)
        return false;
    *length = (size_t)decoded - (count - encoded.length);
    return true;
}

static bool copy(char *out, size_t size, const char *text)
{
    return (size_t)snprintf(out, size, "%s", text) < size;
}

static bool read_claims(struct span payload, struct token_claims *out)
{
    char json[PAYLOAD_BYTES_MAX + 4];
    const char *surface, *generation, *token_id, *digest, *session_id, *subject;
    json_int_t expires, issued, begins;
    json_t *root;
    size_t length;
    bool read;

    if (!decode_payload(payload, json, &length) || json_parse(json, length, &root) != OK)
        return false;
    read = json_unpack(root, "{s:s,s:I,s:s,s:I,s:s,s:I,s:s,s:s,s:s}", "aud", &surface, "exp",
                       &expires, "gen", &generation, "iat", &issued, "jti", &token_id, "nbf",
                       &begins, "prm", &digest, "sid", &session_id, "sub", &subject) == 0 &&
           copy(out->surface, sizeof(out->surface), surface) &&
           copy(out->generation, sizeof(out->generation), generation) &&
           copy(out->token_id, sizeof(out->token_id), token_id) &&
           copy(out->params_digest, sizeof(out->params_digest), digest) &&
           copy(out->session_id, sizeof(out->session_id), session_id) &&
           copy(out->subject, sizeof(out->subject), subject);
    if (read) {
        out->expires_at = expires;
        out->issued_at = issued;
        out->not_before = begins;
    }
    json_decref(root);
    return read;
}

/*
 * Whether these claims are all that the token says: minted anew, they give the same
 * bytes. Strangers, duplicates, another order or spelling have no place to be.
 */
static bool says_only(const struct secret_key *key, const struct token_claims *claims,
                      struct span token)
{
    char *again;
    bool same;

    if (token_mint(key, claims, &again) != OK)
        return false;
    same = span_equals(token, again);
    secret_wipe(again, strlen(again));
    free(again);
    return same;
}

enum reason token_read(const struct secret_key *key, struct span token, struct token_claims *out)
{
    struct token_claims claims = {0};
    struct span payload;

    if (!has_form(token, &payload))
        return REASON_TOKEN_MALFORMED;
    if (!signature_verifies(key, token))
        return REASON_TOKEN_SIGNATURE;
    if (!read_claims(payload, &claims) || !says_only(key, &claims, token))
        return REASON_TOKEN_CLAIMS;
    *out = claims;
    return REASON_ALLOWED;
}

enum reason token_judge(const struct token_claims *claims, const char *surface, int64_t now)
{
    if (claims->not_before > now + TOKEN_LEEWAY_S || claims->issued_at > now + TOKEN_LEEWAY_S)
        return REASON_TOKEN_NOT_YET_VALID;
    if (surface != NULL && strcmp(claims->surface, surface) != 0)
        return REASON_TOKEN_WRONG_SURFACE;
    return claims->expires_at <= now ? REASON_TOKEN_EXPIRED : REASON_ALLOWED;
}

enum reason token_verify(const struct secret_key *key, struct span token, const char *surface,
                         int64_t now, struct token_claims *out)
{
    struct token_claims claims;
    enum reason reason = token_read(key, token, &claims);

    if (!reason_allows(reason))
        return reason;
    reason = token_judge(&claims, surface, now);
    if (reason != REASON_TOKEN_NOT_YET_VALID)
        *out = claims;
    return reason;
}
