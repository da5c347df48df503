/* Whether a server's certificate files are fit to be served with, and what is said if not. */
#include "system/certificate.h"

#include "system/authority.h"
#include "unit.h"

#include <stdint.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define NOW   1800000000
#define DAY_S 86400

static struct authority_pair authority, server, client, stranger;

static void issue(enum authority_use use, struct authority_pair *out)
{
    struct text_list names = {.items = (char *[]){(char[]){"studio.localhost"}, (char[]){"::1"}},
                              .count = 2};

    assert_int_equal(
        authority_issue(
            &authority,
            &(struct authority_request){
                .use = use, .subject = "the subject", .names = &names, .now = NOW, .days = 30},
            out),
        OK);
}

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(authority_create("Test authority", NOW, 100, &authority), OK);
    issue(AUTHORITY_SERVER, &server);
    issue(AUTHORITY_CLIENT, &client);
    issue(AUTHORITY_SERVER, &stranger);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    authority_pair_clear(&authority);
    authority_pair_clear(&server);
    authority_pair_clear(&client);
    authority_pair_clear(&stranger);
    return 0;
}

CMFixtureFunction unit_set_up = set_up, unit_tear_down = tear_down;

static struct span text_of(const struct buffer *buffer)
{
    return (struct span){buffer->data, buffer->length};
}

static struct certificate_texts good(void)
{
    return (struct certificate_texts){text_of(&server.certificate), text_of(&server.key),
                                      text_of(&authority.certificate)};
}

static void expect(const struct certificate_texts *texts, int64_t now, enum certificate_part part,
                   const char *words)
{
    struct certificate_fault fault = {.text = ""};

    assert_int_equal(certificate_check(texts, now, &fault), ERROR_INVALID);
    assert_int_equal(fault.part, part);
    if (strstr(fault.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fault.text, words);
}

TEST(test_read)
{
    struct certificate_facts facts, other;

    assert_int_equal(certificate_read(text_of(&server.certificate), &facts), OK);
    assert_string_equal(facts.subject, "CN=the subject,O=Sidelock");
    assert_string_equal(facts.issuer, "CN=Test authority,O=Sidelock");
    assert_int_equal(facts.names.count, 2);
    assert_string_equal(facts.names.items[0], "studio.localhost");
    assert_string_equal(facts.names.items[1], "::1");
    assert_int_equal(strlen(facts.sha256), 64);
    assert_int_equal(certificate_read(text_of(&stranger.certificate), &other), OK);
    assert_string_not_equal(facts.sha256, other.sha256);
    certificate_facts_clear(&facts);
    certificate_facts_clear(&other);
    assert_int_equal(certificate_read(span_of("no certificate"), &facts), ERROR_SYNTAX);
    assert_int_equal(certificate_read(text_of(&server.key), &facts), ERROR_SYNTAX);
}

TEST(test_fit)
{
    struct certificate_texts texts = good();
    struct certificate_fault fault;

    assert_int_equal(certificate_check(&texts, NOW, &fault), OK);
    texts.client_ca = (struct span){NULL, 0};
    assert_int_equal(certificate_check(&texts, NOW, &fault), OK);
}

TEST(test_chain)
{
    struct certificate_texts texts = good();
    struct buffer chain;

    buffer_init(&chain, 1024 * 1024);
    buffer_append(&chain, server.certificate.data, server.certificate.length);
    buffer_append(&chain, authority.certificate.data, authority.certificate.length);
    texts.chain = text_of(&chain);
    assert_int_equal(certificate_check(&texts, NOW, &(struct certificate_fault){.text = ""}), OK);
    buffer_append_text(&chain, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    texts.chain = text_of(&chain);
    expect(&texts, NOW, CERTIFICATE_CHAIN, "does not hold certificates");
    buffer_reset(&chain);
    for (int i = 0; i <= CERTIFICATE_CHAIN_MAX; i++)
        buffer_append(&chain, server.certificate.data, server.certificate.length);
    texts.chain = text_of(&chain);
    expect(&texts, NOW, CERTIFICATE_CHAIN, "more than 16");
    buffer_clear(&chain);
    texts.chain = text_of(&authority.certificate);
    texts.key = text_of(&authority.key);
    expect(&texts, NOW, CERTIFICATE_CHAIN, "is an authority's");
    texts.chain = text_of(&client.certificate);
    texts.key = text_of(&client.key);
    expect(&texts, NOW, CERTIFICATE_CHAIN, "not made for servers");
    texts.chain = span_of("");
    expect(&texts, NOW, CERTIFICATE_CHAIN, "does not hold certificates");
    texts.chain = (struct span){NULL, 0};
    expect(&texts, NOW, CERTIFICATE_CHAIN, "does not hold certificates");
}

TEST(test_dates)
{
    struct certificate_texts texts = good();

    expect(&texts, NOW + 30 * DAY_S, CERTIFICATE_CHAIN, "expired on 2027-02-14");
    expect(&texts, NOW - DAY_S, CERTIFICATE_CHAIN, "not valid before 2027-01-15");
}

TEST(test_key)
{
    struct certificate_texts texts = good();
    BIO *bio = BIO_new_mem_buf(server.key.data, (int)server.key.length);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO *locked = BIO_new(BIO_s_mem());
    char *bytes;
    long length;

    texts.key = text_of(&stranger.key);
    expect(&texts, NOW, CERTIFICATE_KEY, "does not belong");
    texts.key = text_of(&server.certificate);
    expect(&texts, NOW, CERTIFICATE_KEY, "does not hold a private key");
    texts.key = (struct span){NULL, 0};
    expect(&texts, NOW, CERTIFICATE_KEY, "does not hold a private key");
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(locked, key, EVP_aes_128_cbc(), "password", 8, NULL, NULL),
        1);
    length = BIO_get_mem_data(locked, &bytes);
    texts.key = (struct span){bytes, (size_t)length};
    expect(&texts, NOW, CERTIFICATE_KEY, "without a password");
    BIO_free(bio);
    BIO_free(locked);
    EVP_PKEY_free(key);
}

/* A key of 1024 bits, and a certificate that it signed for itself. */
TEST(test_weak_key)
{
    EVP_PKEY *key = EVP_RSA_gen(1024);
    X509 *certificate = X509_new();
    BIO *public = BIO_new(BIO_s_mem()), *private = BIO_new(BIO_s_mem());
    struct certificate_texts texts = {.client_ca = {NULL, 0}};
    char *bytes;
    long length;

    ASN1_TIME_set(X509_getm_notBefore(certificate), NOW - DAY_S);
    ASN1_TIME_set(X509_getm_notAfter(certificate), NOW + DAY_S);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(public, certificate), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(private, key, NULL, NULL, 0, NULL, NULL), 1);
    length = BIO_get_mem_data(public, &bytes);
    texts.chain = (struct span){bytes, (size_t)length};
    length = BIO_get_mem_data(private, &bytes);
    texts.key = (struct span){bytes, (size_t)length};
    expect(&texts, NOW, CERTIFICATE_KEY, "too weak");
    BIO_free(public);
    BIO_free(private);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

TEST(test_client_ca)
{
    struct certificate_texts texts = good();

    texts.client_ca = text_of(&client.certificate);
    expect(&texts, NOW, CERTIFICATE_CLIENT_CA, "not an authority's");
    texts.client_ca = span_of("nothing");
    expect(&texts, NOW, CERTIFICATE_CLIENT_CA, "does not hold certificates");
}
