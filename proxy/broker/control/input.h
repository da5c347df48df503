/* The JSON that operators bring or may see: a session's creation, and a record with its secrets
 * masked. */
#ifndef SIDELOCK_BROKER_CONTROL_INPUT_H
#define SIDELOCK_BROKER_CONTROL_INPUT_H

#include "broker/operations/sessions.h"

/*
 * Reads the body of a session's creation strictly: unknown members, wrong types
 * and duplicate keys are errors, with one sentence in `why`. *document holds
 * what `out` borrows, until control_input_clear() frees both.
 */
struct json_t;
enum error control_input_session(struct span body, struct session_request *out,
                                 struct json_t **document, char *why, size_t why_size) MUST_CHECK;
void control_input_clear(struct json_t *document, struct session_request *request);

/* Reads the body of a renewal: nothing, or an object with `ttl_s` alone. */
enum error control_input_renewal(struct span body, int64_t *ttl_s, char *why,
                                 size_t why_size) MUST_CHECK;

/*
 * Appends a parameter record: as it was put with `reveal`, else compact, with every
 * string and number replaced by "***" but those of the members `type`, `command` and `cwd`
 * and the scheme and host of `url`; below `env` and `headers` nothing is spared.
 * So a secret is not shown wherever it lies; names of members are.
 */
enum error control_input_mask(struct buffer *out, struct span record, bool reveal) MUST_CHECK;

#endif
