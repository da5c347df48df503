#include "vet/stored_body.h"

#include "json/canonical.h"

enum reason stored_body_digest(struct json_scan *scan, const struct route_body *route,
                               struct span body, char out[SHA256_HEX_SIZE])
{
    enum reason reason = json_scan_text(scan, body.data, body.length, NULL);
    const struct json_member *member;
    enum error error;

    if (!reason_allows(reason))
        return reason;
    if (json_scan_root(scan) != JSON_TYPE_OBJECT ||
        json_scan_lookalike(scan, -1, route->member) >= 0)
        return REASON_VALUE_MISMATCH;
    member = json_scan_find(scan, -1, route->member);
    if (member == NULL)
        return REASON_VALUE_MISMATCH;
    error = canonical_text_digest(member->value.data, member->value.length, out);
    if (error == OK)
        return REASON_ALLOWED;
    return error == ERROR_MEMORY ? REASON_INTERNAL : REASON_VALUE_MISMATCH;
}
