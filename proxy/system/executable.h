/*
 * Facts about a file that a parameter record wants to run (policy/exec_policy.h).
 *
 * The way to the file counts as much as the file: every directory and symbolic
 * link on it is examined, since whoever may change one decides what runs.
 */
#pragma once

#include "policy/exec_policy.h"

#define EXECUTABLE_HASH_BYTES_MAX (512L * 1024 * 1024)

/*
 * An exec_facts_source; the context is unused. OK with facts.exists false if
 * there is no such executable file; ERROR_IO if it cannot be examined or read.
 */
enum error executable_facts(void *context, const char *path, bool hash, struct exec_facts *out);
