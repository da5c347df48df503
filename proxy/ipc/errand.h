/*
 * What the broker asks of the parent, which opens and spawns for it, and of the launcher, which
 * starts services, and what they are told.
 *
 *   broker                                parent
 *                        over the channel for files, one at a time, each answered:
 *     READ ─────────────────────────────▶        read the configuration anew
 *     KEEP ─────────────────────────────▶        what was read last is in force
 *     LISTEN, MISSING, TLS ─────────────▶        open what a surface of it names
 *     TELEMETRY ────────────────────────▶        the listeners of "telemetry", which are there
 *        ◀──────────────────────────── ANSWER    with the descriptor, or why not
 *
 *                        over the channel for workers:
 *     GIVE ─────────────────────────────▶        a descriptor for the worker that is spawned next
 *     SPAWN ────────────────────────────▶
 *        ◀──────────────────────────── SPAWNED   with its pidfd, or none
 *        ◀──────────────────────────── ENDED     and how
 *     READY ────────────────────────────▶        for the service manager
 *        ◀──────────────────────────── PROOF     which fences of the parent hold, with its status
 *        ◀──────────────────────────── STOP      a signal to end; once more: sooner
 *        ◀──────────────────────────── HANGUP    SIGHUP
 *        ◀──────────────────────────── LAUNCHER  with the channel to one that was started: nothing
 *                                                is left of the last one, nor of what it started
 *
 *   what starts launchers                 parent
 *        ◀──────────────────────────── BEGIN     from now on there is to be one
 *     LAUNCHER ─────────────────────────▶        with the channels to it, the parent's and the
 * broker's ◀──────────────────────────── STOP      none any more; once more: end it
 *        ◀──────────────────────────── LOOK      from now on there is to be a looker, which is
 *                                                handed over as a launcher is
 *
 *   launcher                              parent
 *        ◀──────────────────────────── CONFIG    the configuration in force, sealed
 *        ◀──────────────────────────── STOP      end all trees, and yourself
 *        ◀──────────────────────────── STANDARD  a standard descriptor for the service that is
 *        ◀──────────────────────────── ALONE     the only one: started now, once, not again
 *     SERVICE, PORTS ───────────────────▶        of that one, as the broker is told
 *     OVER ─────────────────────────────▶        it has ended, or never ran
 *
 *   launcher                              broker
 *        ◀──────────────────────────── START     the service of a surface
 *        ◀──────────────────────────── END       all of it
 *        ◀──────────────────────────── DIAL      a connection to it
 *        ◀──────────────────────────── PROVE     again that it is behind the gate alone
 *     PROVEN ───────────────────────────▶        it is, or SERVICE has said what it is
 *        ◀──────────────────────────── ENTER     the private network itself, as DIAL
 *        ◀──────────────────────────── VISIT     the same for a session, of a stdio service; its
 *                                                record may come along, sealed
 *        ◀──────────────────────────── LEAVE     a session has ended: all of its processes
 *     DIALED ───────────────────────────▶        with the socket, which is connected
 *     UNDIALED ─────────────────────────▶        there is none, and why
 *     PROOF ────────────────────────────▶        which fences of the launcher hold, once
 *     SERVICE ──────────────────────────▶        what has become of it
 *     PORTS ────────────────────────────▶        where it listens, inside
 *     FENCED ───────────────────────────▶        which of its fences hold, with its status
 *     SIGHT ────────────────────────────▶        what could be seen of this host's listeners
 *     EXITED ───────────────────────────▶        nothing of it is left, and how it ended
 *     PROCESSES ────────────────────────▶        how many a stdio service has now
 *     REFUSED ──────────────────────────▶        what it tried to execute, and may not
 *     LIMIT ────────────────────────────▶        it has reached one of what it may use
 *     UNREACHED ────────────────────────▶        where it tried to connect to, and may not
 *     FULL ─────────────────────────────▶        a process was refused to a session
 *     LEFT ─────────────────────────────▶        nothing of a session is left of what VISITs up
 *                                                to this one brought about
 *
 *   looker                                broker
 *     PROOF ────────────────────────────▶        which fences of the looker hold, once
 *        ◀──────────────────────────── CALLER    look for the program that holds a socket
 *     PROGRAM ──────────────────────────▶        which it is; then it may be asked for the next
 *
 * No path and no address is ever in one: a surface is named, and what it names is in the
 * operator's file, which the parent has read itself. A record that comes along names a command,
 * which the launcher holds against that file itself.
 */
#pragma once

#include "base/error.h"
#include "ipc/wire_format.h"

#include <errno.h>

enum errand_kind {
    ERRAND_NONE = 0,
    ERRAND_READ,
    ERRAND_KEEP,
    ERRAND_LISTEN,  /* `number`: which of the surface's addresses */
    ERRAND_MISSING, /* `number`: the port that 127.0.0.1 has */
    ERRAND_TLS,     /* `number`: an enum certificate_part */
    ERRAND_TELEMETRY,
    ERRAND_ANSWER, /* `number`: an enum error; `place`: how many more belong to it; `text`: why */
    ERRAND_GIVE,   /* `number`: an enum errand_gift; `place`: the surface's slot of a listener,
                      that of telemetry: of none */
    ERRAND_SPAWN,  /* `place`: the worker's index; `number`: connections it may have; `text`: slots
                    */
    ERRAND_READY,
    ERRAND_SPAWNED, /* `place`: the worker; `number`: its process id, 0 if there is none */
    ERRAND_ENDED,   /* `place`: the worker; `number`: its wait status */
    ERRAND_PROOF,   /* of system/proof.h. `place`: Landlock's version; `number`: 16 bits of what was
                       tried, above those of what was refused */
    ERRAND_STOP,
    ERRAND_HANGUP,
    ERRAND_LAUNCHER, /* `number`: an enum errand_end; `place`: a process id, but of the next two */
    ERRAND_BEGIN,
    ERRAND_CONFIG,   /* `number`: 1 if it is `sidelock wrap`'s, 0 if it is the operator's file */
    ERRAND_START,    /* `place`: the surface's slot; `text`: its name */
    ERRAND_END,      /* `place`: the slot; `number`: the milliseconds that it has */
    ERRAND_DIAL,     /* `place`: the slot; `number`: of the question */
    ERRAND_DIALED,   /* the same two */
    ERRAND_UNDIALED, /* `place`: an errno; `number`: of the question */
    ERRAND_SERVICE,  /* `place`: the slot; `number`: an enum service_state; `text`: why; to
                        the parent, of one that is ready, the port that is served */
    ERRAND_PORTS,  /* `place`: the slot; `number`: the process id, 0 if there is none; `text`: ports
                    */
    ERRAND_FENCED, /* `place`: the slot; `number`: as of PROOF; `text`: the process id inside */
    ERRAND_EXITED, /* `place`: the slot; `number`: its wait status; `text`: why it never ran, or ""
                    */
    ERRAND_REFUSED, /* `place`: the slot; `text`: the file, "": more than are told */
    ERRAND_PROVE,   /* `place`: the slot */
    ERRAND_PROVEN,  /* the same; what was found, SERVICE has said before */
    ERRAND_LOOK,
    ERRAND_CALLER,   /* `place`: the uid; `number`: the inode of the client's socket */
    ERRAND_PROGRAM,  /* the same two; `text`: the program's path, "": it is not known */
    ERRAND_VISIT,    /* `place`: the slot; `number`: of the question; `text`: the session's id */
    ERRAND_LEAVE,    /* `place`: the slot; `text`: the session's id */
    ERRAND_FULL,     /* the same; `number`: an enum quota */
    ERRAND_LEFT,     /* the same; `number`: of the last VISIT that was taken */
    ERRAND_STANDARD, /* `number`: of the descriptor that comes along, 0 to 2; ERRAND_RECORD */
    ERRAND_ALONE,    /* `place`: the surface's slot; `text`: its name */
    ERRAND_OVER,  /* `place`: the slot; `number`: the wait status, ERRAND_NEVER_RAN; `text`: why */
    ERRAND_ENTER, /* `place`: the slot; `number`: of the question */
    ERRAND_SIGHT, /* `place`: the slot; `number`: an enum service_sight */
    ERRAND_PROCESSES, /* `place`: the slot; `number`: how many */
    ERRAND_LIMIT,     /* `place`: the slot; `number`: an enum service_limit */
    ERRAND_UNREACHED, /* `place`: the slot; `number`: the protocol (IPPROTO_TCP …) above 16 bits of
                         the port; `text`: the address, "": more than are told */
    ERRAND_KIND_COUNT
};

enum errand_gift {
    ERRAND_GIFT_CHANNEL = 0, /* always the first */
    ERRAND_GIFT_CONFIG,
    ERRAND_GIFT_ERRORS,
    ERRAND_GIFT_LISTENER,
    ERRAND_GIFT_COUNT
};

/* Whose end of a launcher's channels; or the looker. */
enum errand_end {
    ERRAND_END_STARTER = 0, /* none: /proc/self/status of what forked it */
    ERRAND_END_PROCESS,     /* none: its pidfd */
    ERRAND_END_PARENT,
    ERRAND_END_BROKER,
    ERRAND_END_LOOKER, /* the broker's channel to it */
    ERRAND_END_COUNT
};

/* Of UNDIALED, an errno that connect(2) never has: somebody listens who is not to. */
#define ERRAND_STRANGER EKEYREJECTED

/* What has become of a service. */
enum service_state {
    SERVICE_GONE = 0, /* nothing of it is left; what END is answered with */
    SERVICE_STARTING,
    SERVICE_READY,   /* it listens, and is served by nobody else on this host */
    SERVICE_WAITING, /* it has ended, and will be started again */
    SERVICE_EXPOSED, /* its port answers on this host: it was ended, and will be tried again */
    SERVICE_STOPPED, /* it has ended, and is not started again by itself */
    SERVICE_IDLE,    /* nothing of it is there until somebody asks for it; no launcher says so */
    SERVICE_STATE_COUNT
};

/* How far this host's listeners could be attributed to processes, when it was looked last. */
enum service_sight {
    SIGHT_NONE = 0, /* not at all: only its port was looked for */
    SIGHT_PART,     /* to those of the service's that may be looked into */
    SIGHT_TREE,     /* to all of the service's */
    SIGHT_HOST,     /* and those of its user that came since it was started, to others */
    SIGHT_COUNT
};

/* What a service may use no more of. */
enum service_limit { SERVICE_LIMIT_MEMORY = 0, SERVICE_LIMIT_PROCESSES, SERVICE_LIMIT_COUNT };

#define ERRAND_NEVER_RAN UINT32_MAX
#define ERRAND_STANDARDS 4
#define ERRAND_RECORD    3 /* where what the service does is told (launch/common/record.h) */

#define ERRAND_PORTS_SIZE 1024 /* "8081/tcp 5353/udp", with NUL */
#define ERRAND_SLOTS_SIZE 1024 /* of the list of all slots, with NUL */

struct errand {
    enum errand_kind kind;
    uint32_t place, number; /* 0 where the kind has no use for it */
    const char *text;       /* the surface's name, or why; borrowed */
};

void errand_encode(struct ipc_writer *writer, const struct errand *errand);
/* ERROR_SYNTAX: it is not exactly one. Its text points into the bytes. */
enum error errand_decode(const void *bytes, size_t length, struct errand *out) MUST_CHECK;
