/*
 * The memory that a worker holds for those who were granted something: messages and bodies
 * that are not whole yet, answers that are being looked into, and what its receiver has
 * not taken. There is a budget for all of it (worker_memory_bytes), and no session has more than
 * half. Beyond either the session with most gives way, its connections one after the other, whoever
 * has kept us waiting longest first.
 *
 * A mode says what its connection holds whenever that may have changed; nobody is dropped
 * before held_check(), which stands at the end of what the loop calls. What a connection may
 * hold beside that is HELD_FREE_BYTES, and what TLS needs.
 */
#pragma once

#include "worker/client/connection.h"

#define HELD_FREE_BYTES (32 * 1024) /* of each connection: not counted */

/* For held_note(). */
void held_set(struct connection *connection, size_t bytes);
/* Drops whoever gives way, which may be the one that is being served. */
void held_shed(struct worker *worker);

/* Says how many bytes it holds now. Who has no grant is about to let go of them. */
static inline void held_note(struct connection *connection, size_t bytes)
{
    if (bytes <= HELD_FREE_BYTES || !connection->has_room)
        bytes = 0;
    if (bytes > UINT32_MAX)
        bytes = UINT32_MAX;
    if (bytes != connection->held_bytes)
        held_set(connection, bytes);
}

static inline void held_check(struct worker *worker)
{
    if (worker->held_over)
        held_shed(worker);
}
