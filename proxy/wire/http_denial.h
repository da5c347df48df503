/*
 * The answers by which Sidelock refuses a request: a problem document (RFC
 * 9457), or for a browser that was to show a page, a page with the same words
 * and what a person can do.
 */
#pragma once

#include "base/buffer.h"
#include "wire/http_head.h"

/* What a denial says. */
struct http_denial {
    enum reason reason;
    const char *seen;       /* of the request, or of the service's answer; NULL: nothing */
    const char *request_id; /* so that a person can find the audit line */
    bool head_only;         /* answer to HEAD: no body */
    bool page;              /* for a person */
    bool again;             /* COOKIE_ORIGIN, and nothing said which page asked: a link of the page
                               to itself does, for nobody else can click it */
    const char *surface;    /* named on a page; NULL: not */
    const char *allow;      /* with status 405: the methods that are taken; NULL: GET */
};

/* Appends a complete response, Connection: close. */
void http_denial_write(const struct http_denial *denial, struct buffer *out);

/*
 * Whether a browser would show the answer as a page: Sec-Fetch-Mode (Fetch
 * Metadata section 2.2) is navigate, or from one that does not send it,
 * Accept lists text/html.
 */
bool http_denial_wants_page(const struct http_request *request);
