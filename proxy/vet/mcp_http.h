/*
 * What MCP's Streamable HTTP adds to a message: the headers that say again what
 * the body says, the two eras of the protocol, and how a refused POST reads.
 *
 * Eras: until revision 2025-11-25 ("legacy") a session opens with `initialize`.
 * From 2026-07-28 on ("modern") every request stands alone, and proxies on the
 * way may go by its headers alone; so headers that disagree with the body are
 * refused here, before two readers take one request for two.
 *
 * vet.h calls the checks; a worker needs the refusal.
 */
#pragma once

#include "base/buffer.h"
#include "vet/message.h"

#define MCP_HTTP_MODERN_REVISION "2026-07-28"
#define MCP_HTTP_NAME_BYTES_MAX  4096 /* of Mcp-Name; a longer one equals nothing */

enum mcp_era { MCP_LEGACY = 0, MCP_MODERN };

/*
 * The headers of a POST that are compared with its body, as sent, NULL where
 * absent. The caller refuses a request that has one of them twice.
 */
struct mcp_http_headers {
    const char *protocol_version; /* MCP-Protocol-Version */
    const char *method;           /* Mcp-Method */
    const char *name;             /* Mcp-Name */
};

/* Modern if the header names such a revision, or the body any at all. The scan is the body's. */
enum mcp_era mcp_http_era(const struct mcp_http_headers *headers, const struct json_scan *scan);

/*
 * Whether a request's body is of the modern era, and its verb one that ended with
 * the legacy era: to the service it is unknown, whatever its target.
 */
bool mcp_http_verb_ended(const struct json_scan *scan, const struct message *message);

/*
 * Compares the headers with a body that was scanned and read. REASON_ALLOWED;
 * REASON_HEADER_MISMATCH; REASON_KEY_RESEMBLES for something that resembles a
 * compared key; REASON_SHAPE_MODERN for a response in the modern era.
 *
 * Refused is what two readers could take differently: two values that differ,
 * and in the modern era a required header that is absent. What only the
 * service can judge passes: revisions it does not have, and a modern header
 * over a body without revision, which it answers with -32602 itself.
 */
enum reason mcp_http_check(const struct mcp_http_headers *headers, enum mcp_era era,
                           const struct json_scan *scan, const struct message *message);

/* A POST that does not reach the service. */
struct mcp_http_refused {
    enum reason reason;
    enum mcp_era era;
    enum message_kind kind; /* MESSAGE_OTHER if it was not understood, or never read */
    struct span id;         /* as written; absent if it has none that is permitted */
};

/*
 * How it is answered: the status in *status and a JSON-RPC error, content type
 * application/json, appended to `out`. Where nothing is appended there is no
 * request to answer, and the caller sends its usual problem document: refused
 * notifications and responses, and reasons that are not about messages.
 *
 * A verb that is refused reads in the modern era like one that the service
 * does not have (404, -32601): clients of both eras go by that.
 */
void mcp_http_refusal(const struct mcp_http_refused *refused, struct buffer *out, unsigned *status);
