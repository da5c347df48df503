#include "vet/ahead.h"

void vet_ahead(struct json_scan **scan, const struct vet_rules *rules, struct span text)
{
    const struct json_scan_wishes wishes = rules_wishes(rules, DIRECTION_S2C);

    if (text.length < VET_AHEAD_BYTES_MIN || rules->vocabulary->envelope == ENVELOPE_OPAQUE)
        return;
    if (*scan == NULL) {
        if (json_scan_create(scan) != OK)
            return;
        json_scan_begin(*scan, &wishes);
    }
    json_scan_more(*scan, text);
}
