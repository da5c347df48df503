/*
 * The control API: one decoded request in, one answer out.
 *
 *   GET    /v1/status
 *   GET    /v1/metrics                      Prometheus text
 *   GET    /v1/register[?format=md]
 *   GET    /v1/surfaces
 *   POST   /v1/surfaces/{name}/kill[?rehearse=1]
 *   POST   /v1/surfaces/{name}/arm
 *   POST   /v1/surfaces/{name}/enter        with the descriptor of its service's private network
 *                                           (SCM_RIGHTS)
 *   POST   /v1/kill[?rehearse=1]            all of them
 *   POST   /v1/reload
 *   GET    /v1/params[?limit=&after=]       a page; "next" is the next one's "after"
 *   PUT    /v1/params/{name}[?surface=S]    body: the record
 *   GET    /v1/params/{name}[?reveal=1]
 *   DELETE /v1/params/{name}
 *   GET    /v1/sessions[?limit=&after=]     a page, oldest first
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
 * Nothing here holds up the loop: what waits for the disk, for a file's digest or for a count of
 * all sessions is answered later, and a list comes in pages that are built in bounded time.
 *
 * Errors are application/problem+json (RFC 9457): {"status", "reason"?, "detail"}.
 */
#pragma once

#include "broker/control/exchange.h"

/*
 * Calls `done` once the answer is complete, perhaps before it returns. Until then all three stay
 * where they are.
 */
void control_routes_answer(struct gate *gate, const struct control_request *request,
                           struct control_answer *answer, void (*done)(void *context),
                           void *context);
/* Makes the answer a problem document. */
void control_routes_problem(struct control_answer *answer, unsigned status, const char *detail);
/* Whether a request with this method may bring a body. */
bool control_routes_takes_body(const char *method);
