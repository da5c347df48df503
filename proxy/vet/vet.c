#include "vet/vet.h"

#include "base/text.h"
#include "vet/answer.h"
#include "vet/outstanding.h"
#include "vet/refusal.h"
#include "vet/target.h"
#include "vet/verb.h"
#include "json/parse.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_BYTES_MAX    4096
#define FORWARD_BYTES_KEEP 65536 /* of the buffer for rewritten answers, between them */

_Static_assert(VET_VERB_BYTES_MAX == DIALECT_VERB_BYTES_MAX, "one limit on verbs");
_Static_assert(VET_TARGET_BYTES_MAX == MESSAGE_TARGET_BYTES_MAX, "one limit on targets");
_Static_assert(VET_ID_BYTES_MAX == MESSAGE_ID_BYTES_MAX, "one limit on ids");

struct vet_scratch {
    struct json_scan *scan;
    struct buffer reply;
    struct buffer forward;
    struct message message;
};

/* One message on its way to a verdict. */
struct vetting {
    struct vet_state *state;
    struct vet_scratch *scratch;
    const struct vet_rules *rules;
    enum direction direction;
    struct span text;
    struct vet_place asked; /* where the request is that the message answers */
    /* The handles that it gives the session; found before the scan is used for more. */
    struct json_member given[DIALECT_HANDLE_PATHS_MAX];
    unsigned given_count;
};

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
    buffer_init(&scratch->forward, 0);
    *out = scratch;
    return OK;
}

void vet_scratch_destroy(struct vet_scratch *scratch)
{
    if (scratch == NULL)
        return;
    json_scan_destroy(scratch->scan);
    buffer_clear(&scratch->reply);
    buffer_clear(&scratch->forward);
    free(scratch);
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
        canonical_text_digest(value.data, value.length, digest) != OK ||
        strcmp(digest, vetting->rules->match_digest) != 0)
        return REASON_VALUE_MISMATCH;
    return REASON_ALLOWED;
}

/* Of the request that is answered. */
static struct span asked_verb(const struct vetting *vetting)
{
    return outstanding_at(vetting->asked.list, vetting->asked.at).verb;
}

/* What an answer says beside answering, if the service's JSON-RPC has such things. */
static enum reason check_answer(const struct vetting *vetting)
{
    struct vet_answer answer = {
        .scan = vetting->scratch->scan, .text = vetting->text, .rules = vetting->rules};

    if (vetting->asked.at < 0)
        return REASON_RESPONSE_UNEXPECTED;
    if (vetting->direction != DIRECTION_S2C)
        return REASON_ALLOWED;
    answer.verb = asked_verb(vetting);
    return vet_answer_check(&answer, &vetting->scratch->forward);
}

/* Whether a well-formed message may pass. */
static enum reason decide(const struct vetting *vetting)
{
    struct message *message = &vetting->scratch->message;
    enum reason reason;

    if (message->kind == MESSAGE_RESPONSE)
        return check_answer(vetting);
    reason = verb_check(vetting->rules, vetting->direction, message->rule, message->verb);
    if (reason_allows(reason) && vetting->direction == DIRECTION_C2S)
        reason = target_check_related(vetting->rules, vetting->scratch->scan, message);
    if (reason_allows(reason) && message->rule != NULL)
        reason = verb_check_arguments(vetting->rules, vetting->scratch->scan, message->rule);
    if (reason_allows(reason) && message->rule != NULL)
        reason = target_check_message(vetting->rules, message);
    if (reason_allows(reason))
        reason = check_match(vetting);
    if (reason_allows(reason) && vetting->direction == DIRECTION_S2C)
        reason = vet_asks_check(
            &(struct vet_answer){.scan = vetting->scratch->scan, .rules = vetting->rules},
            "params");
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

    if (vetting->asked.at >= 0)
        verb = asked_verb(vetting);
    copy_span(result->verb, sizeof(result->verb), verb);
    copy_span(result->target, sizeof(result->target), message->target);
    copy_span(result->id, sizeof(result->id), message->id);
    copy_span(result->id_key, sizeof(result->id_key), message->id_key);
    result->kind = message->kind;
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
    struct message *message = &vetting->scratch->message;
    const struct vocabulary *vocabulary = vetting->rules->vocabulary;
    struct buffer *out = &vetting->scratch->reply;

    buffer_reset(out);
    if (vetting->asked.at >= 0) /* whoever waits knows the request's, whatever the answer says */
        message->session = outstanding_at(vetting->asked.list, vetting->asked.at).session;
    if (message->kind == MESSAGE_REQUEST && message->rule != NULL && message->rule->quiet &&
        reason_is_policy(reason))
        refusal_append_success(out, vocabulary, message);
    else if (vocabulary->envelope == ENVELOPE_JSON_RPC)
        refusal_append_vocabulary(out, vocabulary, message, reason);
    else if (vocabulary->refusal != NULL)
        refusal_append_typed(out, vocabulary->refusal, message->verb, reason);
    if (buffer_failed(out) || out->length == 0)
        return (struct span){0};
    return (struct span){out->data, out->length};
}

/* Forgets the request that is settled, unless its answer may have to come again. */
static void settle(const struct vetting *vetting)
{
    vet_state_settle(vetting->state, vetting->asked,
                     vetting->rules->resumable && vetting->direction == DIRECTION_S2C);
}

/* Whether a request of the service's is one that is outstanding, sent again. */
static bool is_replayed(const struct vetting *vetting)
{
    const struct message *message = &vetting->scratch->message;
    struct vet_place place;

    if (!vetting->rules->replay || vetting->direction != DIRECTION_S2C)
        return false;
    place = vet_state_find(vetting->state, vetting->direction, message->id_key);
    return place.at >= 0 && span_same(outstanding_at(place.list, place.at).verb, message->verb);
}

/* The rule of what the service says: of its own verb, or of the request that it answers. */
static const struct verb_rule *giving_rule(const struct vetting *vetting)
{
    const struct message *message = &vetting->scratch->message;

    if (message->kind != MESSAGE_RESPONSE)
        return message->rule;
    if (vetting->asked.at < 0)
        return NULL;
    return vocabulary_verb(vetting->rules->vocabulary, DIRECTION_C2S, asked_verb(vetting));
}

static void find_given(struct vetting *vetting)
{
    const struct json_scan *scan = vetting->scratch->scan;
    const struct verb_rule *rule;

    if (vetting->direction != DIRECTION_S2C || vetting->rules->handles == NULL ||
        vet_answer_is_plain(scan))
        return;
    rule = giving_rule(vetting);
    for (size_t i = 0; rule != NULL && i < rule->give_count; i++) {
        struct json_member *member = &vetting->given[vetting->given_count];

        if (reason_allows(message_follow(scan, &rule->gives[i], member)) &&
            member->type == JSON_TYPE_STRING)
            vetting->given_count++;
    }
}

static void take_given(const struct vetting *vetting, struct vet_result *result)
{
    const struct vet_rules *rules = vetting->rules;

    for (unsigned i = 0; i < vetting->given_count; i++) {
        char room[HANDLE_BYTES_MAX + 1];
        struct span handle;

        if (json_member_text(&vetting->given[i], room, sizeof(room), &handle) &&
            handles_give(rules->handles, rules->session_id, HANDLE_NAMED, handle))
            result->gave_way++;
    }
}

/*
 * The sender does not wait any more for what it asked. Not of what is cut down for the client: what
 * an answer is to must be known as long as it may come, for its id may be used again.
 */
static void take_cancel(const struct vetting *vetting)
{
    const struct vocabulary *vocabulary = vetting->rules->vocabulary;
    const struct json_scan *scan = vetting->scratch->scan;
    const struct json_member *id;
    struct message request;
    struct vet_place place;
    const struct verb_rule *rule;

    if (vocabulary->cancel_verb == NULL ||
        !span_equals(vetting->scratch->message.verb, vocabulary->cancel_verb))
        return;
    id = json_scan_find_in(scan, json_scan_find(scan, -1, "params"), vocabulary->cancel_key);
    if (!reason_allows(message_read_id(id, &request)))
        return;
    place = vet_state_find(vetting->state, vetting->direction, request.id_key);
    if (place.at < 0)
        return;
    rule =
        vocabulary_verb(vocabulary, vetting->direction, outstanding_at(place.list, place.at).verb);
    if (rule == NULL || rule->filter_items == NULL)
        vet_state_cancel(vetting->state, vetting->direction, request.id_key);
}

/* A request that passes is remembered; one that an answer settled is forgotten. */
static enum reason remember(const struct vetting *vetting)
{
    const struct message *message = &vetting->scratch->message;

    settle(vetting);
    if (message->kind == MESSAGE_NOTIFICATION)
        take_cancel(vetting);
    if (message->kind == MESSAGE_REQUEST && message->id_key.data != NULL && !is_replayed(vetting))
        return vet_state_add(vetting->state, vetting->direction,
                             &(struct outstanding_request){.id = message->id_key,
                                                           .verb = message->verb,
                                                           .session = message->session});
    return REASON_ALLOWED;
}

static void refuse(const struct vetting *vetting, struct vet_result *result)
{
    if (vetting->rules->close_on_refusal || result->reason == REASON_INTERNAL) {
        result->action = VET_CLOSE;
        outstanding_note_answer(vetting->asked.list, vetting->asked.at);
        return;
    }
    result->action = VET_REFUSE;
    if (vetting->asked.at >= 0 && !rules_wait(vetting->rules)) {
        result->counterpart = write_refusal(vetting, result->reason);
        settle(vetting);
    } else if (expects_reply(vetting)) {
        result->reply = write_refusal(vetting, result->reason);
    }
}

/* Finds the request that an answer is for. */
static void find_asked(struct vetting *vetting)
{
    const struct message *message = &vetting->scratch->message;

    if (message->kind != MESSAGE_RESPONSE || message->id_key.data == NULL)
        return;
    vetting->asked = vet_state_find(
        vetting->state, vetting->direction == DIRECTION_C2S ? DIRECTION_S2C : DIRECTION_C2S,
        message->id_key);
    if (vetting->asked.at < 0 && vetting->rules->replay && vetting->direction == DIRECTION_S2C)
        vetting->asked = vet_state_find_answered(vetting->state, message->id_key);
}

/* Reads a message that is strict JSON, and compares it with the headers it came with. */
static enum reason read_message(const struct vetting *vetting, struct vet_result *result)
{
    const struct mcp_http_headers *headers = vetting->rules->http;
    const struct json_scan *scan = vetting->scratch->scan;
    struct message *message = &vetting->scratch->message;
    enum reason reason =
        message_read(scan, vetting->rules->vocabulary, vetting->direction, message);

    if (headers == NULL || vetting->direction != DIRECTION_C2S)
        return reason;
    result->era = mcp_http_era(headers, scan);
    if ((reason_allows(reason) || reason_same(reason, REASON_TARGET_MISSING)) &&
        mcp_http_verb_ended(scan, message))
        return REASON_VERB_UNKNOWN;
    return reason_allows(reason) ? mcp_http_check(headers, result->era, scan, message) : reason;
}

/* A message that is strict JSON. */
static void vet_json(struct vetting *vetting, struct vet_result *result)
{
    const struct buffer *forward = &vetting->scratch->forward;
    const bool observe = rules_only_watch(vetting->rules);

    result->reason = rules_or_late(vetting->rules, read_message(vetting, result));
    find_asked(vetting);
    report(vetting, result);
    find_given(vetting);
    if (reason_allows(result->reason)) {
        result->reason = decide(vetting);
        /* Of several targets the one that decided. */
        if (!reason_allows(result->reason))
            copy_span(result->target, sizeof(result->target), vetting->scratch->message.target);
    }
    if (observe || reason_allows(result->reason)) {
        enum reason reason = remember(vetting);

        take_given(vetting, result);
        if (reason_allows(result->reason))
            result->reason = reason;
        result->action = VET_FORWARD;
    }
    if (!reason_allows(result->reason) && !observe)
        refuse(vetting, result);
    else if (forward->length > 0)
        result->forward = (struct span){forward->data, forward->length};
}

/* Ready for an answer that is hardly longer than this one. */
static void prepare_forward(struct buffer *forward, size_t length)
{
    if (forward->capacity > FORWARD_BYTES_KEEP)
        buffer_clear(forward);
    buffer_reset(forward);
    forward->max_bytes = length + VET_ANSWER_ADDED_BYTES;
}

/*
 * What a service says and is not strict JSON, or not there: whoever waits for it is told, or the
 * service, whose request it was. An event is let go of. The connection ends only for what nobody
 * can make out.
 */
static void vet_salvaged(struct vetting *vetting, const struct salvage *salvage, enum reason reason,
                         struct vet_result *result)
{
    struct message *message = &vetting->scratch->message;

    salvage_message(salvage, message);
    find_asked(vetting);
    report(vetting, result);
    result->reason = reason;
    if (rules_only_watch(vetting->rules) && vetting->text.data != NULL) {
        settle(vetting);
        result->action = VET_FORWARD;
    } else if (message->kind == MESSAGE_OTHER) {
        result->action = VET_CLOSE;
    } else {
        refuse(vetting, result);
    }
}

/* Bytes that cannot be a message at all: the connection ends, unless it is only watched. */
static void vet_fault(const struct vet_rules *rules, enum reason reason, struct vet_result *result)
{
    result->action = rules_only_watch(rules) || reason_allows(reason) ? VET_FORWARD : VET_CLOSE;
    result->reason = reason;
}

static void begin(struct vetting *vetting, struct vet_state *state, struct vet_scratch *scratch,
                  const struct vet_rules *rules, struct vet_result *result)
{
    vetting->state = state;
    vetting->scratch = scratch;
    vetting->rules = rules;
    vetting->direction = DIRECTION_S2C;
    vetting->text = (struct span){NULL, 0};
    vetting->asked = (struct vet_place){NULL, -1};
    result->action = VET_REFUSE;
    result->reason = REASON_INTERNAL;
    result->verb[0] = result->target[0] = result->id[0] = result->id_key[0] = '\0';
    result->kind = MESSAGE_OTHER;
    result->era = MCP_LEGACY;
    result->gave_way = vetting->given_count = 0;
    result->reply = result->counterpart = result->forward = (struct span){0};
}

void vet_too_big(struct vet_state *state, struct vet_scratch *scratch,
                 const struct vet_rules *rules, const struct salvage *salvage,
                 struct vet_result *result)
{
    struct vetting vetting;

    begin(&vetting, state, scratch, rules, result);
    vet_salvaged(&vetting, salvage, REASON_ANSWER_TOO_BIG, result);
}

static void close_for(enum reason reason, struct vet_result *result)
{
    result->action = VET_CLOSE;
    result->reason = reason;
}

void vet_message(struct vet_state *state, struct vet_scratch *scratch,
                 const struct vet_rules *rules, enum direction direction, const char *bytes,
                 size_t length, bool text, struct vet_result *result)
{
    struct vetting vetting;
    struct salvage salvage;
    struct json_scan *const own = scratch->scan;
    const struct vocabulary *vocabulary = rules->vocabulary;
    enum reason reason;

    begin(&vetting, state, scratch, rules, result);
    vetting.direction = direction;
    vetting.text = (struct span){bytes, length};
    prepare_forward(&scratch->forward, length);
    if (vocabulary->envelope == ENVELOPE_OPAQUE) {
        reason = !text || utf8_valid(bytes, length) ? REASON_ALLOWED : REASON_JSON_UTF8;
        reason = rules_or_late(rules, reason);
        if (rules->unchecked && !reason_allows(reason))
            close_for(reason, result);
        else
            vet_fault(rules, reason, result);
        return;
    }
    if (!text) {
        close_for(REASON_BINARY_REFUSED, result);
        return;
    }
    if (rules->ahead != NULL)
        scratch->scan = rules->ahead;
    reason = rules->ahead != NULL ? json_scan_end(scratch->scan, vetting.text)
                                  : rules_scan(rules, direction, scratch->scan, vetting.text);
    if (reason_allows(reason)) {
        vet_json(&vetting, result);
    } else if (rules->unchecked && !utf8_valid(bytes, length)) {
        /* RFC 6455 section 8.1; what is good JSON is UTF-8. */
        close_for(REASON_JSON_UTF8, result);
    } else if (rules_salvage(rules, direction, reason)) {
        salvage = (struct salvage){.place = SALVAGE_START};
        salvage_read(&salvage, vetting.text);
        vet_salvaged(&vetting, &salvage, rules_or_late(rules, reason), result);
    } else {
        vet_fault(rules, rules_or_late(rules, reason), result);
    }
    scratch->scan = own;
}
