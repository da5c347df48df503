/*
 * Credentials of ours where none belong: in URLs, which end up in histories and logs, and in
 * headers that go on to the service. They are found by their form wherever they stand, as they are
 * or percent-encoded, whatever is around them. Whether one is ours only who has the keys can say:
 * a judge is asked. Pure, and linear in the text.
 */
#pragma once

#include "policy/admission.h"

#define STRAY_JUDGED_MAX 8  /* of one request: to judge is to compute a signature */
#define STRAY_FOUND_MAX  64 /* the same, with what is found again where it is decoded */
#define STRAY_MARK       "\u2026redacted\u2026"

/* Whether it is one of ours. A LOGIN_CODE may also be a ticket. */
typedef bool stray_judge(void *context, const struct credential *found);

/* A search through the parts of one request. */
struct stray {
    stray_judge *judge; /* NULL: whatever has the form is one */
    void *context;
    unsigned judged; /* after STRAY_JUDGED_MAX, too, whatever has the form is one */
    unsigned found;  /* and after STRAY_FOUND_MAX */
};

/*
 * Whether there is one in a text (absent: no). All that have the form are judged, not only the
 * first. `words`: what has nothing of a ticket or a login code but the length counts as well, which
 * is for the gate's own paths.
 */
bool stray_in(struct stray *stray, struct span text, bool words);

/*
 * For logs: appends the text with a mark in the place of whatever has the form; false, and nothing
 * is appended, if there is nothing of it.
 */
bool stray_redact(struct span text, struct buffer *out);
