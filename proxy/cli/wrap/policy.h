/*
 * What a service wrote, as the few files and directories that its "write" is to name. Pure: paths
 * go in, as the kernel has them, and paths come out.
 *
 * Named is a file that was changed in place, and else the directory in which something was made,
 * moved or removed; what lies in directories that the service made itself is in none of them. Of
 * several that are beside each other the directory above is named, and of too many those that are
 * deepest are put together; never one that holds a guarded path, the home directory or all of a
 * file system's first level.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>

#define POLICY_ENTRIES  12 /* more are put together */
#define POLICY_MAX      32 /* that can be named at all (config/sidelock.schema.json) */
#define POLICY_SIBLINGS 4  /* so many beside each other stand for all that come */

struct policy_facts {
    const struct text_list *changed; /* files and directories that were there */
    const struct text_list *entries; /* directories in which something was made or removed */
    const struct text_list *made;    /* directories that it made */
    const struct text_list *spans;   /* above two between which something was moved */
    const struct text_list *guarded; /* what must not be named, nor anything above */
    const char *home;                /* "": none */
};

/* Cleared by policy_clear(). */
struct policy {
    struct text_list writable; /* in order */
    struct text_list left_out; /* that may not be named */
    bool temporary;            /* it wrote below /tmp and its like, of which it has its own */
};

enum error policy_make(const struct policy_facts *facts, struct policy *out) MUST_CHECK;
void policy_clear(struct policy *policy);

/* Whether `path` is this directory, or below it. */
bool policy_is_below(const char *path, const char *directory);
