/* How long an exchange waits for either side: the service's answer, the client's body, what both
 * take. */
#pragma once

#include "worker/http/exchange.h"

/* Why it is to end: whose deadline has passed. REASON_ALLOWED: nobody's. Every tick. */
enum reason deadline_passed(struct exchange *exchange, uint64_t now_ms);
/* Whether its body has taken longer than any may, whoever was waited for. */
bool deadline_request_passed(const struct exchange *exchange, uint64_t now_ms);
/* Whether no deadline but the session's can pass until something happens, as of a silent stream. */
bool deadline_waits_for_nobody(const struct exchange *exchange);
/* A mode's waits_since (connection.h). */
uint64_t deadline_waits_since(const struct exchange *exchange);
