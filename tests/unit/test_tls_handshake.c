/* tls.c, tls_context.c and endpoint.c: which sessions come about, and what is said of the others.
 */
#include "system/certificate.h"
#include "tls_fixture.h"
#include "unit.h"

#include <openssl/pem.h>

CMFixtureFunction unit_set_up = make_certificates, unit_tear_down = drop_certificates;

/* Whoever gives up before the handshake is done leaves nothing behind. */
TEST(test_given_up)
{
    begin(false, false);
    close_gate();
    finish();
    begin(false, false);
    hang_up();
    for (unsigned i = 0; i < TURNS_QUIET; i++)
        turn();
    assert_int_equal(world.failure, TLS_FAILED);
    finish();
}

/* Nor is it told of what comes later, though somebody else has the socket still. */
TEST(test_given_up_while_it_is_shown)
{
    int copy;

    begin(false, false);
    copy = dup(world.gate.fd);
    turn();
    close_gate();
    assert_int_equal(write(world.client_fd, "x", 1), 1);
    turn();
    close(copy);
    finish();
}

static void expect_failure(const char *said, enum tls_stage failure)
{
    begin(false, false);
    assert_int_equal(write(world.client_fd, said, strlen(said)), (ssize_t)strlen(said));
    for (unsigned i = 0; i < TURNS_MAX && world.failure == 0; i++)
        turn();
    assert_int_equal(world.failure, failure);
}

/* It is a plain endpoint then, and what the client said is there. */
TEST(test_plain_http)
{
    static const char request[] = "POST / HTTP/1.1\r\n\r\n";
    const struct iovec answer = {(char *)(uintptr_t) "use TLS", 7};
    char bytes[64];

    expect_failure(request, TLS_PLAIN);
    assert_null(world.gate.tls);
    assert_int_equal(endpoint_receive(&world.gate, bytes, sizeof(bytes)), strlen(request));
    assert_true(endpoint_send(&world.gate, &answer, 1));
    endpoint_finish(&world.gate);
    assert_int_equal(read(world.client_fd, bytes, sizeof(bytes)), 7);
    assert_int_equal(read(world.client_fd, bytes, sizeof(bytes)), 0);
    finish();
}

TEST(test_noise)
{
    expect_failure("\x80\x01", TLS_FAILED);
    finish();
    expect_failure("\x16\x09\x09\x01\x05hello", TLS_FAILED);
    finish();
}

static void show_certificate(const struct authority_pair *pair)
{
    BIO *public = BIO_new_mem_buf(pair->certificate.data, -1);
    BIO *private = BIO_new_mem_buf(pair->key.data, -1);
    X509 *certificate = PEM_read_bio_X509(public, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(private, NULL, NULL, NULL);

    assert_int_equal(SSL_use_certificate(world.client, certificate), 1);
    assert_int_equal(SSL_use_PrivateKey(world.client, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(public);
    BIO_free(private);
}

TEST(test_client_certificate)
{
    struct certificate_facts facts;
    struct span text = {client_pair.certificate.data, client_pair.certificate.length};

    assert_int_equal(certificate_read(text, &facts), OK);
    begin(true, true);
    show_certificate(&client_pair);
    expect_ready();
    assert_string_equal(world.certificate, facts.sha256);
    certificate_facts_clear(&facts);
    finish();
    begin(true, false);
    expect_ready();
    assert_string_equal(world.certificate, "");
    finish();
}

static void expect_refused(const struct authority_pair *shown, bool required, int version)
{
    begin(true, required);
    SSL_set_max_proto_version(world.client, version);
    if (shown != NULL)
        show_certificate(shown);
    (void)shake();
    assert_false(world.ready);
    assert_int_equal(world.failure, TLS_CERTIFICATE);
    finish();
}

TEST(test_client_certificate_refused)
{
    struct authority_pair other, stranger;

    assert_int_equal(authority_create("Other", (int64_t)time(NULL), 2, &other), OK);
    assert_int_equal(authority_issue(&other,
                                     &(struct authority_request){.use = AUTHORITY_CLIENT,
                                                                 .subject = "a client",
                                                                 .now = (int64_t)time(NULL),
                                                                 .days = 1},
                                     &stranger),
                     OK);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        expect_refused(NULL, true, version);
        expect_refused(&stranger, true, version);
        expect_refused(&stranger, false, version);
        expect_refused(&server, true, version);
    }
    authority_pair_clear(&other);
    authority_pair_clear(&stranger);
}

TEST(test_contexts)
{
    struct tls_context_options options = {.certificate = server.certificate.data,
                                          .key = client_pair.key.data};
    struct ssl_ctx_st *context;

    assert_int_equal(tls_context_create(&options, &context), ERROR_CRYPTO);
    options.key = "nothing";
    assert_int_equal(tls_context_create(&options, &context), ERROR_CRYPTO);
    options.key = server.key.data;
    options.certificate = "nothing";
    assert_int_equal(tls_context_create(&options, &context), ERROR_CRYPTO);
    options.certificate = server.certificate.data;
    options.client_ca = "nothing";
    assert_int_equal(tls_context_create(&options, &context), ERROR_CRYPTO);
}
