/*
 * What a service's answer may hold beside the answer: requests to the client
 * (a vocabulary's "asks"), and lists of what the client could aim at (a verb's
 * "filter"). Private to vet/.
 */
#pragma once

#include "vet/rules.h"

/* The most by which an answer that is written anew is longer. */
#define VET_ANSWER_ADDED_BYTES (DIALECT_NAME_BYTES_MAX + 32)

struct vet_answer {
    struct json_scan *scan; /* of the answer; what it holds is gone afterwards */
    struct span text;       /* the answer */
    const struct vet_rules *rules;
    struct span verb; /* of the request that is answered */
};

/* Whether nothing is recorded but the members of the message: most answers hold nothing that a
 * dialect looks for. */
bool vet_answer_is_plain(const struct json_scan *scan);
/*
 * Checks what the object `top` ("result", or "params" of what else the service says) asks of
 * the client. Refused are a verb that the service may not use (verb_check), and
 * asking that cannot be read. What the scan holds is gone afterwards.
 */
enum reason vet_asks_check(const struct vet_answer *answer, const char *top);
/* The same of an error (NULL: there is none), which asks by what its data has. */
enum reason vet_error_check(const struct vet_rules *rules, const struct json_member *error);
/*
 * Checks a JSON-RPC answer: both of these, and refused is one whose list is none or
 * has a look-alike beside it. If items were cut out of the list, the text without
 * them is appended to `forward`; otherwise nothing is.
 */
enum reason vet_answer_check(const struct vet_answer *answer, struct buffer *forward);
