/*
 * Calls that write files, or make, change, move or remove them: what keeper/writes.h would refuse.
 * They are asked only where somebody learns what the tree does, and continued always.
 */
#pragma once

#include <stddef.h>

enum file_call_kind {
    FILE_OPENED,  /* by flags: written, made, or neither */
    FILE_CHANGED, /* what is there, in place */
    FILE_MADE,    /* what is not there */
    FILE_REMOVED,
    FILE_MOVED /* from one name to the other, or there, too */
};

enum { FILE_NAMES_MAX = 2, FILE_NONE = -1, FILE_HERE = -2 };

struct file_call {
    int call; /* SYS_openat … */
    enum file_call_kind kind;
    int flags; /* which argument the flags of open(2) are; FILE_NONE: it has none */
    /* Of each name: which argument is its descriptor (FILE_HERE: where the caller stands) and which
     * its path (FILE_NONE: the descriptor is meant itself). A call without a second one has
     * FILE_NONE twice. */
    struct {
        int descriptor, path;
    } names[FILE_NAMES_MAX];
};

extern const struct file_call file_calls[];
extern const size_t file_calls_count;
