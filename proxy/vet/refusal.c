#include "vet/refusal.h"

#include <string.h>

/* From the id on. */
static void append_error(struct buffer *out, struct span id, enum reason reason)
{
    const struct reason_info *info = reason_info(reason);

    buffer_append_text(out, "\"id\":");
    if (id.data != NULL)
        buffer_append(out, id.data, id.length);
    else
        buffer_append_text(out, "null");
    buffer_append_format(out,
                         ",\"error\":{\"code\":%d,\"message\":\"refused by Sidelock: %s\","
                         "\"data\":{\"reason\":\"%s\"",
                         VET_REFUSAL_CODE, info->text, info->code);
    if (info->cause != NULL)
        buffer_append_format(out, ",\"cause\":\"%s\"", info->cause);
    buffer_append_text(out, "}}}");
}

void refusal_append_json_rpc(struct buffer *out, struct span id, enum reason reason)
{
    buffer_append_text(out, "{\"jsonrpc\":\"2.0\",");
    append_error(out, id, reason);
}

void refusal_append_vocabulary(struct buffer *out, const struct vocabulary *vocabulary,
                               const struct message *message, enum reason reason)
{
    buffer_append_text(out, vocabulary->bare ? "{" : "{\"jsonrpc\":\"2.0\",");
    if (message->session.data != NULL) {
        buffer_append_json_string(out, vocabulary->session_key, strlen(vocabulary->session_key));
        buffer_append_text(out, ":");
        buffer_append(out, message->session.data, message->session.length);
        buffer_append_text(out, ",");
    }
    append_error(out, message->id, reason);
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
