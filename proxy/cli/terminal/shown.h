/* Text for people: what may not be shown (text_escape in base/text.h) is escaped. */
#pragma once

#include "base/text.h"

#include <stdio.h>

/* Part of one line: a line's end within it is escaped, too. */
void shown_text(FILE *stream, const char *text);
void shown_bytes(FILE *stream, const char *bytes, size_t length);
/* Whole lines, or JSON, whose escapes these are: line ends and tabs stay. */
void shown_document(FILE *stream, const char *bytes, size_t length);
