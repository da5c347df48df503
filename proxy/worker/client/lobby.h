/*
 * The lobby: connections that were granted nothing yet, or nothing any more. They are in
 * TLS's handshake, silent, in the middle of a head, asked about, denied and lingering,
 * or saying goodbye; they may use whatever room the worker has, and it is they who
 * give way when there is none: never one that was admitted.
 */
#pragma once

#include "worker/client/connection.h"

/*
 * Who gives way next, or NULL: of the surface and caller that have most in the lobby, first
 * those that were told their last word, then those whose head has been waited for longest. Who has
 * only come, and who is asked about, keeps its place for a while: no more are let in meanwhile,
 * for nobody else's place is taken for theirs.
 */
struct connection *lobby_last_in_line(const struct worker *worker);
/* Ends that one. False: there is none. */
bool lobby_make_room(struct worker *worker);
