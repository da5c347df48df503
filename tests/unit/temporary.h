/* A directory of a test's own, gone when the test is. */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEMPORARY_PATH_SIZE 256

static inline int temporary_remove_one(const char *path, const struct stat *facts, int flag,
                                       struct FTW *walk)
{
    (void)facts;
    (void)flag;
    (void)walk;
    return remove(path);
}

/* Makes the directory (0700) and puts its path into `out`; NULL if that fails. */
static inline char *temporary_make(char out[TEMPORARY_PATH_SIZE])
{
    const char *root = getenv("TMPDIR");

    snprintf(out, TEMPORARY_PATH_SIZE, "%s/sidelock-test-XXXXXX", root != NULL ? root : P_tmpdir);
    return mkdtemp(out);
}

static inline void temporary_remove(const char *path)
{
    nftw(path, temporary_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
