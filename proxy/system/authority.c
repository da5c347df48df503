#include "system/authority.h"

#include "base/secret.h"
#include "wire/host.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define BACKDATE_S    300 /* for clocks that are a little behind */
#define DAY_S         86400
#define SERIAL_BYTES  16
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

static enum error take_text(BIO *bio, struct buffer *out)
{
    char *bytes;
    long length = BIO_get_mem_data(bio, &bytes);

    if (length <= 0)
        return ERROR_CRYPTO;
    buffer_append(out, bytes, (size_t)length);
    return buffer_failed(out) ? ERROR_LIMIT : OK;
}

static enum error write_pair(X509 *certificate, EVP_PKEY *key, struct authority_pair *out)
{
    /* The memory of a secure BIO is wiped when it is freed. */
    BIO *public = BIO_new(BIO_s_mem()), *private = BIO_new(BIO_s_secmem());
    enum error error = ERROR_CRYPTO;

    if (public != NULL && private != NULL && PEM_write_bio_X509(public, certificate) == 1 &&
        PEM_write_bio_PKCS8PrivateKey(private, key, NULL, NULL, 0, NULL, NULL) == 1)
        error = take_text(public, &out->certificate);
    if (error == OK)
        error = take_text(private, &out->key);
    BIO_free(public);
    BIO_free(private);
    return error;
}

/* Nobody is asked for a password: a key that needs one is refused. */
static char no_password[] = "";

static BIO *open_text(const struct buffer *text)
{
    return text->data != NULL ? BIO_new_mem_buf(text->data, (int)text->length) : NULL;
}

static enum error read_pair(const struct authority_pair *pair, X509 **certificate, EVP_PKEY **key)
{
    BIO *public = open_text(&pair->certificate), *private = open_text(&pair->key);

    *certificate = public != NULL ? PEM_read_bio_X509(public, NULL, NULL, no_password) : NULL;
    *key = private != NULL ? PEM_read_bio_PrivateKey(private, NULL, NULL, no_password) : NULL;
    BIO_free(public);
    BIO_free(private);
    if (*certificate != NULL && *key != NULL && X509_check_private_key(*certificate, *key) == 1)
        return OK;
    X509_free(*certificate);
    EVP_PKEY_free(*key);
    return ERROR_CRYPTO;
}

/* ---- Certificates ---- */

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    BIGNUM *number;
    bool done;

    if (secret_random(bytes, sizeof(bytes)) != OK)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, of full length */
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    done = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return done;
}

static bool set_subject(X509 *certificate, const char *subject)
{
    X509_NAME *name = X509_NAME_new();
    bool done = name != NULL &&
                X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                           (const unsigned char *)"Sidelock", -1, -1, 0) == 1 &&
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                           (const unsigned char *)subject, -1, -1, 0) == 1 &&
                X509_set_subject_name(certificate, name) == 1;

    X509_NAME_free(name);
    return done;
}

static bool set_validity(X509 *certificate, int64_t now, unsigned days, const X509 *issuer)
{
    time_t start = (time_t)(now - BACKDATE_S), end = (time_t)(now + (int64_t)days * DAY_S);
    const ASN1_TIME *last = issuer != NULL ? X509_get0_notAfter(issuer) : NULL;

    if (ASN1_TIME_set(X509_getm_notBefore(certificate), start) == NULL)
        return false;
    if (last != NULL && ASN1_TIME_cmp_time_t(last, end) < 0)
        return X509_set1_notAfter(certificate, last) == 1;
    return ASN1_TIME_set(X509_getm_notAfter(certificate), end) != NULL;
}

static bool add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool done;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    done = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

/* The parts that every certificate has. NULL without them. */
static X509 *begin_certificate(const char *subject, EVP_PKEY *key)
{
    X509 *certificate = X509_new();

    if (certificate != NULL && strlen(subject) <= AUTHORITY_SUBJECT_BYTES_MAX &&
        X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
        set_subject(certificate, subject) && X509_set_pubkey(certificate, key) == 1)
        return certificate;
    X509_free(certificate);
    return NULL;
}

/* RFC 5280 sections 4.2.1.3, 4.2.1.9, 4.2.1.10 and 4.2.1.12. */
static bool describe_authority(X509 *certificate)
{
    return add_extension(certificate, certificate, NID_basic_constraints,
                         "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(certificate, certificate, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_extension(certificate, certificate, NID_name_constraints,
                         "critical,permitted;DNS:localhost,"
                         "permitted;IP:127.0.0.0/255.0.0.0,"
                         "permitted;IP:0:0:0:0:0:0:0:1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") &&
           add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
}

static bool describe_leaf(X509 *certificate, X509 *issuer, enum authority_use use,
                          const struct buffer *names)
{
    return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, issuer, NID_ext_key_usage,
                         use == AUTHORITY_SERVER ? "serverAuth" : "clientAuth") &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
           (names->length == 0 ||
            add_extension(certificate, issuer, NID_subject_alt_name, names->data));
}

enum error authority_create(const char *subject, int64_t now, unsigned days,
                            struct authority_pair *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key != NULL ? begin_certificate(subject, key) : NULL;
    struct authority_pair pair;
    enum error error = ERROR_CRYPTO;

    authority_pair_init(&pair);
    if (certificate != NULL &&
        X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
        set_validity(certificate, now, days, NULL) && describe_authority(certificate) &&
        X509_sign(certificate, key, EVP_sha256()) > 0)
        error = write_pair(certificate, key, &pair);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (error == OK)
        *out = pair;
    else
        authority_pair_clear(&pair);
    return error;
}

static enum error sign_leaf(X509 *issuer, EVP_PKEY *issuer_key,
                            const struct authority_request *request, const struct buffer *names,
                            struct authority_pair *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key != NULL ? begin_certificate(request->subject, key) : NULL;
    enum error error = ERROR_CRYPTO;

    if (certificate != NULL &&
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
        set_validity(certificate, request->now, request->days, issuer) &&
        describe_leaf(certificate, issuer, request->use, names) &&
        X509_sign(certificate, issuer_key, EVP_sha256()) > 0)
        error = write_pair(certificate, key, out);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return error;
}

enum error authority_issue(const struct authority_pair *authority,
                           const struct authority_request *request, struct authority_pair *out)
{
    X509 *issuer = NULL;
    EVP_PKEY *issuer_key = NULL;
    struct authority_pair pair;
    struct buffer names;
    enum error error = OK;

    buffer_init(&names, EXTENSION_MAX);
    if (request->use == AUTHORITY_SERVER)
        error = append_names(request->names, &names);
    if (error == OK)
        error = read_pair(authority, &issuer, &issuer_key);
    if (error == OK) {
        authority_pair_init(&pair);
        error = ASN1_TIME_cmp_time_t(X509_get0_notAfter(issuer), (time_t)request->now) <= 0
                    ? ERROR_STATE
                    : sign_leaf(issuer, issuer_key, request, &names, &pair);
        if (error == OK)
            *out = pair;
        else
            authority_pair_clear(&pair);
        X509_free(issuer);
        EVP_PKEY_free(issuer_key);
    }
    buffer_clear(&names);
    ERR_clear_error();
    return error;
}
