#include "vet/refusal.h"

#include <string.h>

#define ID_BYTES_MAX 1024 /* of one as JSON */

/* Who is told, and of what: the beginning of the sentence that the reason goes on. */
struct told {
    const struct vocabulary *vocabulary; /* NULL: JSON-RPC 2.0 */
    struct span session, id;             /* as written */
    int code;
    const char *what;
};

static const char request_refused[] = "refused by Sidelock";
static const char answer_refused[] = "answer refused by Sidelock";
static const char no_answer[] = "no answer, says Sidelock";

static bool is_bare(const struct told *told)
{
    return told->vocabulary != NULL && told->vocabulary->bare;
}

/* Up to and with the id. */
static void append_head(struct buffer *out, const struct told *told)
{
    buffer_append_text(out, is_bare(told) ? "{" : "{\"jsonrpc\":\"2.0\",");
    if (told->session.data != NULL) {
        buffer_append_json_string(out, told->vocabulary->session_key,
                                  strlen(told->vocabulary->session_key));
        buffer_append_text(out, ":");
        buffer_append(out, told->session.data, told->session.length);
        buffer_append_text(out, ",");
    }
    buffer_append_text(out, "\"id\":");
    if (told->id.data != NULL)
        buffer_append(out, told->id.data, told->id.length);
    else
        buffer_append_text(out, "null");
}

static void append_error(struct buffer *out, const struct told *told, enum reason reason)
{
    const struct reason_info *info = reason_info(reason);

    append_head(out, told);
    buffer_append_format(out,
                         ",\"error\":{\"code\":%d,\"message\":\"%s: %s\",\"data\":", told->code,
                         told->what, info->text);
    if (is_bare(told)) {
        buffer_append_format(out, "\"%s\"}}", info->code);
        return;
    }
    buffer_append_format(out, "{\"reason\":\"%s\"", info->code);
    if (info->cause != NULL)
        buffer_append_format(out, ",\"cause\":\"%s\"", info->cause);
    buffer_append_text(out, "}}}");
}

void refusal_append_json_rpc(struct buffer *out, struct span id, enum reason reason)
{
    append_error(out, &(struct told){.id = id, .code = VET_REFUSAL_CODE, .what = request_refused},
                 reason);
}

void refusal_append_vocabulary(struct buffer *out, const struct vocabulary *vocabulary,
                               const struct message *message, enum reason reason)
{
    append_error(
        out,
        &(struct told){vocabulary, message->session, message->id, VET_REFUSAL_CODE,
                       message->kind == MESSAGE_RESPONSE ? answer_refused : request_refused},
        reason);
}

void refusal_append_success(struct buffer *out, const struct vocabulary *vocabulary,
                            const struct message *message)
{
    append_head(out, &(struct told){vocabulary, message->session, message->id, 0, NULL});
    buffer_append_text(out, ",\"result\":{}}");
}

/* An id as JSON, out of its key; at most as long as MESSAGE_ID_BYTES_MAX escaped characters. */
static void append_id(struct buffer *out, struct span key)
{
    if (key.data[0] == '"')
        buffer_append_json_string(out, key.data + 1, key.length - 2);
    else
        buffer_append(out, key.data, key.length);
}

void refusal_append_lost(struct buffer *out, const struct vocabulary *vocabulary,
                         const struct outstanding_request *request, enum reason reason)
{
    const bool refused = reason_is_of_message(reason);
    struct told told = {vocabulary,
                        request->session,
                        {NULL, 0},
                        refused ? VET_REFUSAL_CODE : VET_LOST_CODE,
                        refused ? answer_refused : no_answer};
    struct buffer id;

    buffer_init(&id, ID_BYTES_MAX);
    append_id(&id, request->id);
    told.id = (struct span){id.data, id.length};
    append_error(out, &told, reason);
    out->failed = out->failed || buffer_failed(&id);
    buffer_clear(&id);
}

void refusal_append_cancel(struct buffer *out, const struct vocabulary *vocabulary,
                           const struct outstanding_request *request, enum reason reason)
{
    if (vocabulary->cancel_verb == NULL)
        return;
    buffer_append_text(out, vocabulary->bare ? "{\"method\":" : "{\"jsonrpc\":\"2.0\",\"method\":");
    buffer_append_json_string(out, vocabulary->cancel_verb, strlen(vocabulary->cancel_verb));
    buffer_append_text(out, ",\"params\":{");
    buffer_append_json_string(out, vocabulary->cancel_key, strlen(vocabulary->cancel_key));
    buffer_append_text(out, ":");
    append_id(out, request->id);
    buffer_append_format(out, ",\"reason\":\"%s\"}}", reason_info(reason)->text);
}

void refusal_append_typed(struct buffer *out, const char *pattern, struct span verb,
                          enum reason reason)
{
    static const char verb_mark[] = "\"$verb\"", reason_mark[] = "\"$reason\"";
    const struct reason_info *info = reason_info(reason);
    const char *mark;

    /* A pack has a $ only at the start of a whole value. */
    while ((mark = strstr(pattern, "\"$")) != NULL) {
        buffer_append(out, pattern, (size_t)(mark - pattern));
        if (strncmp(mark, verb_mark, strlen(verb_mark)) == 0) {
            buffer_append_json_string(out, verb.data != NULL ? verb.data : "", verb.length);
            pattern = mark + strlen(verb_mark);
        } else {
            buffer_append_format(out, "\"refused by Sidelock: %s (%s)\"", info->text, info->code);
            pattern = mark + strlen(reason_mark);
        }
    }
    buffer_append_text(out, pattern);
}
