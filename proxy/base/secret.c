#include "base/secret.h"

#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define READ_BYTES 16384

struct secret_key {
    unsigned char bytes[SECRET_KEY_BYTES];
};

/*
 * A mapping of its own for each key: advice about core dumps and swap works on
 * pages, and no neighbour on the heap can read or write over the end of it.
 */
static struct secret_key *allocate_key(void)
{
    void *page = mmap(NULL, sizeof(struct secret_key), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    /* Both are hardening only: a kernel or limit that refuses them is no reason to stop. */
    (void)madvise(page, sizeof(struct secret_key), MADV_DONTDUMP);
    (void)mlock(page, sizeof(struct secret_key));
    return page;
}

enum error secret_key_from_bytes(const unsigned char bytes[SECRET_KEY_BYTES],
                                 struct secret_key **out)
{
    struct secret_key *key = allocate_key();

    if (key == NULL)
        return ERROR_MEMORY;
    memcpy(key->bytes, bytes, SECRET_KEY_BYTES);
    *out = key;
    return OK;
}

static enum error hkdf_sha256(const struct secret_key *master, const char *purpose,
                              unsigned char *out)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    /* OpenSSL takes pointers to non-const here, and only reads through them. */
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)master->bytes,
                                          SECRET_KEY_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)purpose, strlen(purpose)),
        OSSL_PARAM_construct_end(),
    };
    int done = context != NULL && EVP_KDF_derive(context, out, SECRET_KEY_BYTES, parameters) == 1;

    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return done ? OK : ERROR_CRYPTO;
}

enum error secret_key_derive(const struct secret_key *master, const char *purpose,
                             struct secret_key **out)
{
    struct secret_key *key = allocate_key();
    enum error error;

    if (key == NULL)
        return ERROR_MEMORY;
    error = hkdf_sha256(master, purpose, key->bytes);
    if (error != OK) {
        secret_key_destroy(key);
        return error;
    }
    *out = key;
    return OK;
}

const unsigned char *secret_key_bytes(const struct secret_key *key)
{
    return key->bytes;
}

void secret_key_destroy(struct secret_key *key)
{
    if (key == NULL)
        return;
    secret_wipe(key, sizeof(*key));
    munmap(key, sizeof(*key));
}

void secret_wipe(void *bytes, size_t length)
{
    OPENSSL_cleanse(bytes, length);
}

bool secret_equal(const void *left, const void *right, size_t length)
{
    return CRYPTO_memcmp(left, right, length) == 0;
}

/*
 * Looked up by name once: at each use it would cost more than the hash of a short text does.
 */
static pthread_once_t hashes_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256, *sha1;

static void fetch_hashes(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
}

static void hash(EVP_MD *const *kind, const void *bytes, size_t length, unsigned char *out)
{
    if (pthread_once(&hashes_once, fetch_hashes) != 0 || *kind == NULL ||
        EVP_Digest(bytes, length, out, NULL, *kind, NULL) != 1)
        abort();
}

enum error secret_random(void *bytes, size_t length)
{
    if (length > INT_MAX)
        return ERROR_LIMIT;
    return RAND_bytes(bytes, (int)length) == 1 ? OK : ERROR_CRYPTO;
}

enum error secret_pool_fill(struct secret_pool *pool)
{
    enum error error = secret_random(pool->bytes, sizeof(pool->bytes));

    pool->left = error == OK ? sizeof(pool->bytes) : 0;
    return error;
}

enum error secret_pool_take(struct secret_pool *pool, void *out, size_t length)
{
    if (length > sizeof(pool->bytes))
        return ERROR_LIMIT;
    if (pool->left < length) {
        enum error error = secret_pool_fill(pool);

        if (error != OK)
            return error;
    }
    pool->left -= length;
    memcpy(out, pool->bytes + pool->left, length);
    secret_wipe(pool->bytes + pool->left, length);
    return OK;
}

void secret_sha256(const void *bytes, size_t length, unsigned char out[SHA256_BYTES])
{
    hash(&sha256, bytes, length, out);
}

void secret_sha256_hex(const void *bytes, size_t length, char out[SHA256_HEX_SIZE])
{
    unsigned char digest[SHA256_BYTES];

    secret_sha256(bytes, length, digest);
    text_hex(digest, sizeof(digest), out);
}

enum error secret_sha256_fd(int fd, size_t max_bytes, char out[SHA256_HEX_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char bytes[READ_BYTES], digest[SHA256_BYTES];
    size_t total = 0;
    ssize_t length;

    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        abort();
    do {
        length = read(fd, bytes, sizeof(bytes));
        if (length > 0 && EVP_DigestUpdate(context, bytes, (size_t)length) == 1)
            total += (size_t)length;
    } while (total <= max_bytes && (length > 0 || (length < 0 && errno == EINTR)));
    EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    text_hex(digest, sizeof(digest), out);
    return length < 0 ? ERROR_IO : total > max_bytes ? ERROR_LIMIT : OK;
}

enum error secret_hmac_sha256(const struct secret_key *key, const void *bytes, size_t length,
                              unsigned char out[SHA256_BYTES])
{
    unsigned written = 0;

    if (HMAC(EVP_sha256(), key->bytes, SECRET_KEY_BYTES, bytes, length, out, &written) == NULL ||
        written != SHA256_BYTES)
        return ERROR_CRYPTO;
    return OK;
}

void secret_sha1(const void *bytes, size_t length, unsigned char out[SHA1_BYTES])
{
    hash(&sha1, bytes, length, out);
}
