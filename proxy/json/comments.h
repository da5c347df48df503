/*
 * Comments in JSON that people write: "//" to the end of the line, and the C language's, where
 * white space may stand. Editors call that JSONC. Nothing else of other dialects is taken: no
 * trailing commas, no "#".
 *
 * They become spaces, so that every other byte stays at its place, and a line on its number. What
 * hides in a comment would be read by nobody, and what looks like one need not be: control
 * characters, separators of lines, marks of direction and bytes that are no UTF-8 are faults.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"

struct json_comment_fault {
    size_t offset;    /* where the comment begins */
    const char *text; /* a static phrase: "a comment that is not closed" */
};

/* In place, of any bytes. ERROR_SYNTAX with the fault; what was blanked by then is. */
enum error json_comments_blank(char *text, size_t length,
                               struct json_comment_fault *fault) MUST_CHECK;

/*
 * The comment that begins at `at`, with its marks but without the line's end; an absent span if
 * none does, or it is not closed.
 */
struct span json_comment_at(const char *at, const char *end);
