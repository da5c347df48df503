/* The JSON that operators bring or may see: a session's creation, and a record with its secrets
 * masked. */
#pragma once

#include "broker/operations/operation.h"

/*
 * Reads the body of a session's creation strictly: unknown members, wrong types
 * and duplicate keys are errors. What it asks for is set in *out, for
 * sessions_create(); after an error nothing is.
 */
enum error control_input_session(struct operation *operation, struct span body, struct session *out,
                                 int64_t *ttl_s) MUST_CHECK;

/* Reads the body of a renewal: nothing, or an object with `ttl_s` alone. */
enum error control_input_renewal(struct operation *operation, struct span body,
                                 int64_t *ttl_s) MUST_CHECK;

/*
 * Appends a parameter record: as it was put with `reveal`, else compact, with every
 * string and number replaced by "***" but those of the members `type`, `command` and `cwd`
 * and the scheme and host of `url`; below `env` and `headers` nothing is spared.
 * So a secret is not shown wherever it lies; names of members are.
 */
enum error control_input_mask(struct buffer *out, struct span record, bool reveal) MUST_CHECK;
