#include "worker/tls/tls_context.h"

#include "base/text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <time.h>

#define CIPHERS_1_2                                                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS      "X25519:P-256:P-384"

static char no_password[] = "";

/* RFC 7301: whoever asks for something must ask for http/1.1. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *length,
                           const unsigned char *offered, unsigned offered_length, void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)context;
    if (SSL_select_next_proto(&chosen, length, ours, sizeof(ours) - 1, offered, offered_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_rules(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    /* What is no data is read for one buffer at most: a client may send new keys for ever. */
    SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(ssl, 0) == 1 && SSL_CTX_set_cipher_list(ssl, CIPHERS_1_2) == 1 &&
           SSL_CTX_set_ciphersuites(ssl, CIPHERS_1_3) == 1 &&
           SSL_CTX_set1_groups_list(ssl, GROUPS) == 1;
}

static X509 *next_certificate(BIO *bio)
{
    return PEM_read_bio_X509(bio, NULL, NULL, no_password);
}

static bool use_chain(SSL_CTX *ssl, const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *certificate = bio != NULL ? next_certificate(bio) : NULL;
    bool done = certificate != NULL && SSL_CTX_use_certificate(ssl, certificate) == 1;

    X509_free(certificate);
    while (done && (certificate = next_certificate(bio)) != NULL) {
        done = SSL_CTX_add1_chain_cert(ssl, certificate) == 1;
        X509_free(certificate);
    }
    BIO_free(bio);
    return done;
}

static bool use_key(SSL_CTX *ssl, const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, no_password) : NULL;
    bool done =
        key != NULL && SSL_CTX_use_PrivateKey(ssl, key) == 1 && SSL_CTX_check_private_key(ssl) == 1;

    EVP_PKEY_free(key);
    BIO_free(bio);
    return done;
}

/* Whoever is in the text vouches for clients, also an intermediate authority. */
static bool use_client_ca(SSL_CTX *ssl, const char *text, bool required)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    bool any = false, done = bio != NULL;
    X509 *certificate;

    while (done && (certificate = next_certificate(bio)) != NULL) {
        any = true;
        done = X509_STORE_add_cert(store, certificate) == 1 &&
               SSL_CTX_add_client_CA(ssl, certificate) == 1;
        X509_free(certificate);
    }
    BIO_free(bio);
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       NULL);
    return done && any;
}

enum error tls_context_prepare(void)
{
    SSL_CTX *ssl;
    bool done;

    /* To compare dates, OpenSSL asks gmtime_r(), which reads /etc/localtime the first time. */
    tzset();
    if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) !=
        1)
        return ERROR_CRYPTO;
    ssl = SSL_CTX_new(TLS_server_method());
    done = ssl != NULL && set_rules(ssl);
    SSL_CTX_free(ssl);
    return done ? OK : ERROR_CRYPTO;
}

enum error tls_context_create(const struct tls_context_options *options, SSL_CTX **out)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
    bool done = ssl != NULL && set_rules(ssl) && use_chain(ssl, options->certificate) &&
                use_key(ssl, options->key) &&
                (options->client_ca == NULL ||
                 use_client_ca(ssl, options->client_ca, options->client_required));

    ERR_clear_error();
    if (!done) {
        SSL_CTX_free(ssl);
        return ERROR_CRYPTO;
    }
    *out = ssl;
    return OK;
}

void tls_context_destroy(SSL_CTX *context)
{
    SSL_CTX_free(context);
}

struct ssl_st *tls_context_session(SSL_CTX *context)
{
    SSL *ssl = SSL_new(context);

    if (ssl != NULL)
        SSL_set_accept_state(ssl);
    return ssl;
}

bool tls_context_peer(const struct ssl_st *session, char out[SHA256_HEX_SIZE])
{
    X509 *certificate = SSL_get1_peer_certificate(session);
    unsigned char digest[SHA256_BYTES];
    unsigned length = sizeof(digest);
    bool known = certificate != NULL &&
                 X509_digest(certificate, EVP_sha256(), digest, &length) == 1 &&
                 length == sizeof(digest);

    X509_free(certificate);
    if (known)
        text_hex(digest, sizeof(digest), out);
    return known;
}

bool tls_context_blames_certificate(void)
{
    int reason = ERR_GET_REASON(ERR_peek_error());

    return reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ||
           reason == SSL_R_CERTIFICATE_VERIFY_FAILED;
}
