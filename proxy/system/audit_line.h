/* Reading lines of the audit log back: for audit.c, which continues a log, and audit_verify.c. */
#ifndef SIDELOCK_SYSTEM_AUDIT_LINE_H
#define SIDELOCK_SYSTEM_AUDIT_LINE_H

#include "base/secret.h"
#include "base/text.h"
#include "json/scan.h"

#define AUDIT_ZERO_DIGEST     "0000000000000000000000000000000000000000000000000000000000000000"
#define AUDIT_EVENT_RECOVERED "audit_recovered"

/* What the chain needs to know of a line. */
struct audit_line {
    uint64_t sequence;
    char prev[SHA256_HEX_SIZE];
    bool recovered;
    char after[SHA256_HEX_SIZE]; /* if recovered */
};

/* Reads a line without its newline. False if it is not a whole line of this log. */
bool audit_line_parse(struct json_scan *scan, struct span line, struct audit_line *out);

#endif
