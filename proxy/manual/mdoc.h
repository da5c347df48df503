/* Text as mdoc(7), which is what pages of the manual are written in. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#ifndef SIDELOCK_DATE
#define SIDELOCK_DATE "January 1, 1970" /* of the version, as mdoc has it; the build says it */
#endif

/*
 * Sentences, filled into lines as mandoc wants them: none longer than it likes, each sentence on
 * lines of its own. `code` stands in bold, and so do options.
 */
void mdoc_text(FILE *out, const char *text);
/* A phrase, as a sentence. */
void mdoc_phrase(FILE *out, const char *text);
/* A text that stays as it is, line by line. */
void mdoc_literal(FILE *out, const char *text, size_t length);
/* How a verb is called: options in bold, what they take in italics; on one line, without a newline.
 */
void mdoc_usage(FILE *out, const char *usage);
/* A macro's argument, so that nothing in it is taken for a macro or for punctuation. */
void mdoc_argument(FILE *out, const char *text);
