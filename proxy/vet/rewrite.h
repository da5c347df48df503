/*
 * Rewrites the URLs in a service's JSON answer that name the service's own
 * address, so that they lead a client through the gate (struct route_answer).
 * All else stays byte for byte. And of a request body that the client may not
 * choose (struct route_body): what is compared with the stored record. Nothing of
 * its bytes reaches the service, so all else in that body may be what it likes.
 */
#pragma once

#include "base/buffer.h"
#include "base/secret.h"
#include "config/config.h"

struct rewrite_addresses {
    const struct json_limits *limits; /* of the answer; NULL: of documents */
    const char *sent;                 /* the Host that the service was asked with */
    const char *client;               /* the Host that the client asked with */
    bool secure;                      /* the client came over TLS */
};

/*
 * Rewrites the members that the route names, of the top object or of the
 * objects in the top array. In an http, https, ws or wss URL whose authority is
 * `sent` it becomes `client`, and the scheme the one that is secure or not, as
 * the client's side is; with strip_query any such member's query goes, a
 * relative URL's too. Members that are no strings stay as they are; a string that spells no
 * Unicode text is no URL: JSON_SURROGATE.
 *
 * REASON_ALLOWED, and the new text appended to `out`, or nothing if nothing
 * changed; the JSON_* reason of a text that is not strict JSON;
 * REASON_JSON_REWRITTEN if `out` has no room for the new text.
 */
enum reason rewrite_answer(struct json_scan *scan, const struct route_answer *route,
                           const struct rewrite_addresses *addresses, struct span text,
                           struct buffer *out);

/*
 * The digest (canonical_text_digest()) of the body's member that the route names,
 * to be compared with params_part_digest() of the stored record. REASON_ALLOWED
 * with the digest in `out`; the JSON_* reason of a body that is not strict
 * JSON; REASON_VALUE_MISMATCH for one that is no object, does not have the
 * member, has something that resembles it, or has a value that no record can.
 */
enum reason stored_body_digest(struct json_scan *scan, const struct route_body *route,
                               struct span body, char out[SHA256_HEX_SIZE]);
