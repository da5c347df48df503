/*
 * The audit log: JSON lines, each holding the SHA-256 of the line before it,
 * so that a line cannot be changed or taken out unnoticed. One writer.
 *
 * A line: {"seq":N,"time":"2026-01-02T03:04:05.678Z","event":"...",...,"prev":"<hex>"}
 * `prev` is the digest of the previous line's bytes without its newline; the
 * very first line of a log has 64 zeros. With a key, a MAC follows (audit_line.h). After a rotation
 * (the file was moved and audit_reopen called) the new file goes on with seq and prev.
 *
 * Lines that could not be written (a full disk) are counted, and an "audit_lost" line says how
 * many there would have been and since when, before the next line that can be.
 *
 * A line that a crash tore stays as evidence. The "audit_recovered" line after
 * it has the torn line's digest in `prev` and that of the whole line before in
 * `after`, so that the chain goes around it.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/reason.h"
#include "base/secret.h"
#include "system/audit_line.h"

#include <stdbool.h>
#include <stdint.h>

struct audit;

/*
 * Opens (0600) and continues a log. A last line that is torn is ended and an
 * "audit_recovered" line follows it.
 */
enum error audit_open(const char *path, struct audit **out) MUST_CHECK;
/*
 * The same, each line with a MAC, and compared with the anchor: a file that is gone (moved away
 * while nobody ran) is gone on with from there, by an "audit_resumed" line; one that is not what
 * was anchored gets an "audit_mismatch" line, and the operator's log says so. The key is borrowed.
 */
enum error audit_open_keyed(const char *path, const struct secret_key *key,
                            const struct audit_anchor *anchor, struct audit **out) MUST_CHECK;
/* Where the chain of what is written stands, to be kept elsewhere; sequence 0: nowhere yet. */
struct audit_anchor audit_head(const struct audit *audit);
/* The number of the last line that is written; 0: none. */
uint64_t audit_sequence(const struct audit *audit);
/* A descriptor of the file, the caller's, to be written to disk by another thread; -1. */
int audit_descriptor(const struct audit *audit);
void audit_close(struct audit *audit);
/* Opens the path anew: after the file was moved away. On failure the old file stays in use. */
enum error audit_reopen(struct audit *audit) MUST_CHECK;

/*
 * Builds one line's members in any order between begin and commit. Names are
 * constants of the caller. What does not fit is left out, and the line then
 * says "cut":true. Without a log (NULL) the functions but audit_begin do nothing
 * and succeed: for a line that is not to be written.
 */
void audit_begin(struct audit *audit, const char *event);
void audit_text(struct audit *audit, const char *name, const char *value); /* NULL: left out */
void audit_bytes(struct audit *audit, const char *name, const char *bytes, size_t length);
void audit_number(struct audit *audit, const char *name, int64_t value);
void audit_flag(struct audit *audit, const char *name, bool value);
void audit_reason(struct audit *audit, enum reason reason); /* and its cause */
/*
 * Appends the line with one write. ERROR_IO: it is not in the log, but counted as lost, and
 * nothing may be admitted on the strength of it; the next line tries again.
 * ERROR_INVALID: two members have one name; nothing was written.
 */
enum error audit_commit(struct audit *audit) MUST_CHECK;

/*
 * The same for a line on which nothing hangs: it is written with those after it, by audit_flush()
 * or the next audit_commit(). OK says that it waits; if it cannot be written, it is counted.
 */
enum error audit_commit_later(struct audit *audit) MUST_CHECK;
/* Writes what waits, with one write. */
void audit_flush(struct audit *audit);

/* Lines that could not be written, since it was opened. */
uint64_t audit_lost(const struct audit *audit);
/* Whether the last one could not, and no "audit_lost" line says so yet. */
bool audit_failing(const struct audit *audit);
/* Tries to write that line, if it is owed. */
void audit_tell_lost(struct audit *audit);
