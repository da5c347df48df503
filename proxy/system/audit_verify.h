/*
 * The audit log read back: whether its chain is whole, and if it is not, what was done to it, for
 * `sidelock audit verify`. Files are plain or packed by gzip.
 */
#pragma once

#include "system/audit_line.h"

/* What was done to a log; the values are exit codes. */
enum audit_fault {
    AUDIT_WHOLE = 0,
    AUDIT_CHANGED,   /* a line is not as it was written */
    AUDIT_REMOVED,   /* lines are missing between others */
    AUDIT_CUT,       /* lines are missing at the end */
    AUDIT_REWRITTEN, /* from a line on, or as a whole, by somebody who mended the chain */
    AUDIT_FOREIGN,   /* a line of another place or log was put in */
    AUDIT_TORN,      /* what is no line, and nothing goes around it */
    AUDIT_LOST,      /* nothing was done to it, but lines could not be written */
};
/* "changed" */
const char *audit_fault_name(enum audit_fault fault);

struct audit_verdict {
    uint64_t lines;
    uint64_t lost;     /* lines that the log itself says could not be written */
    uint64_t bad_line; /* 1-based, if not intact */
    uint64_t first_sequence, last_sequence; /* 0: there are no lines */
    char first_prev[SHA256_HEX_SIZE],
        last_digest[SHA256_HEX_SIZE]; /* how it joins its neighbours */
    bool intact;
    char text[200]; /* what is wrong, one sentence */
    enum audit_fault fault;
};

/* Checks files in the order in which they were written; each must go on where the last ended. */
struct audit_verifier;

/* Both may be NULL: without a key only the chain is checked. They are borrowed. */
enum error audit_verifier_create(const struct secret_key *key, const struct audit_anchor *anchor,
                                 struct audit_verifier **out) MUST_CHECK;
void audit_verifier_destroy(struct audit_verifier *verifier);
/* ERROR_IO if the file cannot be read; the verdict otherwise. `live`: it is the newest. */
enum error audit_verifier_read(struct audit_verifier *verifier, const char *path, bool live,
                               struct audit_verdict *out) MUST_CHECK;

/* One file, without a key. */
enum error audit_verify(const char *path, struct audit_verdict *out) MUST_CHECK;
