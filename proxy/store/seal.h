/*
 * Sealed bytes: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The
 * context is authenticated and not stored: bytes sealed for one row do not open
 * in another.
 *
 * Layout: version (1 byte), nonce (12), ciphertext, tag (16).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"

#define SEAL_OVERHEAD_BYTES (1 + 12 + 16)

/* Appends the sealed form of `plain` to `out`. */
enum error seal_close(const struct secret_key *key, struct span context, struct span plain,
                      struct buffer *out) MUST_CHECK;
/*
 * Appends what was sealed to `out` (wipe it). ERROR_CRYPTO: another key or
 * context, or not a bit of it as it was.
 */
enum error seal_open(const struct secret_key *key, struct span context, struct span sealed,
                     struct buffer *out) MUST_CHECK;
