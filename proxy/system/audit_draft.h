/*
 * One line of the audit log while it is being made (audit.h): its members, without what ties it to
 * the line before. For audit.c.
 */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

/* buffer_init(&line, AUDIT_LINE_BYTES_MAX) first; to be cleared by the owner. */
struct audit_draft {
    struct buffer line;
    unsigned fields;
    bool cut; /* something was left out */
    int64_t second;
    char second_text[24]; /* that second, formatted; "": none yet */
};

void audit_draft_begin(struct audit_draft *draft, uint64_t sequence, const char *event);
void audit_draft_bytes(struct audit_draft *draft, const char *name, const char *bytes,
                       size_t length);
void audit_draft_text(struct audit_draft *draft, const char *name, const char *value);
void audit_draft_number(struct audit_draft *draft, const char *name, int64_t value);
void audit_draft_flag(struct audit_draft *draft, const char *name, bool value);
