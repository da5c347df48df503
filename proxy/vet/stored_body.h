/*
 * A request body that the client may not choose (struct route_body): what of it
 * is compared with the stored record. Nothing of the client's bytes reaches the
 * service, so all else in the body may be what it likes.
 */
#pragma once

#include "base/secret.h"
#include "config/config.h"

/*
 * The digest (canonical_text_digest()) of the body's member that the route names,
 * to be compared with params_part_digest() of the stored record. REASON_ALLOWED
 * with the digest in `out`; the JSON_* reason of a body that is not strict
 * JSON; REASON_VALUE_MISMATCH for one that is no object, does not have the
 * member, has something that resembles it, or has a value that no record can.
 */
enum reason stored_body_digest(struct json_scan *scan, const struct route_body *route,
                               struct span body, char out[SHA256_HEX_SIZE]);
