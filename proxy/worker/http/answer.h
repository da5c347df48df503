/* The service's answer: read, its head composed anew, its body streamed or held. */
#pragma once

#include "worker/http/exchange.h"

/*
 * Reads what the service has sent, and passes on what may be. UPSTREAM_SILENT: it hung up
 * without an answer. The answer is whole when answer_body.done is.
 */
enum reason answer_read(struct exchange *exchange);
/* The service's head with this body. */
enum reason answer_send_text(struct exchange *exchange, const struct http_response *response,
                             struct span text);
/* An answer of the gate's own. */
enum reason answer_send_own(struct exchange *exchange, unsigned status, const char *type,
                            struct span text);
/* A piece of a streamed body, and its end. */
enum reason answer_send_piece(struct exchange *exchange, struct span piece);
enum reason answer_send_end(struct exchange *exchange);
/* A long piece, whose memory is taken over: what the client does not take need not be copied. */
enum reason answer_hand_over(struct exchange *exchange, struct buffer *piece);
