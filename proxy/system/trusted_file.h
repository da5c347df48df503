/*
 * Files that decide what Sidelock does: keys, certificates, dialect packs. Who
 * could change or read one is looked at on the open descriptor, before a byte of
 * it is read; a path is followed once.
 */
#ifndef SIDELOCK_SYSTEM_TRUSTED_FILE_H
#define SIDELOCK_SYSTEM_TRUSTED_FILE_H

#include "base/buffer.h"

#define TRUSTED_FILE_WHY_SIZE 256

enum trusted_file_kind {
    TRUSTED_FILE_POLICY = 0, /* nobody else may change it */
    TRUSTED_FILE_SECRET,     /* nor read it */
};

/*
 * Appends the whole file; the buffer's ceiling is the file's. It must be a
 * regular file that belongs to root or to the user who runs this. ERROR_NOT_FOUND,
 * ERROR_IO (errno says why), ERROR_DENIED or ERROR_LIMIT, each with one sentence
 * in `why` that names the file and says what to do.
 */
enum error trusted_file_read(const char *path, enum trusted_file_kind kind, struct buffer *out,
                             char why[TRUSTED_FILE_WHY_SIZE]) MUST_CHECK;

#endif
