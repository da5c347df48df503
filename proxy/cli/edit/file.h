/*
 * The file of a configuration, made or changed: whole or not at all, where its links lead, with its
 * owner and mode, and never over what somebody else has written meanwhile.
 */
#pragma once

#include "base/buffer.h"
#include "base/text.h"
#include "system/trusted_path.h"

struct edit_file {
    struct trusted_path place;
    int fd; /* locked against others of our kind until it is closed */
    struct stat facts;
    struct buffer text;
};

/*
 * Opens and reads it, if it and the way to it pass (system/trusted_file.h) and this user may write
 * it. ERROR_NOT_FOUND, ERROR_DENIED, ERROR_INVALID, ERROR_LIMIT, ERROR_IO; ERROR_TIMEOUT: somebody
 * holds the lock. `why` is a sentence; the caller closes *out only after OK.
 */
enum error edit_file_open(const char *path, struct edit_file *out, char why[WHY_SIZE]) MUST_CHECK;
/*
 * Puts another text in its place. ERROR_STATE: it is not what was read any more; ERROR_IO. In
 * either case nothing is changed.
 */
enum error edit_file_save(const struct edit_file *file, struct span text,
                          char why[WHY_SIZE]) MUST_CHECK;
void edit_file_close(struct edit_file *file);

/*
 * Makes a new one, with the directories that are missing: who may read it by `mode` may enter them.
 * ERROR_EXISTS: there is one, whatever it is; it stays. ERROR_DENIED, ERROR_NOT_FOUND, ERROR_IO.
 */
enum error edit_file_make(const char *path, mode_t mode, struct span text,
                          char why[WHY_SIZE]) MUST_CHECK;
