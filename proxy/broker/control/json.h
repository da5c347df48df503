/*
 * The control API's documents: what is stored and running, as JSON; NULL: memory has run out.
 */
#pragma once

#include "broker/operations/operation.h"
#include "setup/difference.h"

struct json_t;

/* "2026-01-02T03:04:05Z" (RFC 3339, UTC); null for 0. */
struct json_t *control_json_time(int64_t seconds);

/* A parameter record without its value. */
struct json_t *control_json_params(const struct store_params *params);
struct json_t *control_json_session(const struct gate *gate, const struct session *session,
                                    int64_t now);
/* The answer to a session's creation. */
struct json_t *control_json_created(const struct session *session, const char *token);
struct json_t *control_json_surface(const struct gate *gate, const struct surface_state *surface);
/* What a kill, or its rehearsal, came to: the surface or (of all) the surfaces, and figures. */
struct json_t *control_json_killed(const struct operation *operation, bool rehearsed);
/* All surfaces, as an array. */
struct json_t *control_json_surfaces(const struct gate *gate);
/* {"ready", "why"}: reasons, none if it serves. */
struct json_t *control_json_health(const struct gate *gate);
struct json_t *control_json_status(const struct gate *gate, size_t sessions_active, int64_t now);
/* What is other now, and what the surfaces that speak TLS show to clients. */
struct json_t *control_json_reload(const struct gate *gate, const struct difference *difference);
