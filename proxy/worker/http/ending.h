/*
 * How an exchange ends before its time, whatever the reason: the client is told by a denial, or by
 * the content gate in the words of the dialect, in place of an answer or at the end of what it
 * has of one; the service by what the gate kept for it (reply_write()).
 */
#pragma once

#include "worker/http/exchange.h"

/* Ends the grant, and what was kept for it. */
void ending_grant(struct exchange *exchange, enum reason reason);
/* A connection's mode's. */
void ending_drop(struct connection *connection, enum reason reason);
/* Of an exchange that is parting: the service was told its last, or cannot be. */
void ending_depart(struct exchange *exchange);
