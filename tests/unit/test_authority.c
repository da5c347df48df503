/* The local authority: what it vouches for, what it cannot, and for how long. */
#include "system/authority.h"

#include "system/certificate.h"
#include "unit.h"

#include <stdint.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define NOW   1800000000
#define DAY_S 86400

static struct authority_pair authority;

static int set_up(void **state)
{
    (void)state;
    return authority_create("Test authority", NOW, 100, &authority) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    authority_pair_clear(&authority);
    return 0;
}

CMFixtureFunction unit_set_up = set_up, unit_tear_down = tear_down;

static struct span certificate_of(const struct authority_pair *pair)
{
    return (struct span){pair->certificate.data, pair->certificate.length};
}

static X509 *parse(const struct authority_pair *pair)
{
    BIO *bio = BIO_new_mem_buf(pair->certificate.data, (int)pair->certificate.length);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    assert_non_null(certificate);
    return certificate;
}

static EVP_PKEY *parse_key(const struct authority_pair *pair)
{
    BIO *bio = BIO_new_mem_buf(pair->key.data, (int)pair->key.length);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    BIO_free(bio);
    assert_non_null(key);
    return key;
}

/* What OpenSSL says to somebody who trusts the authority and meets the certificate. */
static int verify(X509 *certificate, const char *host, const char *address, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509 *trusted = parse(&authority);
    X509_VERIFY_PARAM *rules;
    int result;

    assert_int_equal(X509_STORE_add_cert(store, trusted), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, certificate, NULL), 1);
    rules = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(rules, NOW);
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_purpose(rules, purpose);
    if (host != NULL)
        X509_VERIFY_PARAM_set1_host(rules, host, 0);
    if (address != NULL)
        X509_VERIFY_PARAM_set1_ip_asc(rules, address);
    X509_verify_cert(context);
    result = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(trusted);
    return result;
}

static void issue(enum authority_use use, const char *name, unsigned days,
                  struct authority_pair *out)
{
    struct text_list names = {0};

    assert_int_equal(text_list_add(&names, "localhost", 9), OK);
    if (name != NULL)
        assert_int_equal(text_list_add(&names, name, strlen(name)), OK);
    assert_int_equal(
        authority_issue(
            &authority,
            &(struct authority_request){
                .use = use, .subject = "a subject", .names = &names, .now = NOW, .days = days},
            out),
        OK);
    text_list_clear(&names);
}

TEST(test_server)
{
    struct authority_pair pair;
    X509 *certificate;

    issue(AUTHORITY_SERVER, "::1", 30, &pair);
    certificate = parse(&pair);
    assert_int_equal(verify(certificate, "localhost", NULL, X509_PURPOSE_SSL_SERVER), X509_V_OK);
    assert_int_equal(verify(certificate, NULL, "::1", X509_PURPOSE_SSL_SERVER), X509_V_OK);
    assert_int_equal(verify(certificate, "other.localhost", NULL, X509_PURPOSE_SSL_SERVER),
                     X509_V_ERR_HOSTNAME_MISMATCH);
    assert_int_equal(verify(certificate, "localhost", NULL, X509_PURPOSE_SSL_CLIENT),
                     X509_V_ERR_INVALID_PURPOSE);
    X509_free(certificate);
    authority_pair_clear(&pair);
}

TEST(test_client)
{
    struct authority_pair pair;
    struct certificate_facts facts;
    X509 *certificate;

    issue(AUTHORITY_CLIENT, NULL, 30, &pair);
    certificate = parse(&pair);
    assert_int_equal(verify(certificate, NULL, NULL, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    assert_int_equal(verify(certificate, NULL, NULL, X509_PURPOSE_SSL_SERVER),
                     X509_V_ERR_INVALID_PURPOSE);
    X509_free(certificate);
    assert_int_equal(certificate_read(certificate_of(&pair), &facts), OK);
    assert_int_equal(facts.names.count, 0);
    certificate_facts_clear(&facts);
    authority_pair_clear(&pair);
}

TEST(test_names)
{
    static const char *const permitted[] = {"localhost",  "studio.localhost", "a.b-c.localhost",
                                            "127.0.0.1",  "127.255.0.9",      "::1",
                                            "0:0:0::0:1", "0x7f.localhost"};
    static const char *const refused[] = {"",
                                          "example.com",
                                          "localhost.example.com",
                                          "notlocalhost",
                                          ".localhost",
                                          "localhost.",
                                          "*.localhost",
                                          "a..localhost",
                                          "-a.localhost",
                                          "a_b.localhost",
                                          "A.localhost",
                                          "128.0.0.1",
                                          "10.0.0.1",
                                          "0.0.0.0",
                                          "::",
                                          "::2",
                                          "localhost,DNS:example.com",
                                          "localhost\n",
                                          "127.1",
                                          "::ffff:127.0.0.1"};

    for (size_t i = 0; i < sizeof(permitted) / sizeof(permitted[0]); i++) {
        if (!authority_permits(permitted[i]))
            fail_msg("refused: %s", permitted[i]);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct text_list names = {.items = (char *[]){(char *)(uintptr_t)refused[i]}, .count = 1};
        struct authority_pair pair;

        if (authority_permits(refused[i]))
            fail_msg("permitted: %s", refused[i]);
        assert_int_equal(authority_issue(&authority,
                                         &(struct authority_request){.use = AUTHORITY_SERVER,
                                                                     .subject = "x",
                                                                     .names = &names,
                                                                     .now = NOW,
                                                                     .days = 1},
                                         &pair),
                         ERROR_INVALID);
    }
}

static void add(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Signed by whoever stole the authority's key: the certificate as ours, but for one extension. */
static int verify_forged(int kind, const char *value, const char *host, const char *address)
{
    struct authority_pair pair;
    EVP_PKEY *stolen = parse_key(&authority);
    X509 *certificate;
    int at, result;

    issue(AUTHORITY_SERVER, NULL, 30, &pair);
    certificate = parse(&pair);
    at = X509_get_ext_by_NID(certificate, kind, -1);
    X509_EXTENSION_free(X509_delete_ext(certificate, at));
    add(certificate, kind, value);
    assert_true(X509_sign(certificate, stolen, EVP_sha256()) > 0);
    result = verify(certificate, host, address, X509_PURPOSE_SSL_SERVER);
    X509_free(certificate);
    EVP_PKEY_free(stolen);
    authority_pair_clear(&pair);
    return result;
}

TEST(test_stolen_key)
{
    assert_int_equal(verify_forged(NID_subject_alt_name, "DNS:x.localhost", "x.localhost", NULL),
                     X509_V_OK);
    assert_int_equal(verify_forged(NID_subject_alt_name, "DNS:example.com", "example.com", NULL),
                     X509_V_ERR_PERMITTED_VIOLATION);
    assert_int_equal(verify_forged(NID_subject_alt_name, "IP:192.0.2.1", NULL, "192.0.2.1"),
                     X509_V_ERR_PERMITTED_VIOLATION);
    assert_int_equal(verify_forged(NID_subject_alt_name, "IP:2001:db8::1", NULL, "2001:db8::1"),
                     X509_V_ERR_PERMITTED_VIOLATION);
}

TEST(test_lifetime)
{
    struct certificate_facts facts;
    struct authority_pair pair;

    assert_int_equal(certificate_read(certificate_of(&authority), &facts), OK);
    assert_true(facts.authority);
    assert_int_equal(facts.not_after, NOW + 100 * DAY_S);
    certificate_facts_clear(&facts);
    issue(AUTHORITY_SERVER, NULL, 30, &pair);
    assert_int_equal(certificate_read(certificate_of(&pair), &facts), OK);
    assert_false(facts.authority);
    assert_int_equal(facts.not_after, NOW + 30 * DAY_S);
    assert_true(facts.not_before <= NOW && facts.not_before > NOW - DAY_S);
    certificate_facts_clear(&facts);
    authority_pair_clear(&pair);
    /* Nothing outlives the authority. */
    issue(AUTHORITY_SERVER, NULL, 300, &pair);
    assert_int_equal(certificate_read(certificate_of(&pair), &facts), OK);
    assert_int_equal(facts.not_after, NOW + 100 * DAY_S);
    certificate_facts_clear(&facts);
    authority_pair_clear(&pair);
}

TEST(test_faults)
{
    struct authority_request request = {
        .use = AUTHORITY_CLIENT, .subject = "x", .now = NOW + 101 * DAY_S, .days = 1};
    struct authority_pair pair, other, mixed;

    assert_int_equal(authority_issue(&authority, &request, &pair), ERROR_STATE);
    request.now = NOW;
    assert_int_equal(authority_create("Other", NOW, 1, &other), OK);
    mixed = (struct authority_pair){authority.certificate, other.key};
    assert_int_equal(authority_issue(&mixed, &request, &pair), ERROR_CRYPTO);
    authority_pair_init(&mixed);
    assert_int_equal(authority_issue(&mixed, &request, &pair), ERROR_CRYPTO);
    request.use = AUTHORITY_SERVER; /* without a name */
    assert_int_equal(authority_issue(&authority, &request, &pair), ERROR_INVALID);
    authority_pair_clear(&other);
}
