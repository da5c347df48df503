/*
 * What a call of the tree's names: its path as the kernel has it, without links, from where the
 * caller stands. For records alone (recorder.h): what is found is no ground for a decision. Nothing
 * of it is opened but as a path, and nothing below /proc is followed.
 */
#pragma once

#include "base/error.h"

#include "launch/calls/question.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

/* Named by a call: a path that begins at the descriptor, or AT_FDCWD; NULL: the descriptor itself.
 */
struct whereabouts {
    const struct question *question;
    int descriptor;
    const char *path;
    bool follow; /* a link at its end, too */
};

/* What is there. ERROR_NOT_FOUND: nothing, though its directory is; ERROR_IO: it cannot be told. */
enum error whereabouts_find(const struct whereabouts *where, char out[PATH_MAX],
                            struct stat *facts) MUST_CHECK;
/* The directory that it is in. ERROR_IO: there is none. */
enum error whereabouts_find_directory(const struct whereabouts *where,
                                      char out[PATH_MAX]) MUST_CHECK;
