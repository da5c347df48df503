#include "connect/bridge/client_tls.h"

#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

struct client_tls {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    char pin[SHA256_HEX_SIZE];
};

/* Whether the certificate is the one. It need not be vouched for by anybody else. */
static bool is_pinned(const struct client_tls *tls)
{
    X509 *certificate = SSL_get1_peer_certificate(tls->ssl);
    unsigned char digest[SHA256_BYTES];
    char hex[SHA256_HEX_SIZE];
    unsigned length = 0;
    bool same = false;

    if (certificate != NULL && X509_digest(certificate, EVP_sha256(), digest, &length) == 1 &&
        length == sizeof(digest)) {
        text_hex(digest, sizeof(digest), hex);
        same = strcmp(hex, tls->pin) == 0;
    }
    X509_free(certificate);
    return same;
}

static bool use_own(struct client_tls *tls, const struct client_tls_options *options)
{
    if (options->certificate == NULL)
        return true;
    return SSL_CTX_use_certificate_chain_file(tls->context, options->certificate) == 1 &&
           SSL_CTX_use_PrivateKey_file(tls->context, options->key, SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_check_private_key(tls->context) == 1;
}

static bool begin(struct client_tls *tls, const struct client_tls_options *options)
{
    static const unsigned char protocols[] = "\x08http/1.1";

    tls->ssl = SSL_new(tls->context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        return false;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    return SSL_set_alpn_protos(tls->ssl, protocols, sizeof(protocols) - 1) == 0 &&
           (options->name == NULL || SSL_set_tlsext_host_name(tls->ssl, options->name) == 1);
}

enum error client_tls_create(const struct client_tls_options *options, struct client_tls **out)
{
    struct client_tls *tls = calloc(1, sizeof(*tls));
    enum error error = OK;

    if (tls == NULL)
        return ERROR_MEMORY;
    memcpy(tls->pin, options->pin, strlen(options->pin) + 1);
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1) {
        error = ERROR_MEMORY;
    } else {
        SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
        SSL_CTX_set_verify(tls->context, SSL_VERIFY_NONE, NULL); /* is_pinned() asks for more */
        if (!use_own(tls, options))
            error = ERROR_CRYPTO;
        else if (!begin(tls, options))
            error = ERROR_MEMORY;
    }
    if (error != OK)
        client_tls_destroy(tls);
    else
        *out = tls;
    return error;
}

void client_tls_destroy(struct client_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->context);
    free(tls);
}

enum error client_tls_receive(struct client_tls *tls, const char *bytes, size_t length)
{
    if (length > INT_MAX)
        return ERROR_LIMIT;
    return BIO_write(tls->in, bytes, (int)length) == (int)length ? OK : ERROR_MEMORY;
}

enum client_tls_progress client_tls_handshake(struct client_tls *tls)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(tls->ssl);
    if (result != 1) {
        if (SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ)
            return CLIENT_TLS_MORE;
        log_warning("the TLS handshake with the gate failed");
        return CLIENT_TLS_FAULT;
    }
    if (is_pinned(tls))
        return CLIENT_TLS_DONE;
    log_warning("what answers at the gate's port does not show the gate's certificate");
    return CLIENT_TLS_FAULT;
}

ssize_t client_tls_read(struct client_tls *tls, char *out, size_t size)
{
    size_t length = 0;

    ERR_clear_error();
    if (SSL_read_ex(tls->ssl, out, size, &length) == 1)
        return (ssize_t)length;
    return SSL_get_error(tls->ssl, 0) == SSL_ERROR_WANT_READ ? 0 : -1;
}

enum error client_tls_write(struct client_tls *tls, const char *bytes, size_t length)
{
    size_t written = 0;

    ERR_clear_error();
    if (length == 0)
        return OK;
    /* What it is written to is memory: all of it goes, or there is none left. */
    return SSL_write_ex(tls->ssl, bytes, length, &written) == 1 && written == length ? OK
                                                                                     : ERROR_CRYPTO;
}

size_t client_tls_take(struct client_tls *tls, char *out, size_t size)
{
    int length = BIO_read(tls->out, out, size < INT_MAX ? (int)size : INT_MAX);

    return length > 0 ? (size_t)length : 0;
}
