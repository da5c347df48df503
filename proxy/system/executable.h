/*
 * Facts about a file that a parameter record wants to run (policy/exec_policy.h).
 *
 * The way to the file counts as much as the file: every directory and symbolic
 * link on it is examined, since whoever may change one decides what runs.
 */
#pragma once

#include "policy/exec_policy.h"

#include <sys/types.h>
#include <time.h>

#define EXECUTABLE_HASH_BYTES_MAX (512L * 1024 * 1024)

/* Which file it is, and which content of it: whatever changes the one or the other shows here. */
struct executable_identity {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec modified, changed;
};

bool executable_same(const struct executable_identity *one,
                     const struct executable_identity *other);

/* Everything but the digest; facts.exists is false if there is no such executable file. */
void executable_look(const char *path, struct exec_facts *out,
                     struct executable_identity *identity);

/*
 * The digest of a file by its resolved path, if it is the one with that identity, before and after
 * it was read. *settled: it had been left alone for a while, so that a change later shows in its
 * times. ERROR_STATE: it is another by now; ERROR_IO: it cannot be read, or is too large.
 */
enum error executable_hash(const char *resolved, const struct executable_identity *identity,
                           char out[SHA256_HEX_SIZE], bool *settled) MUST_CHECK;
