#include "system/certificate.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define IPV4_BYTES   4
#define IPV6_BYTES   16
#define RSA_BITS_MIN 2048
#define EC_BITS_MIN  256

/* Nobody is asked for a password: a key that needs one is refused. */
static char no_password[] = "";

static BIO *open_text(struct span text)
{
    return text.data != NULL && text.length <= INT_MAX
               ? BIO_new_mem_buf(text.data, (int)text.length)
               : NULL;
}

static X509 *read_first(struct span text)
{
    BIO *bio = open_text(text);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, no_password) : NULL;

    BIO_free(bio);
    return certificate;
}

/* ---- Facts ---- */

static bool read_time(const ASN1_TIME *time, int64_t *out)
{
    struct tm parts = {0};

    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return false;
    *out = (int64_t)timegm(&parts);
    return true;
}

static void read_subject(const X509_NAME *name, char out[CERTIFICATE_SUBJECT_SIZE])
{
    BIO *bio = BIO_new(BIO_s_mem());
    int length = 0;

    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
        length = BIO_read(bio, out, CERTIFICATE_SUBJECT_SIZE - 1);
    out[length > 0 ? length : 0] = '\0';
    BIO_free(bio);
}

static enum error add_name(const GENERAL_NAME *name, struct text_list *out)
{
    char address[INET6_ADDRSTRLEN];
    const ASN1_STRING *value = name->d.ia5;
    const unsigned char *bytes;
    int family, length;

    if (name->type == GEN_DNS)
        return text_list_add(out, (const char *)ASN1_STRING_get0_data(value),
                             (size_t)ASN1_STRING_length(value));
    if (name->type != GEN_IPADD)
        return OK;
    bytes = ASN1_STRING_get0_data(name->d.iPAddress);
    length = ASN1_STRING_length(name->d.iPAddress);
    family = length == IPV4_BYTES ? AF_INET : AF_INET6;
    if ((length != IPV4_BYTES && length != IPV6_BYTES) ||
        inet_ntop(family, bytes, address, sizeof(address)) == NULL)
        return OK;
    return text_list_add(out, address, strlen(address));
}

static enum error read_names(const X509 *certificate, struct text_list *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    enum error error = OK;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < CERTIFICATE_NAMES_MAX; i++) {
        if (error == OK)
            error = add_name(sk_GENERAL_NAME_value(names, i), out);
    }
    GENERAL_NAMES_free(names);
    return error;
}

static enum error read_facts(X509 *certificate, struct certificate_facts *facts)
{
    unsigned char digest[SHA256_BYTES];
    unsigned length = sizeof(digest);

    if (X509_digest(certificate, EVP_sha256(), digest, &length) != 1 || length != sizeof(digest) ||
        !read_time(X509_get0_notBefore(certificate), &facts->not_before) ||
        !read_time(X509_get0_notAfter(certificate), &facts->not_after))
        return ERROR_SYNTAX;
    text_hex(digest, sizeof(digest), facts->sha256);
    read_subject(X509_get_subject_name(certificate), facts->subject);
    read_subject(X509_get_issuer_name(certificate), facts->issuer);
    facts->authority = X509_check_ca(certificate) > 0;
    return read_names(certificate, &facts->names);
}

enum error certificate_read(struct span pem, struct certificate_facts *out)
{
    struct certificate_facts facts = {.authority = false};
    X509 *certificate = read_first(pem);
    enum error error = certificate != NULL ? read_facts(certificate, &facts) : ERROR_SYNTAX;

    X509_free(certificate);
    ERR_clear_error();
    if (error == OK)
        *out = facts;
    else
        certificate_facts_clear(&facts);
    return error;
}

void certificate_facts_clear(struct certificate_facts *facts)
{
    text_list_clear(&facts->names);
}

/* ---- Fitness ---- */

/* Whoever examines a part has named it in the fault. */
static enum error check_validity(const X509 *certificate, int64_t now,
                                 struct certificate_fault *fault)
{
    int64_t start = 0, end = 0;
    char day[16] = "";
    struct tm parts;

    if (!read_time(X509_get0_notBefore(certificate), &start) ||
        !read_time(X509_get0_notAfter(certificate), &end))
        return error_explain(fault->text, ERROR_INVALID, "The certificate's dates cannot be read.");
    if (now >= start && now < end)
        return OK;
    gmtime_r(&(time_t){(time_t)(now < start ? start : end)}, &parts);
    strftime(day, sizeof(day), "%Y-%m-%d", &parts);
    if (now < start)
        return error_explain(fault->text, ERROR_INVALID, "The certificate is not valid before %s.",
                             day);
    return error_explain(fault->text, ERROR_INVALID,
                         "The certificate expired on %s; `sidelock certs init` makes a new one.",
                         day);
}

/* The certificates of a text, in order; what else is in it is passed over. */
static enum error read_all(struct span text, enum certificate_part part, int64_t now,
                           struct certificate_fault *fault)
{
    BIO *bio = open_text(text);
    enum error error = OK;
    X509 *certificate;
    size_t count = 0;

    fault->part = part;
    while (bio != NULL && error == OK &&
           (certificate = PEM_read_bio_X509(bio, NULL, NULL, no_password)) != NULL) {
        error =
            ++count <= CERTIFICATE_CHAIN_MAX
                ? check_validity(certificate, now, fault)
                : error_explain(fault->text, ERROR_INVALID,
                                "The file holds more than %d certificates.", CERTIFICATE_CHAIN_MAX);
        if (error == OK && part == CERTIFICATE_CLIENT_CA && X509_check_ca(certificate) <= 0)
            error =
                error_explain(fault->text, ERROR_INVALID,
                              "The certificate is not an authority's: it can vouch for no client.");
        X509_free(certificate);
    }
    /* What ends the reading is the end of the text, or something that is not a certificate. */
    if (error == OK && (count == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE))
        error = error_explain(fault->text, ERROR_INVALID,
                              "The file does not hold certificates as PEM.");
    BIO_free(bio);
    return error;
}

static bool is_strong(const EVP_PKEY *key)
{
    int kind = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);

    return kind == EVP_PKEY_ED25519 || (kind == EVP_PKEY_EC && bits >= EC_BITS_MIN) ||
           ((kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS) && bits >= RSA_BITS_MIN);
}

static enum error check_key(X509 *certificate, struct span text, struct certificate_fault *fault)
{
    BIO *bio = open_text(text);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, no_password) : NULL;
    enum error error = OK;

    fault->part = CERTIFICATE_KEY;
    if (key == NULL)
        error = error_explain(fault->text, ERROR_INVALID,
                              "The file does not hold a private key as PEM, without a password.");
    else if (X509_check_private_key(certificate, key) != 1)
        error = error_explain(fault->text, ERROR_INVALID,
                              "The key does not belong to the certificate.");
    else if (!is_strong(key))
        error = error_explain(
            fault->text, ERROR_INVALID,
            "The key is too weak or of a kind that is not used: take EC P-256 or RSA of "
            "%d bits.",
            RSA_BITS_MIN);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return error;
}

static enum error check_server(X509 *certificate, const struct certificate_texts *texts,
                               int64_t now, struct certificate_fault *fault)
{
    enum error error = read_all(texts->chain, CERTIFICATE_CHAIN, now, fault);

    if (error != OK)
        return error;
    if (certificate == NULL)
        return ERROR_MEMORY;
    if (X509_check_ca(certificate) > 0)
        return error_explain(fault->text, ERROR_INVALID,
                             "The first certificate is an authority's; name the server's own.");
    if (X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0) != 1)
        return error_explain(fault->text, ERROR_INVALID,
                             "The certificate is not made for servers.");
    return check_key(certificate, texts->key, fault);
}

enum error certificate_check(const struct certificate_texts *texts, int64_t now,
                             struct certificate_fault *fault)
{
    X509 *certificate = read_first(texts->chain);
    enum error error = check_server(certificate, texts, now, fault);

    X509_free(certificate);
    if (error == OK && texts->client_ca.data != NULL)
        error = read_all(texts->client_ca, CERTIFICATE_CLIENT_CA, now, fault);
    ERR_clear_error();
    return error;
}
