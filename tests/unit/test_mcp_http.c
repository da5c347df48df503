/* mcp_http.c: content types, refused POSTs. Eras and headers: vectors of test_vet.c. */
#include "vet/mcp_http.h"

#include "unit.h"

#include <stdint.h>
#include <string.h>

struct refusal_case {
    enum reason reason;
    enum mcp_era era;
    enum message_kind kind;
    unsigned status;
    const char *body; /* NULL: none, the caller's problem document */
};

#define POLICY(code, text)                                                                         \
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-31403,\"message\":\"refused by "       \
    "Sidelock: " text "\",\"data\":{\"reason\":\"" code "\"}}}"
#define ERROR(id, code, text)                                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" text "\"}}"
#define NOT_FOUND ERROR("\"a\"", "-32601", "Method not found")
#define SHAPE     "not a message of this dialect"

static const struct refusal_case cases[] = {
    {REASON_VERB_UNKNOWN, MCP_MODERN, MESSAGE_REQUEST, 404, NOT_FOUND},
    {REASON_VERB_REFUSED, MCP_MODERN, MESSAGE_REQUEST, 404, NOT_FOUND},
    {REASON_VERB_UNKNOWN, MCP_LEGACY, MESSAGE_REQUEST, 200,
     POLICY("verb_unknown", "the dialect has no such verb in this direction")},
    {REASON_VERB_REFUSED, MCP_LEGACY, MESSAGE_REQUEST, 200,
     POLICY("verb_not_allowed", "the verb is not on the allow list")},
    {REASON_TARGET_REFUSED, MCP_MODERN, MESSAGE_REQUEST, 200,
     POLICY("target_not_allowed", "the target is not on the allow list")},
    {REASON_TARGET_REFUSED, MCP_LEGACY, MESSAGE_REQUEST, 200,
     POLICY("target_not_allowed", "the target is not on the allow list")},
    {REASON_REQUEST_ID_REUSED, MCP_LEGACY, MESSAGE_REQUEST, 200,
     POLICY("request_id_reused", "the id of a request that is still outstanding")},
    {REASON_VERB_REFUSED, MCP_MODERN, MESSAGE_NOTIFICATION, 403, NULL},
    {REASON_VERB_UNKNOWN, MCP_LEGACY, MESSAGE_NOTIFICATION, 403, NULL},
    {REASON_RESPONSE_UNEXPECTED, MCP_LEGACY, MESSAGE_RESPONSE, 403, NULL},
    {REASON_HEADER_MISMATCH, MCP_MODERN, MESSAGE_REQUEST, 400,
     ERROR("\"a\"", "-32020", "a header does not say what the body says")},
    {REASON_HEADER_MISMATCH, MCP_MODERN, MESSAGE_NOTIFICATION, 400,
     ERROR("null", "-32020", "a header does not say what the body says")},
    {REASON_JSON_SYNTAX, MCP_LEGACY, MESSAGE_OTHER, 400, ERROR("null", "-32700", "Parse error")},
    {REASON_JSON_DUPLICATE_KEY, MCP_MODERN, MESSAGE_OTHER, 400,
     ERROR("null", "-32700", "Parse error")},
    {REASON_JSON_LIMIT, MCP_MODERN, MESSAGE_OTHER, 400, ERROR("null", "-32700", "Parse error")},
    {REASON_MESSAGE_SHAPE, MCP_LEGACY, MESSAGE_REQUEST, 400, ERROR("\"a\"", "-32600", SHAPE)},
    {REASON_MESSAGE_SHAPE, MCP_LEGACY, MESSAGE_OTHER, 400, ERROR("null", "-32600", SHAPE)},
    {REASON_MESSAGE_SHAPE, MCP_MODERN, MESSAGE_RESPONSE, 400, ERROR("null", "-32600", SHAPE)},
    {REASON_BATCH_REFUSED, MCP_LEGACY, MESSAGE_OTHER, 400,
     ERROR("null", "-32600", "batches are not permitted")},
    {REASON_MCP_SESSION_UNKNOWN, MCP_LEGACY, MESSAGE_OTHER, 404,
     ERROR("null", "-32001", "Session not found")},
    {REASON_MCP_SESSION_UNKNOWN, MCP_LEGACY, MESSAGE_REQUEST, 404,
     ERROR("\"a\"", "-32001", "Session not found")},
    {REASON_CONTENT_TYPE, MCP_LEGACY, MESSAGE_OTHER, 415, NULL},
    {REASON_MESSAGE_TOO_BIG, MCP_LEGACY, MESSAGE_OTHER, 413, NULL},
    {REASON_SESSION_REVOKED, MCP_MODERN, MESSAGE_REQUEST, 401, NULL},
    {REASON_INTERNAL, MCP_MODERN, MESSAGE_REQUEST, 500, NULL},
};

TEST(test_refusals)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct mcp_http_refused refused = {cases[i].reason, cases[i].era, cases[i].kind,
                                           span_of("\"a\"")};
        const char *body = cases[i].body != NULL ? cases[i].body : "";
        unsigned status = 0;
        struct buffer out;

        buffer_init(&out, 4096);
        mcp_http_refusal(&refused, &out, &status);
        assert_false(buffer_failed(&out));
        if (status != cases[i].status ||
            !span_equals((struct span){out.length > 0 ? out.data : "", out.length}, body))
            fail_msg("case %zu: %u %s", i, status, out.length > 0 ? out.data : "");
        buffer_clear(&out);
    }
}

/* Every reason has a status that is one, whatever the message was. */
TEST(test_every_reason)
{
    for (unsigned reason = 0; reason < REASON_COUNT; reason++) {
        for (unsigned kind = MESSAGE_OTHER; kind <= MESSAGE_TYPED; kind++) {
            struct mcp_http_refused refused = {(enum reason)reason, MCP_MODERN,
                                               (enum message_kind)kind, (struct span){0}};
            unsigned status = 0;
            struct buffer out;

            buffer_init(&out, 4096);
            mcp_http_refusal(&refused, &out, &status);
            /* Only a request is answered with a success, and only with an error in it. */
            assert_true((status >= 400 && status < 600) ||
                        (status == 200 && kind == MESSAGE_REQUEST && out.length > 0));
            buffer_clear(&out);
        }
    }
}
