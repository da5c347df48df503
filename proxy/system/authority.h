/*
 * A local certificate authority that can vouch for this machine's loopback
 * names and for nothing else: its certificate is name-constrained (RFC 5280
 * section 4.2.1.10), so that whoever trusts it trusts it for localhost alone,
 * and whoever steals its key can impersonate no other site.
 *
 * Texts in, texts out (PEM, RFC 7468); no files. Keys are EC P-256.
 */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define AUTHORITY_PEM_BYTES_MAX     16384
#define AUTHORITY_NAMES_MAX         192
#define AUTHORITY_NAME_BYTES_MAX    253
#define AUTHORITY_SUBJECT_BYTES_MAX 64 /* ub-common-name, RFC 5280 appendix A.1 */

/* A certificate and its key. All zero is a valid empty pair. */
struct authority_pair {
    struct buffer certificate, key;
};

void authority_pair_init(struct authority_pair *pair);
/* Wipes the key. */
void authority_pair_clear(struct authority_pair *pair);

/* Whether a certificate may carry the name: localhost, NAME.localhost, 127.0.0.0/8, ::1. */
bool authority_permits(const char *name);

/* A new authority, valid from `now` (seconds since the epoch) for `days`. */
enum error authority_create(const char *subject, int64_t now, unsigned days,
                            struct authority_pair *out) MUST_CHECK;

enum authority_use { AUTHORITY_SERVER = 1, AUTHORITY_CLIENT };

struct authority_request {
    enum authority_use use;
    const char *subject; /* the common name; of a client never one that looks like a host */
    const struct text_list *names; /* of a server: each permitted, at least one */
    int64_t now;
    unsigned days; /* cut short where the authority ends earlier */
};

/*
 * A new key and a certificate for it. ERROR_INVALID: a name is not permitted;
 * ERROR_CRYPTO: the authority's texts are not a certificate and its key;
 * ERROR_STATE: the authority has expired.
 */
enum error authority_issue(const struct authority_pair *authority,
                           const struct authority_request *request,
                           struct authority_pair *out) MUST_CHECK;
