/*
 * One line of the audit log, as whoever writes or checks it needs it; audit.h says what it is.
 * Its last member is "mac", where the log has a key: HMAC-SHA256 in hex over all bytes before
 * `,"mac":`, so that nobody without the key can write a line, or all lines anew.
 */
#pragma once

#include "base/buffer.h"
#include "base/secret.h"
#include "base/text.h"
#include "json/scan.h"

#define AUDIT_LINE_BYTES_MAX  16384 /* with its newline */
#define AUDIT_VALUE_BYTES_MAX 1024  /* of one value; the rest is cut and "…" marks it */
#define AUDIT_FIELDS_MAX      32    /* in one line; more are left out */
#define AUDIT_ZERO_DIGEST     "0000000000000000000000000000000000000000000000000000000000000000"

#define AUDIT_EVENT_RECOVERED "audit_recovered" /* goes around a line that a crash tore */
#define AUDIT_EVENT_LOST      "audit_lost"      /* lines before it could not be written */
#define AUDIT_EVENT_RESUMED   "audit_resumed"   /* the file was gone when the gate started */
#define AUDIT_EVENT_MISMATCH  "audit_mismatch"  /* at a start it was not what was anchored */

/*
 * The head of the chain as it is kept outside of the file, so that the end cannot be cut off, nor
 * all be written anew, unnoticed. What came after it is not protected so: at most so many lines,
 * or what was written in so many seconds, as long as the disk keeps up.
 */
#define AUDIT_ANCHOR_LINES   256
#define AUDIT_ANCHOR_SECONDS 2

struct audit_anchor {
    uint64_t sequence;            /* 0: there is none */
    char digest[SHA256_HEX_SIZE]; /* of that line */
    uint64_t keyed_from;          /* the first line with a MAC under this key */
};

/* What the chain needs to know of a line. */
struct audit_line {
    uint64_t sequence;
    char prev[SHA256_HEX_SIZE];
    bool has_mac, recovered, resumed, mismatch;
    char after[SHA256_HEX_SIZE]; /* if recovered */
    uint64_t lost;               /* lines that it says could not be written; 0: of none */
    uint64_t anchored, found; /* if mismatch: the line that was anchored, and the last there was */
};

/* Reads a line without its newline. False if it is not a whole line of this log. */
bool audit_line_parse(struct json_scan *scan, struct span line, struct audit_line *out);
/* Appends the member "mac" to a line that is not closed yet. */
void audit_line_sign(struct buffer *line, const struct secret_key *key);
/* Whether a line without its newline has a MAC of this key. */
bool audit_line_is_signed(struct span line, const struct secret_key *key);
