/* What workers are told, to one or to all. */
#pragma once

#include "broker/core/gate.h"
#include "ipc/messages.h"

struct worker_process;

/*
 * Tells the very process that asked what became of its question, a VERDICT or a LINK; if it
 * has gone, nobody. Takes `fd` (-1: none) over.
 */
void workers_answer(struct workers *workers, struct incarnation to, enum ipc_type type,
                    const void *message, int fd);

/* What every worker is told is in force within 100 ms. */
/*
 * Closes the live connections of a session (NULL: every session) with a reason's close code.
 * Told to those that hold some, or may keep MCP sessions of it; the others never hear of it.
 */
void workers_cut_session(struct workers *workers, const char *session_id, enum reason reason);
/* Closes every live connection of a surface. */
void workers_cut_surface(struct workers *workers, const struct surface_state *surface,
                         enum reason reason);
/* Those whose bit is set in `places` are ended: they do not do what they were told. */
void workers_end_holders(struct workers *workers, uint32_t places, const char *why);
/*
 * The session's live connections end at `expires_at` (seconds since the epoch). Told to those
 * that hold some.
 */
void workers_extend_session(struct workers *workers, const char *session_id, int64_t expires_at);
/* One more of the surface's listeners. ERROR_IO: it cannot be given on. */
enum error workers_send_listener(struct workers *workers, const struct surface_state *surface,
                                 const struct surface_listener *listener) MUST_CHECK;
/* What surfaces speak TLS with from now on. */
void workers_send_certificates(struct workers *workers);
/* To one of them; while others still wait for a slow worker, the newest wait. */
void worker_send_certificates(struct worker_process *process);
