/*
 * The master key's file: 32 random bytes, mode 0600, in the store's directory.
 * Every other key is derived from it.
 */
#ifndef SIDELOCK_STORE_KEYFILE_H
#define SIDELOCK_STORE_KEYFILE_H

#include "base/error.h"
#include "base/secret.h"

/*
 * Reads the key from a directory that is open already. ERROR_NOT_FOUND: there
 * is none; ERROR_DENIED: others could read or change it; ERROR_INVALID: it is
 * not a key. `why` receives one sentence that names `path`.
 */
enum error keyfile_read(int directory_fd, const char *path, struct secret_key **out, char *why,
                        size_t why_size) MUST_CHECK;
/*
 * Makes a new key, durable on return; an existing one is left alone
 * (ERROR_EXISTS). The caller holds the directory's lock.
 */
enum error keyfile_make(int directory_fd, const char *path, char *why, size_t why_size) MUST_CHECK;

#endif
