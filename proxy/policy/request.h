/*
 * One HTTP request as the worker understood it: what admission decides on and
 * what travels to the broker. Strings are borrowed, NUL-terminated and free of
 * control bytes; NULL means that the header was absent.
 */
#pragma once

#include "base/text.h"
#include "wire/http_head.h"

#include <stdbool.h>
#include <stdint.h>

struct request {
    const char *method;
    const char *raw_path; /* as sent: what the service gets */
    const char *path;     /* decoded (wire/url.h): the form routes match on; NULL: it has none */
    const char *query;    /* raw, without '?'; NULL: none */
    const char *host;
    const char *origin;
    const char *authorization;
    const char *cookie;       /* values of the surface's own login cookie; NULL: none was sent */
    const char *fetch_site;   /* Sec-Fetch-Site */
    const char *referer;      /* if there is a login cookie; NULL also if it is too long */
    const char *certificate;  /* SHA-256 of the client's, hex; NULL: none */
    const char *login_code;   /* the body of a request to the gate's own paths; else NULL */
    const char *strays;       /* values of other headers in which a credential of ours may stand */
    bool secure;              /* came over TLS */
    const char *subprotocols; /* Sec-WebSocket-Protocol as sent */
    bool upgrade;             /* a valid WebSocket upgrade was asked for */
    const uint8_t *peer; /* the client's address, 16 bytes, IPv4 as ::ffff:…; NULL: not known */
    bool caller_known;
    uint32_t caller_uid;         /* meaningful only if caller_known */
    const uint32_t *caller_gids; /* that user's groups; NULL: not known, or not asked for */
    size_t caller_gid_count;
    const char *caller_program; /* the path of what calls; NULL: not known */
    bool caller_program_looked; /* false: it was not looked for */
};
