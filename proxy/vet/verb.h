/* Whether a verb may be used at all, and with these arguments; where its target may lie is
 * target.h's. */
#pragma once

#include "vet/rules.h"

/*
 * Whether a verb may be used in a direction; `rule` is its rule, NULL for one that is in no table
 * and known all the same. REASON_ALLOWED, REASON_VERB_CLOSED,
 * REASON_EXTENSION_OFF, REASON_VERB_REFUSED.
 */
enum reason verb_check(const struct vet_rules *rules, enum direction direction,
                       const struct verb_rule *rule, struct span verb);
/* Whether the members that a client's verb limits have values that it permits; the scan is the
 * message's. REASON_ALLOWED, REASON_ARGUMENT_REFUSED, REASON_KEY_RESEMBLES. */
enum reason verb_check_arguments(const struct vet_rules *rules, const struct json_scan *scan,
                                 const struct verb_rule *rule);
