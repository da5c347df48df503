#include "store/seal.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#define VERSION     1
#define NONCE_BYTES 12
#define TAG_BYTES   16

/* What one call works on; `in` and `out` are equally long. */
struct job {
    const struct secret_key *key;
    const unsigned char *nonce;
    struct span context;
    struct span in;
    unsigned char *out;
    unsigned char *tag; /* written when sealing, checked when opening */
    int seal;           /* 1 or 0, as OpenSSL wants it */
};

static bool run(EVP_CIPHER_CTX *cipher, const struct job *job)
{
    const unsigned char *context = (const unsigned char *)job->context.data;
    const unsigned char *in = (const unsigned char *)job->in.data;
    int length = 0, rest = 0;

    if (EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, secret_key_bytes(job->key), job->nonce,
                          job->seal) != 1 ||
        EVP_CipherUpdate(cipher, NULL, &length, context, (int)job->context.length) != 1 ||
        EVP_CipherUpdate(cipher, job->out, &length, in, (int)job->in.length) != 1)
        return false;
    if (!job->seal && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, job->tag) != 1)
        return false;
    if (EVP_CipherFinal_ex(cipher, job->out + length, &rest) != 1)
        return false;
    return !job->seal ||
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, job->tag) == 1;
}

static enum error run_job(const struct job *job)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool done = cipher != NULL && run(cipher, job);

    EVP_CIPHER_CTX_free(cipher);
    return done ? OK : ERROR_CRYPTO;
}

enum error seal_close(const struct secret_key *key, struct span context, struct span plain,
                      struct buffer *out)
{
    struct job job = {.key = key, .context = context, .in = plain, .seal = 1};
    unsigned char *sealed;
    enum error error;

    if (plain.length > INT_MAX - SEAL_OVERHEAD_BYTES || context.length > INT_MAX)
        return ERROR_LIMIT;
    sealed = buffer_reserve(out, plain.length + SEAL_OVERHEAD_BYTES);
    if (sealed == NULL)
        return ERROR_LIMIT;
    sealed[0] = VERSION;
    error = secret_random(sealed + 1, NONCE_BYTES);
    if (error != OK)
        return error;
    job.nonce = sealed + 1;
    job.out = sealed + 1 + NONCE_BYTES;
    job.tag = job.out + plain.length;
    error = run_job(&job);
    if (error == OK)
        buffer_commit(out, plain.length + SEAL_OVERHEAD_BYTES);
    return error;
}

enum error seal_open(const struct secret_key *key, struct span context, struct span sealed,
                     struct buffer *out)
{
    struct job job = {.key = key, .context = context};
    unsigned char tag[TAG_BYTES];
    enum error error;

    if (sealed.length < SEAL_OVERHEAD_BYTES || sealed.length > INT_MAX ||
        context.length > INT_MAX || sealed.data[0] != VERSION)
        return ERROR_CRYPTO;
    job.nonce = (const unsigned char *)sealed.data + 1;
    job.in = (struct span){sealed.data + 1 + NONCE_BYTES, sealed.length - SEAL_OVERHEAD_BYTES};
    memcpy(tag, sealed.data + sealed.length - TAG_BYTES, TAG_BYTES);
    job.tag = tag;
    job.out = buffer_reserve(out, job.in.length);
    if (job.out == NULL)
        return ERROR_LIMIT;
    error = run_job(&job);
    /* What was written before the tag failed is nobody's business. */
    if (error == OK)
        buffer_commit(out, job.in.length);
    else
        secret_wipe(job.out, job.in.length);
    return error;
}
