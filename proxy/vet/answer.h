/*
 * What a service's answer may hold beside the answer: requests to the client
 * (a vocabulary's "asks"), and lists of what the client could aim at (a verb's
 * "filter"). Private to vet/.
 */
#pragma once

#include "vet/rules.h"

struct vet_answer {
    struct json_scan *scan; /* of the answer; what it holds is gone afterwards */
    struct span text;       /* the answer */
    const struct vet_rules *rules;
    struct span verb; /* of the request that is answered */
};

/*
 * Checks a JSON-RPC answer. Refused are an answer that asks for a verb that the
 * service may not use (REASON_VERB_REFUSED), one whose asking cannot be read,
 * and one whose list is none or has a look-alike beside it. If items were cut
 * out of the list, the text without them is appended to `forward`; otherwise
 * nothing is.
 */
enum reason vet_answer_check(const struct vet_answer *answer, struct buffer *forward);
