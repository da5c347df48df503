#include "launch/relay/splice.h"

#define META_SUBSCRIPTION "io.modelcontextprotocol/subscriptionId"

static const char *append_up_to(struct buffer *out, const char *from, const struct splice *splice)
{
    buffer_append(out, from, (size_t)(splice->old.data - from));
    buffer_append_text(out, splice->with);
    return splice->old.data + splice->old.length;
}

void splice_write(struct buffer *out, struct span text, struct splice one, struct splice other)
{
    const char *at = text.data;
    struct splice first = one, second = other;

    if (first.old.data == NULL || (second.old.data != NULL && second.old.data < first.old.data)) {
        first = other;
        second = one;
    }
    if (first.old.data != NULL)
        at = append_up_to(out, at, &first);
    if (second.old.data != NULL)
        at = append_up_to(out, at, &second);
    buffer_append(out, at, (size_t)(text.data + text.length - at));
}

static struct span value_of(const struct json_member *member)
{
    bool is_token = member != NULL &&
                    (member->type == JSON_TYPE_STRING || member->type == JSON_TYPE_INTEGER) &&
                    member->value.length <= RPC_ID_BYTES_MAX;

    return is_token ? member->value : (struct span){NULL, 0};
}

struct span splice_asked_token(const struct json_scan *scan)
{
    return value_of(json_scan_find_in(scan, rpc_param(scan, "_meta"), "progressToken"));
}

struct span splice_told_token(const struct json_scan *scan)
{
    return value_of(rpc_param(scan, "progressToken"));
}

struct span splice_subscription(const struct json_scan *scan)
{
    return value_of(json_scan_find_in(scan, rpc_param(scan, "_meta"), META_SUBSCRIPTION));
}
