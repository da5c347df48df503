/* Whether a target is on a list of globs, and whether a glob can be trusted to say so. */
#pragma once

#include "dialect/dialect.h"

/*
 * Whether a target may mean something else to the service than the bytes say:
 * control characters; in a URI (RFC 3986) also "..", backslashes, and percent
 * signs that hide a dot, a slash, a backslash or another percent sign, or that
 * are not followed by two digits.
 */
bool target_is_ambiguous(struct span target, enum target_kind kind);

bool target_is_listed(const struct text_list *globs, struct span target);

/*
 * Whether a target is on both lists, of which one that is NULL sets no limit.
 * REASON_ALLOWED, REASON_TARGET_AMBIGUOUS, REASON_TARGET_REFUSED.
 */
enum reason target_check(const struct text_list *targets, const struct text_list *session_targets,
                         struct span target, enum target_kind kind);
