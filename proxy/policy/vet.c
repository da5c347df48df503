#include "policy/vet.h"

#include "base/utf8.h"
#include "policy/message.h"
#include "policy/outstanding.h"
#include "policy/params.h"
#include "policy/refusal.h"
#include "policy/target.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_BYTES_MAX 4096

_Static_assert(VET_VERB_BYTES_MAX == DIALECT_VERB_BYTES_MAX, "one limit on verbs");
_Static_assert(VET_TARGET_BYTES_MAX == MESSAGE_TARGET_BYTES_MAX, "one limit on targets");
_Static_assert(VET_ID_BYTES_MAX == MESSAGE_ID_BYTES_MAX, "one limit on ids");

struct vet_state {
    struct outstanding outstanding[DIRECTION_COUNT]; /* by the direction of the requests */
};

struct vet_scratch {
    struct json_scan *scan;
    struct buffer reply;
    struct message message;
};

/* One message on its way to a verdict. */
struct vetting {
    struct vet_state *state;
    struct vet_scratch *scratch;
    const struct vet_rules *rules;
    enum direction direction;
    int answered; /* place of the request that the message answers; -1: none */
};

enum error vet_state_create(struct vet_state **out)
{
    struct vet_state *state = calloc(1, sizeof(*state));

    if (state == NULL)
        return ERROR_MEMORY;
    *out = state;
    return OK;
}

void vet_state_destroy(struct vet_state *state)
{
    if (state == NULL)
        return;
    for (unsigned i = 0; i < DIRECTION_COUNT; i++)
        outstanding_clear(&state->outstanding[i]);
    free(state);
}

enum error vet_scratch_create(struct vet_scratch **out)
{
    struct vet_scratch *scratch = calloc(1, sizeof(*scratch));
    enum error error;

    if (scratch == NULL)
        return ERROR_MEMORY;
    error = json_scan_create(&scratch->scan);
    if (error != OK) {
        free(scratch);
        return error;
    }
    buffer_init(&scratch->reply, REPLY_BYTES_MAX);
    *out = scratch;
    return OK;
}

void vet_scratch_destroy(struct vet_scratch *scratch)
{
    if (scratch == NULL)
        return;
    json_scan_destroy(scratch->scan);
    buffer_clear(&scratch->reply);
    free(scratch);
}

static struct outstanding *requests_of(const struct vetting *vetting, enum direction direction)
{
    return &vetting->state->outstanding[direction];
}

static enum direction opposite(enum direction direction)
{
    return direction == DIRECTION_C2S ? DIRECTION_S2C : DIRECTION_C2S;
}

static bool verb_allowed(const struct vetting *vetting)
{
    const struct message *message = &vetting->scratch->message;
    const struct vet_rules *rules = vetting->rules;

    if (message->rule != NULL && message->rule->always)
        return true;
    if (vetting->direction == DIRECTION_S2C)
        return rules->server_verbs == NULL ||
               text_list_contains(rules->server_verbs, message->verb);
    return (rules->verbs == NULL || text_list_contains(rules->verbs, message->verb)) &&
           (rules->session_verbs == NULL ||
            text_list_contains(rules->session_verbs, message->verb));
}

static enum reason check_target(const struct vetting *vetting)
{
    const struct message *message = &vetting->scratch->message;
    const struct vet_rules *rules = vetting->rules;

    if (vetting->direction != DIRECTION_C2S || message->target.data == NULL ||
        (rules->targets == NULL && rules->session_targets == NULL))
        return REASON_ALLOWED;
    if (message->target_too_long || target_is_ambiguous(message->target, message->target_kind))
        return REASON_TARGET_AMBIGUOUS;
    if ((rules->targets != NULL && !target_is_listed(rules->targets, message->target)) ||
        (rules->session_targets != NULL &&
         !target_is_listed(rules->session_targets, message->target)))
        return REASON_TARGET_REFUSED;
    return REASON_ALLOWED;
}

/*
 * The client's value is only ever compared with the stored one. Without a
 * value the service would take one from elsewhere, which nobody has compared.
 */
static enum reason check_match(const struct vetting *vetting)
{
    const struct message *message = &vetting->scratch->message;
    struct span value = message->match;
    char digest[SHA256_HEX_SIZE];

    if (message->rule == NULL || message->rule->match_key == NULL)
        return REASON_ALLOWED;
    if (value.data == NULL || vetting->rules->match_digest == NULL ||
        params_text_digest(value.data, value.length, digest) != OK ||
        strcmp(digest, vetting->rules->match_digest) != 0)
        return REASON_VALUE_MISMATCH;
    return REASON_ALLOWED;
}

/* Whether a well-formed message may pass. */
static enum reason decide(const struct vetting *vetting)
{
    enum reason reason;

    if (vetting->scratch->message.kind == MESSAGE_RESPONSE)
        return vetting->answered >= 0 ? REASON_ALLOWED : REASON_RESPONSE_UNEXPECTED;
    if (!verb_allowed(vetting))
        return REASON_VERB_REFUSED;
    reason = check_target(vetting);
    if (reason_allows(reason))
        reason = check_match(vetting);
    return reason;
}

static void copy_span(char *out, size_t capacity, struct span span)
{
    size_t length = span.length < capacity ? span.length : capacity - 1;

    if (length > 0)
        memcpy(out, span.data, length);
    out[length] = '\0';
}

/* Reports what was read, as long as the requests and the scanned text are there. */
static void report(const struct vetting *vetting, struct vet_result *result)
{
    const struct message *message = &vetting->scratch->message;
    struct span verb = message->verb;

    if (vetting->answered >= 0)
        verb =
            outstanding_verb(requests_of(vetting, opposite(vetting->direction)), vetting->answered);
    copy_span(result->verb, sizeof(result->verb), verb);
    copy_span(result->target, sizeof(result->target), message->target);
}

/*
 * Whether the sender hears of a refusal: whoever sent a request, and a client
 * that sent what nobody can read. A notification or an answer has no answer.
 */
static bool expects_reply(const struct vetting *vetting)
{
    switch (vetting->scratch->message.kind) {
    case MESSAGE_REQUEST:
        return true;
    case MESSAGE_OTHER:
    case MESSAGE_TYPED:
        return vetting->direction == DIRECTION_C2S;
    case MESSAGE_NOTIFICATION:
    case MESSAGE_RESPONSE:
        break;
    }
    return false;
}

/* Writes what a refusal says, to the sender or to whoever waits for the refused answer. */
static struct span write_refusal(const struct vetting *vetting, enum reason reason)
{
    const struct message *message = &vetting->scratch->message;
    const struct vocabulary *vocabulary = vetting->rules->vocabulary;
    struct buffer *out = &vetting->scratch->reply;

    buffer_reset(out);
    if (vocabulary->envelope == ENVELOPE_JSON_RPC)
        refusal_append_json_rpc(out, message->id, reason);
    else if (vocabulary->refusal != NULL)
        refusal_append_typed(out, vocabulary->refusal, message->verb, reason);
    if (buffer_failed(out) || out->length == 0)
        return (struct span){0};
    return (struct span){out->data, out->length};
}

/* A request that passes is remembered; one that an answer settled is forgotten. */
static enum reason remember(const struct vetting *vetting)
{
    const struct message *message = &vetting->scratch->message;

    if (vetting->answered >= 0)
        outstanding_remove(requests_of(vetting, opposite(vetting->direction)), vetting->answered);
    if (message->kind == MESSAGE_REQUEST && message->id_key.data != NULL)
        return outstanding_add(requests_of(vetting, vetting->direction), message->id_key,
                               message->verb);
    return REASON_ALLOWED;
}

static void refuse(const struct vetting *vetting, struct vet_result *result)
{
    if (vetting->rules->close_on_refusal || result->reason == REASON_INTERNAL) {
        result->action = VET_CLOSE;
        return;
    }
    result->action = VET_REFUSE;
    if (vetting->answered >= 0) {
        result->counterpart = write_refusal(vetting, result->reason);
        outstanding_remove(requests_of(vetting, opposite(vetting->direction)), vetting->answered);
    } else if (expects_reply(vetting)) {
        result->reply = write_refusal(vetting, result->reason);
    }
}

/* A message that is strict JSON. */
static void vet_json(struct vetting *vetting, struct vet_result *result)
{
    struct message *message = &vetting->scratch->message;
    const bool observe = vetting->rules->observe;

    result->reason = message_read(vetting->scratch->scan, vetting->rules->vocabulary,
                                  vetting->direction, message);
    if (message->kind == MESSAGE_RESPONSE && message->id_key.data != NULL)
        vetting->answered =
            outstanding_find(requests_of(vetting, opposite(vetting->direction)), message->id_key);
    report(vetting, result);
    if (reason_allows(result->reason))
        result->reason = decide(vetting);
    if (observe || reason_allows(result->reason)) {
        enum reason reason = remember(vetting);

        if (reason_allows(result->reason))
            result->reason = reason;
        result->action = VET_FORWARD;
    }
    if (!reason_allows(result->reason) && !observe)
        refuse(vetting, result);
}

/* Bytes that cannot be a message at all: the connection ends, unless it is only watched. */
static void vet_fault(const struct vet_rules *rules, enum reason reason, struct vet_result *result)
{
    result->action = rules->observe || reason_allows(reason) ? VET_FORWARD : VET_CLOSE;
    result->reason = reason;
}

void vet_message(struct vet_state *state, struct vet_scratch *scratch,
                 const struct vet_rules *rules, enum direction direction, const char *bytes,
                 size_t length, bool text, struct vet_result *result)
{
    struct vetting vetting = {state, scratch, rules, direction, -1};
    const struct vocabulary *vocabulary = rules->vocabulary;
    enum reason reason;

    result->action = VET_REFUSE;
    result->reason = REASON_INTERNAL;
    result->verb[0] = result->target[0] = '\0';
    result->reply = result->counterpart = (struct span){0};
    if (vocabulary->envelope == ENVELOPE_OPAQUE) {
        vet_fault(rules, !text || utf8_valid(bytes, length) ? REASON_ALLOWED : REASON_JSON_UTF8,
                  result);
        return;
    }
    if (!text) {
        result->action = VET_CLOSE;
        result->reason = REASON_BINARY_REFUSED;
        return;
    }
    reason = json_scan_text(scratch->scan, bytes, length, &vocabulary->descend);
    if (reason_allows(reason))
        vet_json(&vetting, result);
    else
        vet_fault(rules, reason, result);
}
