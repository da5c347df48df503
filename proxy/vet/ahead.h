/*
 * A long message of a service's is scanned as it comes: its worker has others to serve, and nobody
 * is to wait while all of it is read at once. What was scanned goes by rules.ahead.
 */
#pragma once

#include "vet/rules.h"

#define VET_AHEAD_BYTES_MIN (1024 * 1024) /* what is shorter is scanned at once */

/*
 * `text` is what is there of the message so far, and may lie elsewhere each time. *scan is NULL
 * at its beginning, and owned by the caller: json_scan_destroy() once it was vetted, or is not
 * to be. Without memory there is none.
 */
void vet_ahead(struct json_scan **scan, const struct vet_rules *rules, struct span text);
/* What it holds. */
static inline size_t vet_ahead_holds(const struct json_scan *scan)
{
    return scan != NULL ? json_scan_holds(scan) : 0;
}
