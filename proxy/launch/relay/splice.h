/* Ids that are put in the place of others within a message. Without I/O. */
#pragma once

#include "connect/message/rpc.h"

/* What stands in a message, and what is to stand there; an absent span: nothing is. */
struct splice {
    struct span old;
    const char *with;
};

/* The message with both, in whichever order they stand. */
void splice_write(struct buffer *out, struct span text, struct splice one, struct splice other);

/*
 * In the message that `scan` has read last: the token of a request for its progress
 * (params._meta.progressToken), that of a notification about it (params.progressToken), and which
 * subscription a notification is for. Absent if there is none.
 */
struct span splice_asked_token(const struct json_scan *scan);
struct span splice_told_token(const struct json_scan *scan);
struct span splice_subscription(const struct json_scan *scan);
