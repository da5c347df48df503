/*
 * Where the body of an HTTP/1.1 message ends (RFC 9112 sections 6 and 7), for
 * requests of hostile clients and for answers of the service behind. What two
 * readers could frame differently is refused: both Content-Length and
 * Transfer-Encoding, several of either, codings other than exactly `chunked`.
 *
 * Only the payload comes out: chunk sizes, extensions and trailers are never
 * passed on, and whoever forwards frames the payload anew.
 */
#pragma once

#include "base/reason.h"
#include "base/text.h"
#include "wire/http_head.h"

#include <stdint.h>

/* Of one chunk's extensions; only answers may have them. */
#define HTTP_CHUNK_EXTENSION_BYTES_MAX 1024
/* 16 digits, CRLF and NUL. */
#define HTTP_CHUNK_HEADER_MAX 19
/* Ends a chunked body. */
#define HTTP_LAST_CHUNK "0\r\n\r\n"

enum http_body_kind {
    HTTP_BODY_NONE = 0,
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKED,
    HTTP_BODY_UNTIL_CLOSE, /* answers only: the end of the connection is the end of the body */
};

/* Embedded by its user; owns nothing. `stage` and below belong to http_body_next. */
struct http_body {
    enum http_body_kind kind;
    uint64_t left;   /* payload bytes to come: of the body if LENGTH, of this chunk if CHUNKED */
    bool done;       /* nothing of the body is to come */
    bool strict;     /* of a client: no chunk extensions, no trailers */
    bool has_length; /* a valid Content-Length was sent, also with an answer to HEAD or a 304 */
    uint64_t length; /* that */
    bool closes;     /* answers: this connection to the service is not to be used again */
    uint8_t stage;   /* within the framing of chunks */
    uint8_t digits;  /* of the chunk's size so far */
    uint8_t fault;   /* for http_body_fault */
    uint16_t extra_bytes; /* of its extensions, or of the trailers */
};

/*
 * How the body of this request is framed. Refusals: causes of LENGTH_REQUIRED for a
 * Transfer-Encoding other than one `chunked` (also for that unless
 * `chunked_allowed`), for one beside a Content-Length, and for a Content-Length
 * that is not 1 to 19 digits; HEADER_DUPLICATE for several Content-Lengths.
 */
enum reason http_body_of_request(const struct http_request *request, bool chunked_allowed,
                                 struct http_body *out);

/*
 * How the body of this answer to a request with this method is framed (RFC 9112
 * section 6.3): none for HEAD, for CONNECT that succeeded, and for the statuses
 * 1xx, 204 and 304. The only refusal is REASON_ANSWER_FRAMING.
 */
enum reason http_body_of_response(const struct http_response *response, struct span method,
                                  struct http_body *out);

/*
 * Takes bytes from the wire: *taken of them were consumed, framing and payload,
 * and *piece is the payload among them, which may be empty and points into
 * `bytes`. HTTP_MORE: call again, with the rest if *taken < length, else with
 * more; a call with bytes always takes some. HTTP_COMPLETE: the body has ended
 * (*piece may be its last), bytes after *taken are of the next message.
 * HTTP_FAULT: malformed; *piece is empty.
 */
enum http_progress http_body_next(struct http_body *body, const char *bytes, size_t length,
                                  size_t *taken, struct span *piece);

/* Why http_body_next() says HTTP_FAULT of a client's body: a cause of MALFORMED. */
enum reason http_body_fault(const struct http_body *body);

/* Writes the head of a chunk of `length` bytes, and NUL; returns how many bytes before the NUL.
 * The chunk ends with CRLF, the body with HTTP_LAST_CHUNK; so length must not be 0. */
size_t http_chunk_header(char out[HTTP_CHUNK_HEADER_MAX], uint64_t length);
