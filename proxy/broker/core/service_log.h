/* What becomes of launched services, in the audit log. Used by services.c. */
#pragma once

#include "broker/core/gate.h"
#include "ipc/errand.h"

/* Its first process is there. */
void service_log_start(struct gate *gate, const struct surface_state *surface);
/* It has come to be served, or is not since its port is somebody else's, too. */
/* Somebody listens at its address who is not to: `why` of the service says who. */
void service_log_stranger(struct gate *gate, const struct surface_state *surface);
void service_log_state(struct gate *gate, const struct surface_state *surface);
/* A file that it tried to execute, or to load code from, and may not; "": more than are told. */
void service_log_execution(struct gate *gate, const struct surface_state *surface,
                           const char *path);
/* It has reached a limit of what it may use. */
void service_log_limit(struct gate *gate, const struct surface_state *surface,
                       enum service_limit limit);
/* An address that it tried to connect to, and may not ("": more than are told), and by which
 * protocol, above 16 bits of the port. */
void service_log_connection(struct gate *gate, const struct surface_state *surface,
                            const char *address, uint32_t where);
/* The launcher refused a session a process of a stdio service, for a row of policy/quota.h. */
void service_log_refused(struct gate *gate, const struct surface_state *surface,
                         const char *session, enum quota row);
/* It is ended since nobody asks for it. */
void service_log_idle(struct gate *gate, const struct surface_state *surface);
/* Nothing of it is left: the wait status of what was started, or (not "") what failed before. */
void service_log_end(struct gate *gate, const struct surface_state *surface, int status,
                     const char *failed);
