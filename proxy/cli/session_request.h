/* The request for a session, from the options that say what it is good for. */
#ifndef SIDELOCK_CLI_SESSION_REQUEST_H
#define SIDELOCK_CLI_SESSION_REQUEST_H

#include "base/buffer.h"
#include "base/text.h"

#include <stdint.h>

struct session_options {
    const char *params, *ttl; /* as given; NULL: not given */
    struct text_list verbs, targets, callers;
    bool once;
};

/* The lifetime in seconds. EX_OK, or EX_USAGE after saying why not. */
int session_request_ttl(const struct session_options *options, int64_t *out);
/* Appends the JSON body of a POST to /v1/sessions. EX_OK, or an exit code after saying why not. */
int session_request_build(const char *surface, const struct session_options *options,
                          struct buffer *out);

#endif
