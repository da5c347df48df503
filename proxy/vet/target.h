/* Whether targets are permitted, and whether a glob can be trusted to say so. */
#pragma once

#include "vet/rules.h"

#define TARGETS_MAX 1024 /* in the lists of one message */

/*
 * Whether a target may mean something else to the service than the bytes say:
 * control characters; in a URI (RFC 3986) also "..", backslashes, and percent
 * signs that hide a dot, a slash, a backslash or another percent sign, or that
 * are not followed by two digits.
 */
bool target_is_ambiguous(struct span target, enum target_kind kind);

bool target_is_listed(const struct text_list *globs, struct span target);

/*
 * Whether a target is on both of the rules' lists, of which one that is NULL sets no limit;
 * a handle, whether it is the session's. REASON_ALLOWED, REASON_TARGET_AMBIGUOUS,
 * REASON_TARGET_REFUSED, REASON_HANDLE_UNKNOWN.
 */
enum reason target_check(const struct vet_rules *rules, struct span target, enum target_kind kind);
/*
 * Whether all that a message is aimed at is permitted, and within its verb's own globs. The
 * message's target is then the one that is not. Also REASON_TARGET_MISSING for an element
 * that is none, REASON_TARGET_LIMIT.
 */
enum reason target_check_message(const struct vet_rules *rules, struct message *message);
/* Whether the handles that a client's request names beside its target are the session's; the scan
 * is the message's. REASON_ALLOWED, REASON_KEY_RESEMBLES, REASON_HANDLE_UNKNOWN. */
enum reason target_check_related(const struct vet_rules *rules, const struct json_scan *scan,
                                 const struct message *message);
