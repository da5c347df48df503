/* The control API's documents: what is stored and running, as JSON or Prometheus text, and back. */
#ifndef SIDELOCK_BROKER_CONTROL_JSON_H
#define SIDELOCK_BROKER_CONTROL_JSON_H

#include "broker/broker.h"
#include "broker/operations/switches.h"

#define CONTROL_TIME_SIZE 32 /* an RFC 3339 time with its NUL */

/* "2026-01-02T03:04:05Z" (RFC 3339, UTC). */
void control_json_time(int64_t seconds, char out[CONTROL_TIME_SIZE]);
void control_json_text(struct buffer *out, const char *text);

void control_json_params(struct buffer *out, const struct store_params *params);
/* The same with the record itself, its secrets masked unless `reveal`. ERROR_SYNTAX, ERROR_MEMORY.
 */
enum error control_json_record(struct buffer *out, const struct store_params *params,
                               struct span json, bool reveal) MUST_CHECK;
void control_json_session(struct buffer *out, const struct broker *broker,
                          const struct session *session, int64_t now);
/* The answer to a session's creation. */
void control_json_created(struct buffer *out, const struct session *session, const char *token);
void control_json_surface(struct buffer *out, const struct broker *broker,
                          const struct broker_surface *surface);
void control_json_status(struct buffer *out, const struct broker *broker, size_t sessions_active,
                         int64_t now);
/* What the surfaces that speak TLS show to clients. */
void control_json_certificates(struct buffer *out, const struct broker *broker);
/* Prometheus text exposition format 0.0.4. */
void control_json_metrics(struct buffer *out, const struct broker *broker, size_t sessions_active,
                          int64_t now);

#endif
