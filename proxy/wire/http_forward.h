/*
 * Which headers travel between a client and the service behind, both ways. Pure:
 * parsed head in, canonical lines out, one space behind the colon. What framed
 * or steered one connection (RFC 9110 section 7.6.1) stays with it, and what a
 * service would believe of a reverse proxy (who asks, from where, for which host,
 * path or method) does not pass, nor does a name with other signs than hyphens.
 */
#pragma once

#include "base/buffer.h"
#include "base/text.h"
#include "wire/http_body.h"
#include "wire/http_head.h"

/* Of the elements of a message's Connection headers. */
#define HTTP_CONNECTION_NAMES_MAX 16

/*
 * Login cookies begin so, behind `__Host-` or `__Secure-` if any. Browsers send
 * a host's cookies to all its ports: those of every surface are cut out, and a
 * service can set none of them.
 */
#define HTTP_LOGIN_COOKIE_PREFIX "sidelock-"

struct http_forward_request_options {
    const char *host;                /* what Host will be sent; Origin becomes http://<host> */
    bool host_public;                /* the client's own Host is sent: Origin and Referer pass */
    bool identity_encoding;          /* the answer will be read: Accept-Encoding: identity */
    const struct text_list *readmit; /* lower case; of the trusted headers, pass; NULL: none */
    const struct http_body *body;    /* to announce: NONE, LENGTH (of `left`) or CHUNKED */
};

/*
 * Appends the header lines towards the service, without request line, Host and
 * the empty line. REASON_CONNECTION_NAMES if Connection names a header that was
 * judged, as if it were not sent, or too many headers.
 */
enum reason http_forward_request(const struct http_forward_request_options *options,
                                 const struct http_request *request, struct buffer *out);

struct http_forward_response_options {
    const char *host;             /* the Host that was sent: URLs of it become relative */
    unsigned port;                /* that the client came to: so do those of this machine and it */
    struct span path;             /* that was asked for, as it was sent */
    const struct http_body *body; /* to announce; UNTIL_CLOSE implies `close`. NONE with has_length
                                     announces the length, as an answer to HEAD does */
    bool close;                   /* the connection to the client ends behind this answer */
};

/* Appends a whole head towards the client. REASON_ANSWER_HEAD: likewise. */
enum reason http_forward_response(const struct http_forward_response_options *options,
                                  const struct http_response *response, struct buffer *out);
