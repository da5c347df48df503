#include "system/trusted_socket.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define UID_DIGITS_MAX 10

/* As trusted_socket_check(); a missing directory leaves *out without one, and errno ENOENT. */
static enum error find(const char *path, struct trust trust, struct trusted_path *out,
                       char why[WHY_SIZE])
{
    enum error error = trusted_path_find(path, trust, out, why);

    if (error == ERROR_NOT_FOUND) {
        *out = (struct trusted_path){.directory = -1};
        errno = ENOENT;
        return OK;
    }
    if (error != OK)
        return error;
    if (out->closed)
        return OK;
    trusted_path_close(out);
    return error_explain(
        why, ERROR_DENIED,
        "Anybody can put a socket of his own into the directory of %.200s; give it "
        "a directory of its own (mkdir -m 700).",
        path);
}

enum error trusted_socket_check(const char *path, struct trust trust, char why[WHY_SIZE])
{
    struct trusted_path place;
    enum error error = find(path, trust, &place, why);

    if (error == OK)
        trusted_path_close(&place);
    return error;
}

/* To the very socket that was found: /proc has no other name for it than its descriptor. */
static enum error connect_to(int fd, const struct trusted_path *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int found, result, reason;

    if (trusted_path_open(place, O_PATH, &found) != OK)
        return ERROR_IO;
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", found);
    result = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    reason = errno;
    close(found);
    errno = reason;
    return result == 0 ? OK : ERROR_IO;
}

enum error trusted_listener(const struct trust *trust, const char *where, uid_t uid,
                            char why[WHY_SIZE])
{
    if (trust_has(trust, uid))
        return OK;
    return error_explain(why, ERROR_DENIED,
                         "Whoever listens at %.200s is uid %u, who is not to: end that program%s.",
                         where, (unsigned)uid, trust->remedy != NULL ? trust->remedy : "");
}

/* The uid is of whoever called listen(2). */
static enum error check_peer(int fd, const char *path, const struct trust *trust,
                             char why[WHY_SIZE])
{
    struct ucred peer;
    socklen_t length = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return ERROR_IO;
    return trusted_listener(trust, path, peer.uid, why);
}

/* Whether the path leads to the directory that was found. What is above that one does not matter
 * then: its descriptor is what is gone through. */
static bool leads_there(const struct trusted_way *way)
{
    const struct stat *then = &way->directory;
    struct stat now;

    return way->found.directory >= 0 && stat(way->found.resolved, &now) == 0 &&
           now.st_dev == then->st_dev && now.st_ino == then->st_ino && now.st_uid == then->st_uid &&
           now.st_mode == then->st_mode;
}

static enum error find_again(struct trusted_way *way, char why[WHY_SIZE])
{
    struct trusted_path *found = &way->found;
    enum error error;

    if (leads_there(way))
        return OK;
    trusted_path_close(found);
    error = find(way->path, way->trust, found, why);
    if (error != OK || found->directory < 0)
        return error;
    *strrchr(found->resolved, '/') = '\0'; /* a socket's name comes last; "" stays a stranger */
    return fstat(found->directory, &way->directory) == 0 ? OK : ERROR_IO;
}

enum error trusted_way_connect(struct trusted_way *way, int fd, char why[WHY_SIZE])
{
    enum error error = find_again(way, why);

    if (error != OK)
        return error;
    if (way->found.directory < 0)
        return ERROR_IO;
    error = connect_to(fd, &way->found);
    if (error == OK)
        error = check_peer(fd, way->path, &way->found.trust, why);
    if (way->found.links > 0)
        trusted_way_clear(way); /* one may point elsewhere by now */
    return error;
}

void trusted_way_clear(struct trusted_way *way)
{
    trusted_path_close(&way->found);
}

enum error trusted_upstream(const struct surface *surface, struct trust *out, char why[WHY_SIZE])
{
    const char *owner = surface->upstream_owner;
    const struct passwd *user;
    uint64_t number;

    *out = TRUST_OWN;
    out->remedy = ", or name that user in the upstream's \"owner\"";
    if (owner == NULL)
        return OK;
    if (text_number(span_of(owner), UID_DIGITS_MAX, &number) && number < TRUST_NOBODY_ELSE) {
        out->also = (uid_t)number;
        return OK;
    }
    user = getpwnam(owner);
    if (user == NULL)
        return error_explain(why, ERROR_NOT_FOUND, "There is no user called \"%.64s\".", owner);
    out->also = user->pw_uid;
    return OK;
}
