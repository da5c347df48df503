/*
 * The control API: one decoded request in, one answer out.
 *
 *   GET    /v1/status
 *   GET    /v1/metrics                      Prometheus text
 *   GET    /v1/register[?format=md]
 *   GET    /v1/surfaces
 *   POST   /v1/surfaces/{name}/kill|arm
 *   POST   /v1/reload
 *   GET    /v1/params
 *   PUT    /v1/params/{name}[?surface=S]    body: the record
 *   GET    /v1/params/{name}[?reveal=1]
 *   DELETE /v1/params/{name}
 *   GET    /v1/sessions
 *   POST   /v1/sessions                     body: {"surface", "params", "ttl_s", "verbs",
 *                                           "targets", "callers", "once"}, all but the
 *                                           first optional
 *   DELETE /v1/sessions[?surface=S]         revokes all
 *   GET    /v1/sessions/{id}
 *   DELETE /v1/sessions/{id}                revokes
 *   POST   /v1/sessions/{id}/renew          body: nothing, or {"ttl_s"}
 *   POST   /v1/sessions/{id}/ticket
 *   POST   /v1/sessions/{id}/login[?host=H] a one-time address for a browser
 *
 * Errors are application/problem+json (RFC 9457): {"status", "reason"?, "detail"}.
 */
#pragma once

#include "broker/operations/operation.h"
#include "policy/params.h"

#define CONTROL_BODY_BYTES_MAX   (PARAMS_BYTES_MAX + 16 * 1024)
#define CONTROL_ANSWER_BYTES_MAX (16 * 1024 * 1024)
#define CONTROL_PATH_BYTES_MAX   256
#define CONTROL_QUERY_MAX        4

struct control_request {
    uint32_t uid; /* the operator's */
    const char *method;
    char path[CONTROL_PATH_BYTES_MAX]; /* decoded, without query */
    struct {
        char name[32];
        char value[128];
    } query[CONTROL_QUERY_MAX];
    size_t query_count;
    struct span body;
};

/* `body` is initialised by the caller and wiped after use: it may hold a token. */
struct control_answer {
    unsigned status;
    const char *content_type; /* static */
    struct buffer body;
};

void control_routes_answer(struct gate *gate, const struct control_request *request,
                           struct control_answer *answer);
/* Makes the answer a problem document. */
void control_routes_problem(struct control_answer *answer, unsigned status, const char *detail);
/* Whether a request with this method may bring a body. */
bool control_routes_takes_body(const char *method);
