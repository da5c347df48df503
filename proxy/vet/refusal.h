/* What a refused message is answered with, in its dialect's own words. */
#pragma once

#include "base/buffer.h"
#include "vet/message.h"
#include "vet/outstanding.h"

/* What JSON-RPC refusals carry: outside the range the specification reserves. */
#define VET_REFUSAL_CODE (-31403)
/* The same of a request that was let through and has no answer. */
#define VET_LOST_CODE (-31404)

/* Appends a JSON-RPC error response (JSON-RPC 2.0 section 5.1). `id` as written; absent: null. */
void refusal_append_json_rpc(struct buffer *out, struct span id, enum reason reason);
/*
 * The same as a vocabulary has it (dialect.h): without "jsonrpc", with `data` as text then, or with
 * its session member. Of a message that is an answer it says so.
 */
void refusal_append_vocabulary(struct buffer *out, const struct vocabulary *vocabulary,
                               const struct message *message, enum reason reason);
/* An empty success, to a request, for a verb whose refusal is "quiet". */
void refusal_append_success(struct buffer *out, const struct vocabulary *vocabulary,
                            const struct message *message);
/* What the sender of a request is told that gets no answer, of JSON-RPC. */
void refusal_append_lost(struct buffer *out, const struct vocabulary *vocabulary,
                         const struct outstanding_request *request, enum reason reason);
/* What the service is told whose answer nobody waits for; nothing if the vocabulary has no word
 * for that. */
void refusal_append_cancel(struct buffer *out, const struct vocabulary *vocabulary,
                           const struct outstanding_request *request, enum reason reason);

/* Appends a vocabulary's refusal (dialect.h) with "$verb" and "$reason" filled in. */
void refusal_append_typed(struct buffer *out, const char *pattern, struct span verb,
                          enum reason reason);
