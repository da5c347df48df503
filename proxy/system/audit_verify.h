/*
 * The audit log read back: its lines, for audit.c, which continues a log; and the check of a
 * file's hash chain, for `sidelock audit verify`.
 */
#pragma once

#include "base/secret.h"
#include "base/text.h"
#include "json/scan.h"

#define AUDIT_LINE_BYTES_MAX  16384 /* with its newline */
#define AUDIT_ZERO_DIGEST     "0000000000000000000000000000000000000000000000000000000000000000"
#define AUDIT_EVENT_RECOVERED "audit_recovered"
#define AUDIT_EVENT_LOST      "audit_lost"

/* What the chain needs to know of a line. */
struct audit_line {
    uint64_t sequence;
    char prev[SHA256_HEX_SIZE];
    bool recovered;
    char after[SHA256_HEX_SIZE]; /* if recovered */
    uint64_t lost;               /* lines that it says could not be written; 0: of none */
};

/* Reads a line without its newline. False if it is not a whole line of this log. */
bool audit_line_parse(struct json_scan *scan, struct span line, struct audit_line *out);

struct audit_verdict {
    bool intact;
    uint64_t lines;
    uint64_t lost;     /* lines that the log itself says could not be written */
    uint64_t bad_line; /* 1-based, if not intact */
    char text[160];    /* what is wrong, one sentence */
    char first_prev[SHA256_HEX_SIZE],
        last_digest[SHA256_HEX_SIZE]; /* how it joins its neighbours */
};
/* Checks a file's chain. ERROR_IO if it cannot be read; the verdict otherwise. */
enum error audit_verify(const char *path, struct audit_verdict *out) MUST_CHECK;
