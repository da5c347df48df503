/*
 * What a service answers to the POST of a route with `prepare`: a JSON object in
 * which one member is the last part of the path to upgrade on.
 */
#pragma once

#include "base/buffer.h"
#include "config/config.h"
#include "wire/http_head.h"

#define PREPARED_PATH_BYTES_MAX ((size_t)2 * REQUEST_PATH_BYTES_MAX)

/*
 * Reads an answer as far as it has come; with `ended` nothing will follow. HTTP_COMPLETE
 * with the path in `out`; HTTP_FAULT with *reason: UPSTREAM_REFUSED for a status that is
 * not 2xx, UPSTREAM_PROTOCOL for what names no path of one plain segment.
 */
enum http_progress prepared_path_read(const struct route_prepare *rule, struct span answer,
                                      bool ended, struct buffer *out, enum reason *reason);
