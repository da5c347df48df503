/* The request for a session, from the options that say what it is good for. */
#pragma once

#include "base/text.h"

#include <stdint.h>

struct json_t; /* jansson's */

struct session_options {
    const char *params, *ttl; /* as given; NULL: not given */
    struct text_list verbs, targets, callers;
    bool once;
};

/* Rows of a table of options; --ttl is not among them, nor is --caller. */
#define SESSION_OPTIONS(options, of_group)                                                         \
    {.name = "--params",                                                                           \
     .takes = "NAME",                                                                              \
     .about = "the parameter record that it is bound to",                                          \
     .value = &(options).params,                                                                   \
     .group = (of_group)},                                                                         \
        {.name = "--allow",                                                                        \
         .takes = "VERB",                                                                          \
         .about = "what may be asked for, of what the surface allows; may be repeated",            \
         .list = &(options).verbs,                                                                 \
         .group = (of_group)},                                                                     \
    {                                                                                              \
        .name = "--tool", .takes = "GLOB",                                                         \
        .about = "targets that may be named, of what the surface allows; may be repeated",         \
        .list = &(options).targets, .group = (of_group)                                            \
    }

void session_options_clear(struct session_options *options);
/* The lifetime in seconds. EX_OK, or EX_USAGE after saying why not. */
int session_request_ttl(const struct session_options *options, int64_t *out);
/* The JSON body of a POST to /v1/sessions. EX_OK, or an exit code after saying why not. */
int session_request_build(const char *surface, const struct session_options *options,
                          struct json_t **out);
