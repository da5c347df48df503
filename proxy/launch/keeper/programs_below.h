/* Finds programs that lie among libraries: ELF files with the right to be executed whose name is
 * no library's. */
#pragma once

#include "base/error.h"

/* A directory without libraries that holds some, or a program itself. */
typedef enum error programs_found(void *context, const char *path);

/*
 * Below the directory, whose path is without links. Links are not followed, and what may not be
 * read is left out: who asks is whoever will run there, or more. What `found` returns but OK ends
 * it, and is returned. ERROR_LIMIT: too deep. ERROR_IO: errno.
 */
enum error programs_below(const char *directory, programs_found *found, void *context) MUST_CHECK;
