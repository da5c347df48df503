#include "system/trusted_path.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel's own limit, path_resolution(7) */
#define OTHERS    (S_IWGRP | S_IWOTH)

#define WHOSE_NAMES_BYTES 4096 /* for what the user database says of somebody */

/* A walk, where it has come to. */
struct walk {
    struct trusted_path at;
    char rest[PATH_MAX];   /* what is still to be looked up */
    bool ours;             /* the directory belongs to root or to this user */
    bool *changeable;      /* is set instead of a refusal; NULL: refuses */
    trusted_path_see *see; /* is told of each name on the way; NULL: nobody */
    void *seer;
    bool reaches; /* a directory that is missing ends the walk, where it could be made, */
    mode_t made;  /* or is made with this mode; 0: is not */
    char *why;
};

bool trust_has(const struct trust *trust, uid_t uid)
{
    return uid == 0 || uid == geteuid() || (uid == trust->also && uid != TRUST_NOBODY_ELSE);
}

enum error trust_deny(const struct trust *trust, const char *path, uid_t uid, char why[WHY_SIZE])
{
    char also[32] = "";

    if (trust->also != TRUST_NOBODY_ELSE)
        snprintf(also, sizeof(also), ", uid %u", (unsigned)trust->also);
    return error_explain(why, ERROR_DENIED,
                         "%.200s belongs to uid %u; it must belong to the user who runs "
                         "Sidelock%s, or root: run chown on it%s.",
                         path, (unsigned)uid, also, trust->remedy != NULL ? trust->remedy : "");
}

const char *trust_whose(const struct stat *facts, char out[TRUST_WHOSE_SIZE])
{
    struct passwd record;
    const struct passwd *user = NULL;
    char names[WHOSE_NAMES_BYTES];

    if (getpwuid_r(facts->st_uid, &record, names, sizeof(names), (struct passwd **)&user) != 0)
        user = NULL;
    snprintf(out, TRUST_WHOSE_SIZE, "; it belongs to %.32s%suid %u and has mode %04o",
             user != NULL ? user->pw_name : "", user != NULL ? ", " : "", (unsigned)facts->st_uid,
             (unsigned)(facts->st_mode & 07777));
    return out;
}

/* A survey notes it and goes on. */
static enum error refuse(struct walk *walk, enum error error)
{
    if (walk->changeable == NULL)
        return error;
    *walk->changeable = true;
    return OK;
}

/* Whether what was found is of somebody who is trusted. */
static enum error judge(struct walk *walk, const struct stat *facts)
{
    struct trust *trust = &walk->at.trust;

    if (trust_has(trust, facts->st_uid))
        return OK;
    if (trust->as_given && walk->at.closed && walk->ours && trust->also == TRUST_NOBODY_ELSE) {
        trust->also = facts->st_uid;
        return OK;
    }
    return refuse(walk, trust_deny(trust, walk->at.resolved, facts->st_uid, walk->why));
}

static enum error fail(const struct walk *walk)
{
    return error_explain(walk->why,
                         errno == ENOENT || errno == ENOTDIR ? ERROR_NOT_FOUND : ERROR_IO,
                         "%.200s cannot be opened: %s.", walk->at.resolved, strerror(errno));
}

/* Goes into a directory, or says why not; takes the descriptor over. */
static enum error enter(struct walk *walk, int fd, const struct stat *facts)
{
    struct trusted_path *at = &walk->at;
    enum error error = judge(walk, facts);

    if (error == OK && (facts->st_mode & OTHERS) != 0 && (facts->st_mode & S_ISVTX) == 0)
        error = refuse(walk, error_explain(walk->why, ERROR_DENIED,
                                           "The directory %.200s can be changed by others; run "
                                           "chmod go-w on it.",
                                           at->resolved));
    if (error != OK) {
        close(fd);
        return error;
    }
    if (at->directory >= 0)
        close(at->directory);
    at->directory = fd;
    at->closed = (facts->st_mode & OTHERS) == 0;
    walk->ours = facts->st_uid == 0 || facts->st_uid == geteuid();
    return OK;
}

static enum error enter_root(struct walk *walk)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat facts;

    strcpy(walk->at.resolved, "/");
    if (fd < 0 || fstat(fd, &facts) != 0)
        return fail(walk);
    return enter(walk, fd, &facts);
}

/* What a link says comes before the rest, which is empty or begins with a slash. */
static enum error follow(struct walk *walk, int link)
{
    char target[PATH_MAX];
    size_t rest = strlen(walk->rest);
    ssize_t length = readlinkat(link, "", target, sizeof(target));

    if (length <= 0 || ++walk->at.links > LINKS_MAX ||
        (size_t)length + rest >= sizeof(walk->rest)) {
        errno = ELOOP;
        return fail(walk);
    }
    memmove(walk->rest + length, walk->rest, rest + 1);
    memcpy(walk->rest, target, (size_t)length);
    return target[0] == '/' ? enter_root(walk) : OK;
}

/* The path so far has no links, so this is what ".." leads to. */
static void drop_name(char path[PATH_MAX])
{
    char *slash = strrchr(path, '/');

    slash[slash == path ? 1 : 0] = '\0';
}

/* Adds the name to the path so far; false: it is too long. */
static bool add_name(char path[PATH_MAX], const char *name)
{
    size_t length = strlen(path);
    int added;

    if (strcmp(name, ".") == 0)
        return true;
    if (strcmp(name, "..") == 0) {
        drop_name(path);
        return true;
    }
    added = snprintf(path + length, PATH_MAX - length, "%s%s", length > 1 ? "/" : "", name);
    return added >= 0 && (size_t)added < PATH_MAX - length;
}

/* Takes the next name off the rest, "." if there is none. *last: nothing follows, not even a slash.
 */
static enum error take_name(struct walk *walk, bool *last)
{
    const char *name = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(name, "/");

    if (length <= NAME_MAX)
        snprintf(walk->at.name, sizeof(walk->at.name), "%.*s", length > 0 ? (int)length : 1,
                 length > 0 ? name : ".");
    if (length > NAME_MAX || !add_name(walk->at.resolved, walk->at.name)) {
        errno = ENAMETOOLONG;
        return fail(walk);
    }
    *last = name[length] == '\0';
    memmove(walk->rest, name + length, strlen(name + length) + 1);
    return OK;
}

/* Goes on from what the name led to; *end: that was all. Takes the descriptor over. */
static enum error go_on(struct walk *walk, int fd, bool last, bool *end)
{
    struct stat facts;
    enum error error = fstat(fd, &facts) == 0 ? OK : fail(walk);

    if (error == OK && S_ISDIR(facts.st_mode) && !last)
        return enter(walk, fd, &facts);
    if (error == OK)
        error = judge(walk, &facts);
    if (error == OK && S_ISLNK(facts.st_mode)) {
        drop_name(walk->at.resolved);
        error = follow(walk, fd);
    } else if (error == OK && last) {
        walk->at.facts = facts;
        walk->at.exists = *end = true;
    } else if (error == OK) {
        errno = ENOTDIR;
        error = fail(walk);
    }
    close(fd);
    return error;
}

static int look_up(const struct walk *walk)
{
    return openat(walk->at.directory, walk->at.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* Whether this user could add what is missing to the directory. */
static enum error check_room(const struct walk *walk)
{
    if (faccessat(walk->at.directory, ".", W_OK | X_OK, AT_EACCESS) == 0)
        return OK;
    return error_explain(walk->why, ERROR_DENIED,
                         "%.200s is missing, and this user (uid %u) cannot make it: %s.",
                         walk->at.resolved, (unsigned)geteuid(), strerror(errno));
}

/* Nothing has this name: the walk ends, or goes on in a new directory. */
static enum error miss(struct walk *walk, bool last, bool *end)
{
    int fd;

    *end = last || (walk->reaches && walk->made == 0);
    if (*end)
        return walk->reaches && walk->made == 0 ? check_room(walk) : OK;
    if (!walk->reaches)
        return fail(walk);
    if (mkdirat(walk->at.directory, walk->at.name, walk->made) != 0 && errno != EEXIST)
        return error_explain(walk->why, errno == EACCES ? ERROR_DENIED : ERROR_IO,
                             "The directory %.200s cannot be made: %s.", walk->at.resolved,
                             strerror(errno));
    fd = look_up(walk);
    return fd >= 0 ? go_on(walk, fd, false, end) : fail(walk);
}

/* fd < 0: nothing is there. */
static void show(const struct walk *walk, int fd)
{
    struct stat facts;

    if (walk->see != NULL)
        walk->see(walk->seer, walk->at.resolved, fd >= 0 && fstat(fd, &facts) == 0 ? &facts : NULL);
}

/* One name; *end: it was the last, and no link. */
static enum error step(struct walk *walk, bool *end)
{
    bool last = false;
    enum error error = take_name(walk, &last);
    int fd, failed;

    if (error != OK)
        return error;
    fd = look_up(walk);
    failed = errno;
    show(walk, fd);
    if (fd >= 0)
        return go_on(walk, fd, last, end);
    errno = failed;
    return failed == ENOENT ? miss(walk, last, end) : fail(walk);
}

static enum error begin(struct walk *walk, const char *path)
{
    char here[PATH_MAX] = "";
    int length;

    snprintf(walk->at.resolved, sizeof(walk->at.resolved), "%s", path);
    if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
        return fail(walk);
    length = snprintf(walk->rest, sizeof(walk->rest), "%s/%s", here, path);
    if (path[0] == '\0' || length < 0 || (size_t)length >= sizeof(walk->rest)) {
        errno = path[0] == '\0' ? ENOENT : ENAMETOOLONG;
        return fail(walk);
    }
    return enter_root(walk);
}

static enum error go(struct walk *walk, const char *path, struct trusted_path *out)
{
    enum error error;
    bool end = false;

    walk->at.directory = -1;
    error = begin(walk, path);
    while (error == OK && !end)
        error = step(walk, &end);
    if (error == OK)
        *out = walk->at;
    else
        trusted_path_close(&walk->at);
    return error;
}

enum error trusted_path_find(const char *path, struct trust trust, struct trusted_path *out,
                             char why[WHY_SIZE])
{
    struct walk walk = {.at = {.trust = trust}};

    walk.why = why;
    return go(&walk, path, out);
}

enum error trusted_path_reach(const char *path, mode_t made, struct trusted_path *out,
                              char why[WHY_SIZE])
{
    struct walk walk = {.at = {.trust = TRUST_OWN}, .reaches = true, .made = made};

    walk.why = why;
    return go(&walk, path, out);
}

bool trusted_path_survey(const char *path, struct trusted_path *out, bool *changeable)
{
    char why[WHY_SIZE];
    struct walk walk = {.at = {.trust = TRUST_OWN}, .changeable = changeable};

    walk.why = why;
    *changeable = false;
    if (go(&walk, path, out) != OK)
        return false;
    if (!out->exists)
        trusted_path_close(out);
    else if (S_ISREG(out->facts.st_mode) && (out->facts.st_mode & OTHERS) != 0)
        *changeable = true;
    return out->exists;
}

void trusted_path_follow(const char *path, trusted_path_see *see, void *seer)
{
    char why[WHY_SIZE];
    bool changeable = false;
    struct trusted_path end;
    struct walk walk = {
        .at = {.trust = TRUST_OWN}, .changeable = &changeable, .see = see, .seer = seer};

    walk.why = why;
    if (go(&walk, path, &end) == OK)
        trusted_path_close(&end);
}

void trusted_path_close(struct trusted_path *path)
{
    if (path->directory >= 0)
        close(path->directory);
    path->directory = -1;
}

enum error trusted_path_open(const struct trusted_path *path, int flags, int *fd)
{
    int opened = openat(path->directory, path->name, flags | O_CLOEXEC | O_NOFOLLOW);

    if (opened < 0)
        return errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
    *fd = opened;
    return OK;
}

static enum error check_private(const char *path, const struct stat *facts, char why[WHY_SIZE])
{
    char whose[TRUST_WHOSE_SIZE];

    if (!S_ISDIR(facts->st_mode))
        return error_explain(why, ERROR_INVALID, "%.200s is not a directory.", path);
    if (!trust_has(&TRUST_OWN, facts->st_uid))
        return trust_deny(&TRUST_OWN, path, facts->st_uid, why);
    if ((facts->st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return error_explain(why, ERROR_DENIED,
                             "The directory %.200s is open to others; run chmod 700 on it%s.", path,
                             trust_whose(facts, whose));
    return OK;
}

enum error trusted_path_check_private(const char *path, char why[WHY_SIZE])
{
    struct trusted_path place;
    enum error error = trusted_path_reach(path, 0, &place, why);

    if (error != OK)
        return error;
    if (place.exists)
        error = check_private(path, &place.facts, why);
    trusted_path_close(&place);
    return error;
}

/* The descriptor is looked at anew: it may be another directory than was found. */
static enum error open_private(const struct trusted_path *place, const char *path, int *fd,
                               char why[WHY_SIZE])
{
    struct stat facts;

    if ((!place->exists && mkdirat(place->directory, place->name, S_IRWXU) != 0 &&
         errno != EEXIST) ||
        trusted_path_open(place, O_RDONLY | O_DIRECTORY, fd) != OK)
        return error_explain(why, errno == EACCES ? ERROR_DENIED : ERROR_IO,
                             "The directory %.200s cannot be opened: %s.", path, strerror(errno));
    return fstat(*fd, &facts) == 0 ? check_private(path, &facts, why) : ERROR_IO;
}

enum error trusted_path_open_private(const char *path, int *fd, char why[WHY_SIZE])
{
    struct trusted_path place;
    int opened = -1;
    enum error error = trusted_path_reach(path, S_IRWXU, &place, why);

    if (error != OK)
        return error;
    error = open_private(&place, path, &opened, why);
    trusted_path_close(&place);
    if (error == OK)
        *fd = opened;
    else if (opened >= 0)
        close(opened);
    return error;
}
