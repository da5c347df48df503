/*
 * Where a message of a process goes: an answer to whoever asked, what concerns a request to where
 * its answer will come, anything else to whoever listens; and if nobody does, to one who waits for
 * an answer, or it waits itself (MCP, Streamable HTTP).
 */
#pragma once

#include "launch/relay/session.h"

/* Of child_events; `data` is the session. */
void deliver_line(void *data, struct span line);
void deliver_too_long(void *data);

/* A request waits for its first message for so long, since the process was started; then it is
 * answered by a stream. In the modern era an error has a status, so it is waited for. */
#define DELIVER_FIRST_MS  1000
#define DELIVER_MODERN_MS 30000
/* Those that have waited for so long. */
void deliver_tick(struct session *session, uint64_t now_ms);
/* What waited for somebody, to one who listens now. */
void deliver_backlog(struct session *session, struct link *link);
/* The process is read again, if nobody is full. */
void deliver_drained(struct session *session);
