#include "system/audit_verify.h"

#include "base/buffer.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TORN_BYTES_MAX      ((size_t)4 * AUDIT_LINE_BYTES_MAX)
#define WINDOW_BYTES        ((size_t)2 * AUDIT_LINE_BYTES_MAX)
#define SEQUENCE_DIGITS_MAX 18

static bool read_sequence(const struct json_member *member, uint64_t *out)
{
    return member != NULL && member->type == JSON_TYPE_INTEGER &&
           text_number(member->value, SEQUENCE_DIGITS_MAX, out) && *out > 0;
}

static bool read_digest(const struct json_member *member, char out[SHA256_HEX_SIZE])
{
    size_t length;

    return member != NULL && member->type == JSON_TYPE_STRING &&
           json_scan_unescape(member->value, out, SHA256_HEX_SIZE, &length) == OK &&
           length == SHA256_HEX_SIZE - 1 && text_is_hex(out, length);
}

bool audit_line_parse(struct json_scan *scan, struct span line, struct audit_line *out)
{
    const struct json_member *event;

    if (json_scan_text(scan, line.data, line.length, NULL) != REASON_ALLOWED ||
        json_scan_root(scan) != JSON_TYPE_OBJECT ||
        !read_sequence(json_scan_find(scan, -1, "seq"), &out->sequence) ||
        !read_digest(json_scan_find(scan, -1, "prev"), out->prev))
        return false;
    event = json_scan_find(scan, -1, "event");
    if (event == NULL || event->type != JSON_TYPE_STRING)
        return false;
    out->lost = 0;
    if (span_equals(event->value, "\"" AUDIT_EVENT_LOST "\"") &&
        !read_sequence(json_scan_find(scan, -1, "count"), &out->lost))
        return false;
    out->recovered = span_equals(event->value, "\"" AUDIT_EVENT_RECOVERED "\"");
    return !out->recovered || read_digest(json_scan_find(scan, -1, "after"), out->after);
}

/* Where the check of one file stands. */
struct check {
    struct json_scan *scan;
    struct audit_verdict *verdict;
    uint64_t sequence;  /* of the last whole line; 0: none yet */
    struct buffer torn; /* lines since then that are none, joined by newlines */
    uint64_t torn_line; /* the first of them */
    uint64_t lost_line; /* the first that says that others could not be written */
};

static void fault(struct check *check, uint64_t line, const char *format, ...) PRINTF_LIKE(3, 4);

static void fault(struct check *check, uint64_t line, const char *format, ...)
{
    struct audit_verdict *verdict = check->verdict;
    va_list arguments;

    if (!verdict->intact)
        return;
    verdict->intact = false;
    verdict->bad_line = line;
    va_start(arguments, format);
    vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
    va_end(arguments);
}

/* A line that is none of ours: all right only if a recovery follows. */
static void note_torn(struct check *check, struct span line)
{
    if (check->torn_line == 0)
        check->torn_line = check->verdict->lines;
    else
        buffer_append_text(&check->torn, "\n");
    buffer_append(&check->torn, line.data, line.length);
    if (buffer_failed(&check->torn))
        fault(check, check->torn_line, "this line and those after it are not lines of the log");
}

static void check_recovery(struct check *check, const struct audit_line *line)
{
    char digest[SHA256_HEX_SIZE];

    if (!line->recovered) {
        fault(check, check->torn_line, "this is not a line of the log and no recovery follows it");
        return;
    }
    secret_sha256_hex(check->torn.data, check->torn.length, digest);
    if (strcmp(line->prev, digest) != 0)
        fault(check, check->torn_line, "this line was changed after the recovery that follows it");
    else if (strcmp(line->after, check->verdict->last_digest) != 0)
        fault(check, check->verdict->lines,
              "this recovery does not join the last whole line before it");
    check->torn_line = 0;
    buffer_reset(&check->torn);
}

/* The first whole line: a file may be the continuation of another. */
static void check_first(struct check *check, const struct audit_line *line)
{
    if (line->sequence == 1 && !line->recovered && strcmp(line->prev, AUDIT_ZERO_DIGEST) != 0)
        fault(check, check->verdict->lines, "this first line names a line before it");
    memcpy(check->verdict->first_prev, line->prev, SHA256_HEX_SIZE);
}

static void check_line(struct check *check, struct span text)
{
    struct audit_verdict *verdict = check->verdict;
    struct audit_line line;

    verdict->lines++;
    if (!audit_line_parse(check->scan, text, &line)) {
        note_torn(check, text);
        return;
    }
    if (check->sequence == 0)
        check_first(check, &line);
    if (check->torn_line != 0)
        check_recovery(check, &line);
    else if (check->sequence != 0 && strcmp(line.prev, verdict->last_digest) != 0)
        fault(check, verdict->lines,
              "this line does not join the one before it: one of the two was changed, or lines "
              "between them were taken out");
    if (check->sequence != 0 && line.sequence != check->sequence + 1)
        fault(check, verdict->lines, "this line has number %llu where %llu should follow",
              (unsigned long long)line.sequence, (unsigned long long)check->sequence + 1);
    if (line.lost > 0 && verdict->lost == 0)
        check->lost_line = verdict->lines;
    verdict->lost += line.lost;
    check->sequence = line.sequence;
    secret_sha256_hex(text.data, text.length, verdict->last_digest);
}

/* Feeds whole lines of the window on; returns how many bytes they were. */
static size_t check_window(struct check *check, const char *window, size_t length)
{
    size_t at = 0;

    while (at < length && check->verdict->intact) {
        const char *newline = memchr(window + at, '\n', length - at);

        if (newline == NULL)
            break;
        check_line(check, (struct span){window + at, (size_t)(newline - window) - at});
        at = (size_t)(newline - window) + 1;
    }
    return at;
}

static enum error check_file(struct check *check, int fd, char *window)
{
    size_t held = 0;
    ssize_t count;

    while (check->verdict->intact) {
        size_t used;

        count = read(fd, window + held, WINDOW_BYTES - held);
        if (count < 0)
            return ERROR_IO;
        if (count == 0)
            break;
        held += (size_t)count;
        used = check_window(check, window, held);
        held -= used;
        memmove(window, window + used, held);
        if (held >= AUDIT_LINE_BYTES_MAX)
            fault(check, check->verdict->lines + 1, "this line is longer than a line can be");
    }
    if (held > 0)
        fault(check, check->verdict->lines + 1,
              "the last line is torn; Sidelock will recover it when it next starts");
    else if (check->torn_line != 0)
        fault(check, check->torn_line, "this is not a line of the log and no recovery follows it");
    if (check->verdict->lost > 0)
        fault(check, check->lost_line,
              "the chain is whole, but %llu line%s could not be written: some before this one, "
              "which says since when",
              (unsigned long long)check->verdict->lost, check->verdict->lost == 1 ? "" : "s");
    return OK;
}

enum error audit_verify(const char *path, struct audit_verdict *out)
{
    struct audit_verdict verdict = {
        .intact = true, .first_prev = AUDIT_ZERO_DIGEST, .last_digest = AUDIT_ZERO_DIGEST};
    struct check check = {.verdict = &verdict};
    char *window = malloc(WINDOW_BYTES);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum error error = window != NULL ? json_scan_create(&check.scan) : ERROR_MEMORY;

    buffer_init(&check.torn, TORN_BYTES_MAX);
    if (error == OK)
        error = fd >= 0 ? check_file(&check, fd, window) : ERROR_IO;
    json_scan_destroy(check.scan);
    buffer_clear(&check.torn);
    free(window);
    if (fd >= 0)
        close(fd);
    if (error == OK)
        *out = verdict;
    return error;
}
