/*
 * The way to a file, gone as the kernel goes it: from "/", one name at a time,
 * each directory and symbolic link looked at on a descriptor of its own before the
 * next name is looked up in it. So what was looked at is what was gone through.
 *
 * Who is trusted: root, the user who runs this, and whom the caller names. Every
 * directory and link on the way, and what it leads to, must belong to one of them, and
 * nobody else may write a directory; an access control list shows in its group's bits.
 * In a sticky one (/tmp) others may add entries, but not replace those of the trusted.
 */
#pragma once

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#define TRUST_NOBODY_ELSE ((uid_t)-1)

struct trust {
    uid_t also; /* or TRUST_NOBODY_ELSE */
    /*
     * Also whoever was given a place by the trusted: the owner of the first entry of
     * a directory that nobody but root and the user who runs this can write in. So
     * /run/sidelock, made by root, says who Sidelock is. `also` is then set to that uid.
     */
    bool as_given;
    const char *remedy; /* beside chown, for sentences; NULL: none */
};
/* Root and the user who runs this. */
#define TRUST_OWN ((struct trust){.also = TRUST_NOBODY_ELSE})
/* For those who talk to a Sidelock that another user may run: also him. */
#define TRUST_GIVEN ((struct trust){.also = TRUST_NOBODY_ELSE, .as_given = true})

bool trust_has(const struct trust *trust, uid_t uid);
/* ERROR_DENIED, with the sentence about something of an owner who is not trusted. */
enum error trust_deny(const struct trust *trust, const char *path, uid_t uid, char why[WHY_SIZE]);

#define TRUST_WHOSE_SIZE 96
/* "; it belongs to NAME, uid N and has mode 0644", for the end of a sentence. Returns `out`. */
const char *trust_whose(const struct stat *facts, char out[TRUST_WHOSE_SIZE]);

/* Where a path leads. */
struct trusted_path {
    int directory;           /* O_PATH; which holds `name`, owned by this */
    char name[NAME_MAX + 1]; /* no link; "." for a path that ends with a directory's own name */
    struct trust trust;      /* as it was given, or found */
    bool exists;             /* false: the directory is there, the name is not */
    bool closed;             /* nobody else may add entries to the directory */
    unsigned links;          /* symbolic links that were followed */
    struct stat facts;       /* of what is there */
    char resolved[PATH_MAX]; /* the path without links, "." and ".." */
};

/*
 * Goes to `path`; a relative one begins where the process is. ERROR_DENIED: somebody else
 * could change the way; ERROR_NOT_FOUND: a directory is missing; ERROR_IO; each with one
 * sentence in `why`. The caller closes *out.
 */
enum error trusted_path_find(const char *path, struct trust trust, struct trusted_path *out,
                             char why[WHY_SIZE]) MUST_CHECK;
/*
 * The same for something of Sidelock's own, whose directories need not be there: each that is
 * missing on the way is made, with the mode `made`. 0: none is; the walk ends where the first, or
 * what the path itself names, could be made, and ERROR_DENIED says that this user cannot.
 */
enum error trusted_path_reach(const char *path, mode_t made, struct trusted_path *out,
                              char why[WHY_SIZE]) MUST_CHECK;
/*
 * Goes there in any case; *changeable: somebody else than root and the user who runs this could
 * change the way, or the file that it leads to. False if that is not there.
 */
bool trusted_path_survey(const char *path, struct trusted_path *out, bool *changeable);
/*
 * Goes there in any case, and tells of each name on the way, links and what is missing (where the
 * way ends; facts NULL) among them: `place` is the way to it without links.
 */
typedef void trusted_path_see(void *seer, const char *place, const struct stat *facts);
void trusted_path_follow(const char *path, trusted_path_see *see, void *seer);
void trusted_path_close(struct trusted_path *path);

/*
 * Opens what is there, by openat() with O_CLOEXEC and O_NOFOLLOW: it may be another file than was
 * seen, but of this directory. ERROR_NOT_FOUND, ERROR_IO with errno.
 */
enum error trusted_path_open(const struct trusted_path *path, int flags, int *fd) MUST_CHECK;

/*
 * Whether a directory could hold what nobody else may see: it need not be there, nor the last part
 * of the way to it, if this user can make them; if it is, it must be closed to all others.
 * ERROR_DENIED, ERROR_IO.
 */
enum error trusted_path_check_private(const char *path, char why[WHY_SIZE]) MUST_CHECK;
/* Opens such a directory, made (0700) with the directories on the way that are missing. */
enum error trusted_path_open_private(const char *path, int *fd, char why[WHY_SIZE]) MUST_CHECK;
