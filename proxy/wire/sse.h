/*
 * text/event-stream (WHATWG HTML section 9.2), read as its bytes come and written
 * anew in one canonical form, so that what was vetted is what the other end reads.
 * LF, CR and CRLF each end a line wherever the bytes are split; a byte order mark
 * at the very start is dropped; the last of repeated fields counts, `data` lines
 * are joined with LF; unknown fields are dropped.
 */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

/* A longer `retry` is ignored like one that is not a number. */
#define SSE_RETRY_DIGITS_MAX 15

/*
 * A block of fields up to its empty line, or a comment. A block without has_data
 * is no event to a browser, but its id and retry count; one with has_data and no
 * data is an event (MCP primes its streams with an id and empty data). A field
 * that is not there is an absent span.
 */
struct sse_event {
    bool comment; /* a comment line, often a keep-alive; its text is dropped, nothing else is set */
    bool has_type, has_data, has_id, has_retry;
    struct span type; /* never empty: an empty type is the same as none */
    struct span data; /* UTF-8, lines end with LF */
    struct span id;   /* may be empty; holds no NUL */
    uint64_t retry_ms;
};

enum sse_progress {
    SSE_FAULT = 0,  /* not UTF-8, too long, NUL in a type, or out of memory; lasts */
    SSE_MORE,       /* all bytes were taken */
    SSE_EVENT,      /* *event is set; bytes may be left */
    SSE_PIECE,      /* of an event that is too long: event->data is more of its data, if any */
    SSE_PIECE_LAST, /* its end: *event is what it was, without its data */
};

#define SSE_PIECES_BYTES_MAX (UINT64_C(1) << 30) /* of an event in pieces; beyond is a fault */

/* A line of an event in pieces. */
enum sse_line { SSE_LINE_BEGINS = 0, SSE_LINE_DATA, SSE_LINE_OTHER };

/* Embedded by its user, who calls sse_clear. */
struct sse_parser {
    size_t max_bytes;   /* of an event with its fields and the line being read */
    struct buffer data; /* of the block so far, and behind it the line being read */
    struct buffer type, id;
    struct sse_event event; /* the flags and numbers of the block so far */
    size_t line_at;         /* where in data the present line begins */
    size_t touched;         /* of data's memory: what lies behind was never written */
    bool started;           /* behind the place of a byte order mark */
    bool after_cr;          /* a LF here belongs to the CR before */
    bool told;              /* the block was given out: the next call forgets it */
    bool too_long;          /* that was the fault */
    bool failed;
    bool gives_pieces; /* set by the user: an event that is too long is no fault */
    bool in_pieces, piece_told;
    enum sse_line line;
    char line_start[5]; /* of one that begins */
    unsigned char line_length;
    uint64_t given; /* bytes in pieces */
};

void sse_init(struct sse_parser *parser, size_t max_bytes);
void sse_clear(struct sse_parser *parser);
/* The memory that the bytes of an event take. */
static inline size_t sse_holds(const struct sse_parser *parser)
{
    const size_t data = parser->data.capacity;

    return (parser->touched < data ? parser->touched : data) + parser->type.capacity +
           parser->id.capacity;
}

/*
 * Takes bytes from the stream until an event is complete; *taken of them were
 * consumed. Call again with the rest. The spans of *event are valid until the
 * next call. A comment is told as soon as its line ends, also within an event.
 * What the end of the stream leaves incomplete is not an event.
 */
enum sse_progress sse_next(struct sse_parser *parser, const char *bytes, size_t length,
                           size_t *taken, struct sse_event *event);

/* What was told last is needed no more: the next call would say so, too. */
void sse_let_go(struct sse_parser *parser);
/* What is there so far of the data of an event that is coming; may move with the next call. */
struct span sse_so_far(const struct sse_parser *parser);

/*
 * Appends the canonical form: LF; event, id, retry, then each data line (of data
 * any CR, LF or CRLF begins a new one), an empty line. A comment is `:` and an
 * empty line. A type or id that would break the form fails the buffer.
 */
void sse_write(const struct sse_event *event, struct buffer *out);
