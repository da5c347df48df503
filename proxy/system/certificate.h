/*
 * What certificates say (X.509, RFC 5280), and whether a chain, its key and
 * the authority of client certificates are fit to serve TLS with. Texts in
 * (PEM); no files.
 */
#pragma once

#include "base/secret.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define CERTIFICATE_SUBJECT_SIZE 256
#define CERTIFICATE_NAMES_MAX    256
#define CERTIFICATE_CHAIN_MAX    16 /* certificates in one text */

struct certificate_facts {
    char subject[CERTIFICATE_SUBJECT_SIZE]; /* RFC 2253; cut short where it is longer */
    char issuer[CERTIFICATE_SUBJECT_SIZE];
    struct text_list names;        /* subjectAltName: DNS names and addresses */
    int64_t not_before, not_after; /* seconds since the epoch */
    char sha256[SHA256_HEX_SIZE];  /* of the whole certificate (DER) */
    bool authority;                /* it may sign others */
};

/* The first certificate of a text. ERROR_SYNTAX: there is none. The caller clears *out. */
enum error certificate_read(struct span pem, struct certificate_facts *out) MUST_CHECK;
void certificate_facts_clear(struct certificate_facts *facts);

/* The texts of one surface; client_ca.data is NULL where no client certificate is asked for. */
struct certificate_texts {
    struct span chain; /* the server's certificate, then those between it and its authority */
    struct span key;
    struct span client_ca;
};

enum certificate_part { CERTIFICATE_CHAIN = 1, CERTIFICATE_KEY, CERTIFICATE_CLIENT_CA };

/* What is wrong with them: which text, and one sentence. */
struct certificate_fault {
    enum certificate_part part;
    char text[WHY_SIZE];
};

/*
 * Whether a server can be run with them now. ERROR_INVALID with the first
 * fault: a text that does not parse, an encrypted key, a key of another
 * certificate, a certificate that is an authority's, not for servers, not yet
 * valid or expired, a client_ca that cannot sign.
 */
enum error certificate_check(const struct certificate_texts *texts, int64_t now,
                             struct certificate_fault *fault) MUST_CHECK;
