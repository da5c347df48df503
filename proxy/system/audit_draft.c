#include "system/audit_draft.h"

#include "base/text.h"
#include "policy/stray.h"
#include "system/audit_line.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Room kept for what commit adds: "cut", "prev", "mac", the brace and the newline. */
#define ENDING_BYTES 256
#define CUT_MARK     "\xe2\x80\xa6" /* U+2026 */

/* Most lines are of the second of the line before. */
static void append_time(struct audit_draft *draft)
{
    struct timespec now;
    struct tm utc;

    clock_gettime(CLOCK_REALTIME, &now);
    if (draft->second != now.tv_sec || draft->second_text[0] == '\0') {
        gmtime_r(&now.tv_sec, &utc);
        strftime(draft->second_text, sizeof(draft->second_text), "%Y-%m-%dT%H:%M:%S", &utc);
        draft->second = now.tv_sec;
    }
    buffer_append_format(&draft->line, "\"%s.%03ldZ\"", draft->second_text, now.tv_nsec / 1000000);
}

void audit_draft_begin(struct audit_draft *draft, uint64_t sequence, const char *event)
{
    buffer_reset(&draft->line);
    draft->fields = 0;
    draft->cut = false;
    buffer_append_format(&draft->line, "{\"seq\":%llu,\"time\":", (unsigned long long)sequence);
    append_time(draft);
    buffer_append_text(&draft->line, ",\"event\":");
    buffer_append_json_string(&draft->line, event, strlen(event));
}

/* Begins a member; returns where the line would end without it. */
static size_t begin_field(struct audit_draft *draft, const char *name)
{
    size_t start = draft->line.length;

    buffer_append_text(&draft->line, ",\"");
    buffer_append_text(&draft->line, name);
    buffer_append_text(&draft->line, "\":");
    return start;
}

/* Takes a member back that left no room for the line's ending, or was one too many. */
static void end_field(struct audit_draft *draft, size_t start)
{
    struct buffer *line = &draft->line;

    if (draft->fields < AUDIT_FIELDS_MAX && !buffer_failed(line) &&
        line->length + ENDING_BYTES <= AUDIT_LINE_BYTES_MAX) {
        draft->fields++;
        return;
    }
    draft->cut = true;
    buffer_truncate(line, start);
}

void audit_draft_bytes(struct audit_draft *draft, const char *name, const char *bytes,
                       size_t length)
{
    size_t start, kept;

    start = begin_field(draft, name);
    if (length <= AUDIT_VALUE_BYTES_MAX) {
        buffer_append_json_string(&draft->line, bytes, length);
    } else {
        /* Not in the middle of a UTF-8 sequence. */
        for (kept = AUDIT_VALUE_BYTES_MAX; kept > AUDIT_VALUE_BYTES_MAX - 4; kept--) {
            if (((unsigned char)bytes[kept] & 0xc0) != 0x80)
                break;
        }
        buffer_append_json_string(&draft->line, bytes, kept);
        if (!buffer_failed(&draft->line)) {
            draft->line.length--; /* the closing quote comes after the mark */
            buffer_append_text(&draft->line, CUT_MARK "\"");
        }
    }
    end_field(draft, start);
}

/* Of a credential that stands where none belongs the log says no more than that. */
void audit_draft_text(struct audit_draft *draft, const char *name, const char *value)
{
    struct span text = span_of(value);
    struct buffer redacted;

    buffer_init(&redacted, AUDIT_LINE_BYTES_MAX);
    if (stray_redact(text, &redacted))
        text = buffer_failed(&redacted) ? span_of(STRAY_MARK)
                                        : (struct span){redacted.data, redacted.length};
    audit_draft_bytes(draft, name, text.data, text.length);
    buffer_clear(&redacted);
}

void audit_draft_number(struct audit_draft *draft, const char *name, int64_t value)
{
    size_t start;

    start = begin_field(draft, name);
    buffer_append_format(&draft->line, "%lld", (long long)value);
    end_field(draft, start);
}

void audit_draft_flag(struct audit_draft *draft, const char *name, bool value)
{
    size_t start;

    start = begin_field(draft, name);
    buffer_append_text(&draft->line, value ? "true" : "false");
    end_field(draft, start);
}
