/*
 * Which commands a parameter record may name: those in `executables`,
 * resolved, absolute, not writable by others, with the pinned digest and
 * matching arguments, and without loader or interpreter hooks in the
 * environment. Facts about files come from the caller (system/executable.h).
 */
#pragma once

#include "policy/params.h"

#define EXEC_COMMANDS_MAX 64 /* that one record may name: each is looked at whenever it is used */

/* What the operating system knows of a path. */
struct exec_facts {
    bool exists;             /* a regular file that may be executed */
    char resolved[4096];     /* no symbolic links left */
    bool writable_by_others; /* the file, or a directory (sticky ones excepted) or link that leads
                                to it, can be changed by a uid other than root and our own */
    char sha256[SHA256_HEX_SIZE];
};

/* Fills facts; only `sha256` when asked to hash. ERROR_IO if they cannot be had. */
typedef enum error (*exec_facts_source)(void *context, const char *path, bool hash,
                                        struct exec_facts *out);

/*
 * Checks every command in a record. OK, or ERROR_DENIED with one sentence in
 * `why` that names the command and the rule, without its arguments' values.
 */
enum error exec_policy_check(const struct config *config, const struct params *params,
                             exec_facts_source facts, void *context, char *why,
                             size_t why_size) MUST_CHECK;
