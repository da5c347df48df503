#include "system/authority.h"

#include "wire/url.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define BACKDATE_S    300 /* for clocks that are a little behind */
#define DAY_S         86400
#define SERIAL_BITS   127 /* positive, of 16 bytes */
#define EXTENSION_MAX 65536

void authority_pair_init(struct authority_pair *pair)
{
    buffer_init(&pair->certificate, AUTHORITY_PEM_BYTES_MAX);
    buffer_init(&pair->key, AUTHORITY_PEM_BYTES_MAX);
}

void authority_pair_clear(struct authority_pair *pair)
{
    buffer_clear(&pair->certificate);
    buffer_wipe(&pair->key);
}

/* ---- Names ---- */

static bool is_localhost(const char *name)
{
    static const char suffix[] = "localhost";

    if (strlen(name) > AUTHORITY_NAME_BYTES_MAX)
        return false;
    for (;;) {
        size_t length = strcspn(name, ".");

        if (!host_is_label(name, length))
            return false;
        if (name[length] == '\0')
            return strcmp(name, suffix) == 0;
        name += length + 1;
    }
}

bool authority_permits(const char *name)
{
    bool loopback;

    return host_is_address(name, &loopback) ? loopback : is_localhost(name);
}

/* "DNS:localhost,IP:127.0.0.1". The names hold no character that could end an element. */
static enum error append_names(const struct text_list *names, struct buffer *out)
{
    if (names == NULL || names->count == 0 || names->count > AUTHORITY_NAMES_MAX)
        return ERROR_INVALID;
    for (size_t i = 0; i < names->count; i++) {
        bool loopback;

        if (!authority_permits(names->items[i]))
            return ERROR_INVALID;
        buffer_append_format(out, "%s%s:%s", i > 0 ? "," : "",
                             host_is_address(names->items[i], &loopback) ? "IP" : "DNS",
                             names->items[i]);
    }
    return buffer_failed(out) ? ERROR_MEMORY : OK;
}

/* ---- Texts ---- */

/* What was written, if it was; frees the BIO. */
static bool take_text(BIO *bio, bool written, struct buffer *out)
{
    char *bytes;
    long length = written ? BIO_get_mem_data(bio, &bytes) : 0;

    if (length > 0)
        buffer_append(out, bytes, (size_t)length);
    BIO_free(bio);
    return length > 0 && !buffer_failed(out);
}

static bool write_pair(X509 *certificate, EVP_PKEY *key, struct authority_pair *out)
{
    /* The memory of a secure BIO is wiped when it is freed. */
    BIO *public = BIO_new(BIO_s_mem()), *private = BIO_new(BIO_s_secmem());
    bool written = PEM_write_bio_X509(public, certificate) == 1;
    bool key_written = PEM_write_bio_PKCS8PrivateKey(private, key, NULL, NULL, 0, NULL, NULL) == 1;

    written = take_text(public, written, &out->certificate);
    return take_text(private, key_written, &out->key) && written;
}

static BIO *open_text(const struct buffer *text)
{
    return text->data != NULL ? BIO_new_mem_buf(text->data, (int)text->length) : NULL;
}

/* The caller frees both in any case. */
static bool read_pair(const struct authority_pair *pair, X509 **certificate, EVP_PKEY **key)
{
    static char no_password[] = ""; /* nobody is asked: a key that needs one is refused */
    BIO *public = open_text(&pair->certificate), *private = open_text(&pair->key);

    *certificate = public != NULL ? PEM_read_bio_X509(public, NULL, NULL, no_password) : NULL;
    *key = private != NULL ? PEM_read_bio_PrivateKey(private, NULL, NULL, no_password) : NULL;
    BIO_free(public);
    BIO_free(private);
    return *certificate != NULL && *key != NULL && X509_check_private_key(*certificate, *key) == 1;
}

/* ---- Certificates ---- */

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool done = number != NULL &&
                BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;

    BN_free(number);
    return done;
}

static bool add_part(X509 *certificate, const char *part, const char *value)
{
    return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), part, MBSTRING_UTF8,
                                      (const unsigned char *)value, -1, -1, 0) == 1;
}

static bool set_validity(X509 *certificate, int64_t now, unsigned days, const X509 *issuer)
{
    time_t end = (time_t)(now + (int64_t)days * DAY_S);
    const ASN1_TIME *last = X509_get0_notAfter(issuer);

    if (ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(now - BACKDATE_S)) == NULL)
        return false;
    if (issuer != certificate && ASN1_TIME_cmp_time_t(last, end) < 0)
        return X509_set1_notAfter(certificate, last) == 1;
    return ASN1_TIME_set(X509_getm_notAfter(certificate), end) != NULL;
}

static bool add(X509V3_CTX *context, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, kind, value);
    bool done = extension != NULL && X509_add_ext(context->subject_cert, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return done;
}

/* RFC 5280 sections 4.2.1.3, 4.2.1.9, 4.2.1.10 and 4.2.1.12. */
static bool describe_authority(X509V3_CTX *context)
{
    return add(context, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add(context, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add(context, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add(context, NID_name_constraints,
               "critical,permitted;DNS:localhost,"
               "permitted;IP:127.0.0.0/255.0.0.0,"
               "permitted;IP:0:0:0:0:0:0:0:1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") &&
           add(context, NID_subject_key_identifier, "hash");
}

static bool describe_leaf(X509V3_CTX *context, const char *use, const struct buffer *names)
{
    return add(context, NID_basic_constraints, "critical,CA:FALSE") &&
           add(context, NID_key_usage, "critical,digitalSignature") &&
           add(context, NID_ext_key_usage, use) &&
           add(context, NID_subject_key_identifier, "hash") &&
           add(context, NID_authority_key_identifier, "keyid:always") &&
           (names->length == 0 || add(context, NID_subject_alt_name, names->data));
}

/* Fills in all but the signature. An authority is its own issuer. */
static bool describe(X509 *certificate, EVP_PKEY *key, X509 *issuer,
                     const struct authority_request *request, const struct buffer *names)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    return strlen(request->subject) <= AUTHORITY_SUBJECT_BYTES_MAX &&
           X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           add_part(certificate, "O", "Sidelock") &&
           add_part(certificate, "CN", request->subject) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
           X509_set_pubkey(certificate, key) == 1 &&
           set_validity(certificate, request->now, request->days, issuer) &&
           (issuer == certificate
                ? describe_authority(&context)
                : describe_leaf(&context,
                                request->use == AUTHORITY_SERVER ? "serverAuth" : "clientAuth",
                                names));
}

/* Signed by the issuer, or without one by itself. */
static enum error make(const struct authority_request *request, X509 *issuer, EVP_PKEY *issuer_key,
                       const struct buffer *names, struct authority_pair *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    struct authority_pair pair;
    bool made;

    authority_pair_init(&pair);
    made = key != NULL && certificate != NULL &&
           describe(certificate, key, issuer != NULL ? issuer : certificate, request, names) &&
           X509_sign(certificate, issuer != NULL ? issuer_key : key, EVP_sha256()) > 0 &&
           write_pair(certificate, key, &pair);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (made)
        *out = pair;
    else
        authority_pair_clear(&pair);
    return made ? OK : ERROR_CRYPTO;
}

enum error authority_create(const char *subject, int64_t now, unsigned days,
                            struct authority_pair *out)
{
    const struct authority_request request = {.subject = subject, .now = now, .days = days};

    return make(&request, NULL, NULL, NULL, out);
}

enum error authority_issue(const struct authority_pair *authority,
                           const struct authority_request *request, struct authority_pair *out)
{
    X509 *issuer = NULL;
    EVP_PKEY *issuer_key = NULL;
    struct buffer names;
    enum error error = OK;

    buffer_init(&names, EXTENSION_MAX);
    if (request->use == AUTHORITY_SERVER)
        error = append_names(request->names, &names);
    if (error == OK && !read_pair(authority, &issuer, &issuer_key))
        error = ERROR_CRYPTO;
    if (error == OK && ASN1_TIME_cmp_time_t(X509_get0_notAfter(issuer), (time_t)request->now) <= 0)
        error = ERROR_STATE;
    if (error == OK)
        error = make(request, issuer, issuer_key, &names, out);
    X509_free(issuer);
    EVP_PKEY_free(issuer_key);
    buffer_clear(&names);
    ERR_clear_error();
    return error;
}
