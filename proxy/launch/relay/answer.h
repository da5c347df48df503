/* What is said on a link: whole answers, streams of events, frames. */
#pragma once

#include "launch/relay/link.h"

/* Without a body. `more`: a header line with its end, or "". */
void answer_status(struct link *link, unsigned status, const char *more);
/* A message as the whole body. `session_id` goes along unless it is "". */
void answer_message(struct link *link, unsigned status, struct span message,
                    const char *session_id);
/* An error of ours, in answer to the request that it carries; an event if the stream has begun. */
void answer_error(struct link *link, unsigned status, int code, const char *message,
                  const char *reason);
/* The head of a stream. */
void answer_begin(struct link *link, const char *session_id);
/* A message as an event, and the end. */
void answer_event(struct link *link, struct span message);
void answer_end(struct link *link);
/* A message as a frame. */
void answer_frame(struct link *link, struct span message);
/* An event as it is written, for later. */
void answer_keep(struct buffer *out, struct span message);
void answer_kept(struct link *link, struct buffer *kept);
