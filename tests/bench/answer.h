/*
 * The service's answers: a tools/call result of a wanted size, of
 * text such as tools give: lines of words, numbers and paths, with the escapes
 * and the letters outside ASCII that JSON text has. The text is made once;
 * an answer is a head, a part of that text and a tail.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ANSWER_BODY_BYTES_MIN 192
#define ANSWER_BODY_BYTES_MAX (4U << 20)
#define ANSWER_HEAD_BYTES     256

struct answer {
    char head[ANSWER_HEAD_BYTES]; /* HTTP's and JSON's */
    size_t head_bytes;
    size_t text_bytes;
    size_t padding; /* blanks after the text, which ends with a whole word */
    size_t sent;
};

enum answer_progress { ANSWER_FAILED = -1, ANSWER_PARTIAL = 0, ANSWER_WHOLE = 1 };

/* Makes the text; to be called once. */
void answer_prepare(void);

/*
 * Begins the answer to the request with this id (its digits), over HTTP with these
 * fields beside the usual ones, or, where they are NULL, as one frame of a WebSocket: the
 * body will have exactly `body_bytes`. False if that is out of the bounds above.
 */
bool answer_begin(struct answer *answer, const char *id, size_t id_bytes, size_t body_bytes,
                  const char *fields);

/* Writes what the socket takes; ANSWER_PARTIAL: it is to be called again. */
enum answer_progress answer_write(struct answer *answer, int fd);
