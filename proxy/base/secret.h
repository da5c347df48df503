/*
 * Keys and other bytes worth stealing: kept out of core dumps and wiped. The
 * one owner of random bytes, hashing and HMAC in the project (OpenSSL).
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define SECRET_KEY_BYTES  32
#define SECRET_POOL_BYTES 4096
#define SHA256_BYTES      32
#define SHA1_BYTES        20
#define SHA256_HEX_SIZE   65 /* with its NUL */

/* A 256-bit key. Held in pages excluded from core dumps where the kernel lets us. */
struct secret_key;

enum error secret_key_from_bytes(const unsigned char bytes[SECRET_KEY_BYTES],
                                 struct secret_key **out) MUST_CHECK;
/* A key for one purpose out of a master key: HKDF-SHA256 (RFC 5869), info = purpose. */
enum error secret_key_derive(const struct secret_key *master, const char *purpose,
                             struct secret_key **out) MUST_CHECK;
const unsigned char *secret_key_bytes(const struct secret_key *key);
void secret_key_destroy(struct secret_key *key);

void secret_wipe(void *bytes, size_t length);
/* Constant-time comparison of equally long memory. */
bool secret_equal(const void *left, const void *right, size_t length);
enum error secret_random(void *bytes, size_t length) MUST_CHECK;

/*
 * Random bytes in small portions, for whoever needs some at each request: the generator costs the
 * same for 16 of them as for thousands. What was handed out is wiped. For one thread; starts as
 * zeros.
 */
struct secret_pool {
    size_t left;
    unsigned char bytes[SECRET_POOL_BYTES];
};

/* Beforehand, so that the generator seeds itself while it still may. ERROR_CRYPTO. */
enum error secret_pool_fill(struct secret_pool *pool) MUST_CHECK;
/* ERROR_CRYPTO; ERROR_LIMIT if more is wanted than a pool holds. Nothing is written then. */
enum error secret_pool_take(struct secret_pool *pool, void *out, size_t length) MUST_CHECK;

/* Hex SHA-256 of some bytes. Aborts only if OpenSSL has no SHA-256, which it always has. */
void secret_sha256_hex(const void *bytes, size_t length, char out[SHA256_HEX_SIZE]);
void secret_sha256(const void *bytes, size_t length, unsigned char out[SHA256_BYTES]);
/* Of all that can still be read. ERROR_IO; ERROR_LIMIT if it is more than `max_bytes`. */
enum error secret_sha256_fd(int fd, size_t max_bytes, char out[SHA256_HEX_SIZE]) MUST_CHECK;

/* HMAC-SHA256 (RFC 2104). ERROR_CRYPTO. */
enum error secret_hmac_sha256(const struct secret_key *key, const void *bytes, size_t length,
                              unsigned char out[SHA256_BYTES]) MUST_CHECK;

/* SHA-1, for Sec-WebSocket-Accept alone (RFC 6455 section 4.2.2). */
void secret_sha1(const void *bytes, size_t length, unsigned char out[SHA1_BYTES]);
