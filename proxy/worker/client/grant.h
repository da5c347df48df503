/* What the broker granted a connection: kept from the verdict to its end, which is told. */
#pragma once

#include "worker/client/connection.h"

/* The broker's yes, if there is room: from here on its end is told, whatever happens. */
enum reason grant_begin(struct connection *connection,
                        const struct ipc_verdict *verdict) MUST_CHECK;
/* A yes for a connection that has gone meanwhile, perhaps with its surface: its end is told, and
 * the link closed. */
void grant_decline(struct worker *worker, const struct ipc_verdict *verdict, int fd);
/* Ends the grant, if there is one, and tells the broker. */
void grant_end(struct connection *connection, enum reason reason);
/* What may be said on the connection's route, to its session. */
struct vet_rules grant_rules(const struct connection *connection);
/* What the surface's service gave to its sessions. */
struct handles *grant_handles(const struct connection *connection);
/*
 * Counts what was vetted, and tells what was refused. Where too much of what a client says is,
 * the connection is to be quiet (`quiet_until_ms`), or to end once the client has its answer.
 */
void grant_note(struct connection *connection, enum direction direction,
                const struct vet_result *result);
