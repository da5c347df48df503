/*
 * Files that decide what Sidelock does: keys, certificates, dialect packs. Who
 * could change or read one is looked at on the open descriptor, before a byte of
 * it is read; a path is followed once.
 */
#pragma once

#include "base/buffer.h"

enum trusted_file_kind {
    TRUSTED_FILE_POLICY = 0, /* nobody else may change it */
    TRUSTED_FILE_SECRET,     /* nor read it */
};

/*
 * Whether the open file is a regular one (else ERROR_INVALID) that belongs to root or
 * to the user who runs this, and is closed to others as its kind says (ERROR_DENIED).
 * `why` receives one sentence that names the path and says what to do.
 */
enum error trusted_file_check(int fd, const char *path, enum trusted_file_kind kind,
                              char why[WHY_SIZE]) MUST_CHECK;
/*
 * Appends the whole file, if it passes that check; the buffer's ceiling is the file's.
 * Further, each with its sentence: ERROR_NOT_FOUND, ERROR_IO (errno says why), ERROR_LIMIT.
 */
enum error trusted_file_read(const char *path, enum trusted_file_kind kind, struct buffer *out,
                             char why[WHY_SIZE]) MUST_CHECK;
