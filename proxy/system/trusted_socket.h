/*
 * Unix sockets on which something worth stealing is said: towards a service, a stored
 * record; towards the running Sidelock, records and tokens. A stranger must not be able
 * to put a socket of his own in the place of one, and who listens is asked of the kernel.
 */
#pragma once

#include "config/config.h"
#include "system/trusted_path.h"

/*
 * Finds the socket at `path` and looks at the way to it (trusted_path.h). The directory that
 * holds it must be closed to others, sticky or not: in /tmp anybody takes a name that is free.
 * It need not exist, nor that directory. ERROR_DENIED, ERROR_IO with one sentence.
 */
enum error trusted_socket_check(const char *path, struct trust trust,
                                char why[WHY_SIZE]) MUST_CHECK;

/*
 * A socket that is connected to more than once, and its directory as it was found last: that is not
 * looked for again while its path leads to the very same one, unchanged. Made with TRUSTED_WAY.
 */
struct trusted_way {
    const char *path; /* borrowed */
    struct trust trust;
    struct trusted_path found; /* of which `resolved` is the directory; or it has none */
    struct stat directory;
};
#define TRUSTED_WAY(path, trust) ((struct trusted_way){(path), (trust), {.directory = -1}, {0}})

/*
 * Connects a fresh stream socket to the one at its end, after that check, and demands that it
 * was a trusted user who listens (SO_PEERCRED, unix(7)). ERROR_DENIED with one sentence;
 * ERROR_IO with errno, by connect(2) or ENOENT: nothing is there.
 */
enum error trusted_way_connect(struct trusted_way *way, int fd, char why[WHY_SIZE]) MUST_CHECK;
void trusted_way_clear(struct trusted_way *way);

/* Whether this uid may listen at what `where` names; ERROR_DENIED, with one sentence. */
enum error trusted_listener(const struct trust *trust, const char *where, uid_t uid,
                            char why[WHY_SIZE]) MUST_CHECK;

/*
 * Who may listen for the service of a surface. ERROR_NOT_FOUND, with one sentence: its "owner" is
 * no user whom the system knows.
 */
enum error trusted_upstream(const struct surface *surface, struct trust *out,
                            char why[WHY_SIZE]) MUST_CHECK;
