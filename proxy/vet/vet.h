/*
 * Decides on one whole application message, in either direction. Pure: bytes
 * and rules in, verdict out.
 *
 * The way of a message: json_scan (is it strict JSON?) -> message (what does it
 * say: kind, id, verb, target?) -> vet (may it?). The bytes that were vetted are
 * the bytes forwarded, with one exception: out of an answer that lists what the
 * client may not use, those items are cut, and nothing else is touched.
 */
#pragma once

#include "vet/rules.h"
#include "vet/salvage.h"
#include "vet/vet_state.h"

#define VET_VERB_BYTES_MAX   128
#define VET_TARGET_BYTES_MAX 1024
#define VET_ID_BYTES_MAX     128

enum vet_action {
    VET_REFUSE = 0, /* not forwarded; `reply`, if any, goes back to the sender */
    VET_CLOSE,      /* not forwarded; the connection closes with the reason's code */
    VET_FORWARD,    /* the very bytes go to the other side */
};

struct vet_result {
    enum vet_action action;
    enum reason reason; /* with VET_FORWARD: REASON_ALLOWED, or in observe mode what it would be */
    /* "" if not known; truncated if longer; of an answer: the verb of the request it answers */
    char verb[VET_VERB_BYTES_MAX + 1];
    char target[VET_TARGET_BYTES_MAX + 1]; /* "" if none; unescaped; truncated if longer */
    enum message_kind kind;                /* MESSAGE_OTHER if it was not understood */
    enum mcp_era era;                      /* with rules.http */
    unsigned gave_way;             /* handles of the session's that gave way to what it was given */
    char id[VET_ID_BYTES_MAX + 3]; /* of a message with a permitted one, as written; "" if none */
    char id_key[VET_ID_BYTES_MAX + 3]; /* the same for vet_state_*: equal exactly for equal ids */
    /* Borrowed until the next call with the same scratch; absent: none. */
    struct span reply; /* to the sender */
    struct span
        counterpart; /* to the other side: an error for a request whose answer was refused */
    struct span
        forward; /* with VET_FORWARD: goes out instead of the message; absent: the message */
};

/* Scratch shared by all connections of a thread: the scanner and the reply buffer. */
struct vet_scratch;
enum error vet_scratch_create(struct vet_scratch **out) MUST_CHECK;
void vet_scratch_destroy(struct vet_scratch *scratch);

/*
 * Vets one message. `text` says whether it came as a text frame; binary
 * messages reach here only on routes that permit them and only under an opaque
 * vocabulary pass, in observe mode too.
 *
 * Lists: verbs and session_verbs limit what the client may ask, unless the
 * dialect says always; targets and session_targets what it may name;
 * server_verbs what the service may ask or tell. Answers pass if, and only if,
 * a request with their very id is outstanding the other way.
 */
void vet_message(struct vet_state *state, struct vet_scratch *scratch,
                 const struct vet_rules *rules, enum direction direction, const char *bytes,
                 size_t length, bool text, struct vet_result *result);
/*
 * The same of a service's message in JSON-RPC that is beyond its limit, and of which nothing was
 * kept but what was salvaged: never VET_FORWARD.
 */
void vet_too_big(struct vet_state *state, struct vet_scratch *scratch,
                 const struct vet_rules *rules, const struct salvage *salvage,
                 struct vet_result *result);
/* Whether that is worth it: somebody can be told, and is not cut off. */
static inline bool vet_salvages(const struct vet_rules *rules)
{
    return rules->vocabulary->envelope == ENVELOPE_JSON_RPC && !rules->close_on_refusal;
}
