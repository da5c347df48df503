/*
 * The content gates that need no more than the route says: what passes as it is, a
 * request's body that must be the stored one, an answer whose URLs are rewritten.
 */
#pragma once

#include "config/config.h"
#include "wire/http_request.h"
#include "worker/http/gate.h"

const struct content_gate *content_gate_of(const struct route *route);
/* Whether a request's type and coding are such that its body can be read as JSON. */
enum reason content_check_json(const struct http_request *request);
