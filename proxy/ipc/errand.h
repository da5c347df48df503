/*
 * What the broker asks of the parent, which opens and spawns for it, and what it is told.
 *
 *   broker                                parent
 *                        over the channel for files, one at a time, each answered:
 *     READ ─────────────────────────────▶        read the configuration anew
 *     KEEP ─────────────────────────────▶        what was read last is in force
 *     LISTEN, MISSING, TLS ─────────────▶        open what a surface of it names
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
 *
 * No path and no address is ever in one: a surface is named, and what it names is in the
 * operator's file, which the parent has read itself.
 */
#pragma once

#include "base/error.h"
#include "ipc/wire_format.h"

enum errand_kind {
    ERRAND_NONE = 0,
    ERRAND_READ,
    ERRAND_KEEP,
    ERRAND_LISTEN,  /* `number`: which of the surface's addresses */
    ERRAND_MISSING, /* `number`: the port that 127.0.0.1 has */
    ERRAND_TLS,     /* `number`: an enum certificate_part */
    ERRAND_ANSWER,  /* `number`: an enum error; `place`: how many more belong to it; `text`: why */
    ERRAND_GIVE,    /* `number`: an enum errand_gift; `place`: the surface's slot of a listener */
    ERRAND_SPAWN,   /* `place`: the worker's index; `number`: connections it may have; `text`: slots
                     */
    ERRAND_READY,
    ERRAND_SPAWNED, /* `place`: the worker; `number`: its process id, 0 if there is none */
    ERRAND_ENDED,   /* `place`: the worker; `number`: its wait status */
    ERRAND_PROOF,   /* of system/proof.h. `place`: Landlock's version; `number`: 16 bits of what was
                       tried, above those of what was refused */
    ERRAND_STOP,
    ERRAND_HANGUP,
    ERRAND_KIND_COUNT
};

enum errand_gift {
    ERRAND_GIFT_CHANNEL = 0, /* always the first */
    ERRAND_GIFT_CONFIG,
    ERRAND_GIFT_ERRORS,
    ERRAND_GIFT_LISTENER,
    ERRAND_GIFT_COUNT
};

#define ERRAND_SLOTS_SIZE 1024 /* of the list of all slots, with NUL */

struct errand {
    enum errand_kind kind;
    uint32_t place, number; /* 0 where the kind has no use for it */
    const char *text;       /* the surface's name, or why; borrowed */
};

void errand_encode(struct ipc_writer *writer, const struct errand *errand);
/* ERROR_SYNTAX: it is not exactly one. Its text points into the bytes. */
enum error errand_decode(const void *bytes, size_t length, struct errand *out) MUST_CHECK;
