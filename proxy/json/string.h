/*
 * The inside of JSON strings in bulk: a large message is mostly text, and its
 * text is mostly plain. What is skipped here is beyond doubt; whatever is not is
 * left to the reader that looks at every byte (json_scan.c), who decides alone
 * what is a fault.
 */
#pragma once

#include <stdbool.h>

/*
 * `at` is inside a string, at the start of a character. Returns where the reader
 * has to go on, at the start of a character or an escape: everything before it
 * is valid UTF-8 without controls and bare quotes, and the escapes in it are
 * those of one letter (RFC 8259 section 7). *escaped becomes true if there are
 * any. May return `at` itself; always does on processors without SSE2.
 */
const unsigned char *json_string_skip(const unsigned char *at, const unsigned char *end,
                                      bool *escaped);
