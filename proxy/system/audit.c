#include "system/audit.h"

#include "base/log.h"
#include "system/audit_draft.h"
#include "system/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The last whole line and what was torn after it always fit: four lines of any length. */
#define TAIL_BYTES 65536
/* That wait to be written together: then they are. */
#define WAITING_BYTES_MAX 262144

#define COMPLAINT_INTERVAL_S 60

/* Where the chain stands. */
struct chain {
    uint64_t sequence;            /* of the last whole line; 0: none */
    char digest[SHA256_HEX_SIZE]; /* of the last line, or of what was torn after it */
    char whole[SHA256_HEX_SIZE];  /* of the last whole line */
    bool torn;                    /* the file does not end in a line of ours: recover first */
};

struct audit {
    char *path;
    int fd;
    struct chain chain;   /* with what waits */
    struct chain written; /* in the file */
    struct buffer waiting;
    uint64_t waiting_lines;       /* in it, that are lost if it cannot be written */
    const struct secret_key *key; /* NULL: lines have no MAC */
    uint64_t keyed_from;
    struct json_scan *scan;
    struct audit_draft draft;
    uint64_t lost, untold; /* lines that could not be written: all, and those of no "audit_lost" */
    time_t untold_since;
    int64_t complained_s; /* monotonic: when the operator's log last said so */
};

static const struct chain empty_chain = {.digest = AUDIT_ZERO_DIGEST, .whole = AUDIT_ZERO_DIGEST};

/* Follows the chain through the end of a file, which may begin within a line. */
static void follow(struct audit *audit, struct span tail, struct chain *chain)
{
    const char *at = tail.data, *end = tail.data + tail.length, *torn = NULL, *stop = at;
    struct audit_line parsed;

    for (; at < end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        if (audit_line_parse(audit->scan, (struct span){at, (size_t)(stop - at)}, &parsed)) {
            torn = NULL;
            chain->sequence = parsed.sequence;
            secret_sha256_hex(at, (size_t)(stop - at), chain->whole);
        } else if (torn == NULL) {
            torn = at;
        }
    }
    chain->torn = torn != NULL;
    if (chain->torn)
        secret_sha256_hex(torn, (size_t)(stop - torn), chain->digest);
    else
        memcpy(chain->digest, chain->whole, SHA256_HEX_SIZE);
}

/* Reads where a file's chain stands into *chain, and ends a line that has no newline. */
static enum error read_tail(struct audit *audit, int fd, struct chain *chain)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *tail = malloc(TAIL_BYTES);
    enum error error = OK;
    ssize_t length;

    if (tail == NULL)
        return ERROR_MEMORY;
    length = size < 0 ? -1 : pread(fd, tail, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
    if (length < 0) {
        error = ERROR_IO;
    } else {
        *chain = empty_chain;
        follow(audit, (struct span){tail, (size_t)length}, chain);
        if (length > 0 && tail[length - 1] != '\n' && write(fd, "\n", 1) != 1)
            error = ERROR_IO;
    }
    free(tail);
    return error;
}

/* The file's chain stands there, and nothing waits. */
static void stand(struct audit *audit, const struct chain *chain)
{
    audit->chain = audit->written = *chain;
}

/* Once a minute: what cannot be written may be asked for thousands of times a second. */
static void complain(struct audit *audit, const char *why)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (audit->untold > 1 && now.tv_sec - audit->complained_s < COMPLAINT_INTERVAL_S)
        return;
    audit->complained_s = now.tv_sec;
    log_error("the audit log %s cannot be written: %s; %llu lines are lost so far", audit->path,
              why, (unsigned long long)audit->untold);
}

static void lose_lines(struct audit *audit, uint64_t count, const char *why)
{
    if (audit->untold == 0)
        audit->untold_since = time(NULL);
    audit->untold += count;
    audit->lost += count;
    complain(audit, why);
}

void audit_bytes(struct audit *audit, const char *name, const char *bytes, size_t length)
{
    if (audit != NULL)
        audit_draft_bytes(&audit->draft, name, bytes, length);
}

void audit_text(struct audit *audit, const char *name, const char *value)
{
    if (audit != NULL && value != NULL)
        audit_draft_text(&audit->draft, name, value);
}

void audit_number(struct audit *audit, const char *name, int64_t value)
{
    if (audit != NULL)
        audit_draft_number(&audit->draft, name, value);
}

void audit_flag(struct audit *audit, const char *name, bool value)
{
    if (audit != NULL)
        audit_draft_flag(&audit->draft, name, value);
}

void audit_reason(struct audit *audit, enum reason reason)
{
    audit_text(audit, "reason", reason_info(reason)->code);
    audit_text(audit, "cause", reason_info(reason)->cause);
}

/*
 * Writes all or nothing: what a failed write left behind is cut off again, or
 * if even that fails, gone around by the next line.
 */
static enum error write_all(struct audit *audit, const struct buffer *lines)
{
    size_t written = 0;
    off_t end;
    int reason;

    while (written < lines->length) {
        ssize_t count = write(audit->fd, lines->data + written, lines->length - written);

        if (count > 0)
            written += (size_t)count;
        else if (errno != EINTR)
            break;
    }
    if (written == lines->length)
        return OK;
    reason = errno;
    end = written > 0 ? lseek(audit->fd, 0, SEEK_END) : 0;
    audit->written.torn =
        written > 0 && (end < 0 || ftruncate(audit->fd, end - (off_t)written) != 0);
    errno = reason;
    return ERROR_IO;
}

/* Writes what waits; what cannot be written is lost, and the chain is where it was before. */
static enum error write_waiting(struct audit *audit)
{
    uint64_t lines = audit->waiting_lines;
    enum error error;

    if (audit->waiting.length == 0)
        return OK;
    errno = 0;
    error = write_all(audit, &audit->waiting);
    buffer_reset(&audit->waiting);
    audit->waiting_lines = 0;
    if (error == OK) {
        audit->written = audit->chain;
        return OK;
    }
    audit->chain = audit->written;
    if (lines > 0)
        lose_lines(audit, lines, strerror(errno));
    return error;
}

/* Ends the line and ties it to the one before; it is to be written. `lines` is 1, or 0 for one that
 * is not missed. */
static enum error add_line(struct audit *audit, unsigned lines)
{
    struct buffer *line = &audit->draft.line;
    struct chain *chain = &audit->chain;
    struct audit_line parsed;

    if (audit->draft.cut)
        buffer_append_text(line, ",\"cut\":true");
    buffer_append_text(line, ",\"prev\":\"");
    buffer_append_text(line, chain->digest);
    buffer_append_text(line, "\"");
    if (audit->key != NULL)
        audit_line_sign(line, audit->key);
    buffer_append_text(line, "}\n");
    if (buffer_failed(line))
        return ERROR_MEMORY;
    /* What could not be read back would break the chain for every line to come. */
    if (!audit_line_parse(audit->scan, (struct span){line->data, line->length - 1}, &parsed))
        return ERROR_INVALID;
    if (audit->waiting.length + line->length > WAITING_BYTES_MAX && write_waiting(audit) != OK)
        return ERROR_IO;
    buffer_append(&audit->waiting, line->data, line->length);
    if (buffer_failed(&audit->waiting))
        return ERROR_MEMORY;
    audit->waiting_lines += lines;
    chain->sequence++;
    chain->torn = false;
    secret_sha256_hex(line->data, line->length - 1, chain->digest);
    memcpy(chain->whole, chain->digest, SHA256_HEX_SIZE);
    return OK;
}

/* A line of the log's own, which is not lost if it cannot be written: it will be tried again. */
static enum error commit_own(struct audit *audit)
{
    enum error error = add_line(audit, 0);

    return error == OK ? write_waiting(audit) : error;
}

static void begin_line(struct audit *audit, const char *event)
{
    audit_draft_begin(&audit->draft, audit->chain.sequence + 1, event);
}

/* Writes the line that goes around what was torn. */
static enum error recover(struct audit *audit)
{
    begin_line(audit, AUDIT_EVENT_RECOVERED);
    audit_text(audit, "after", audit->chain.whole);
    return commit_own(audit);
}

static bool tell_lost(struct audit *audit)
{
    struct tm utc;
    char since[32];

    if (gmtime_r(&audit->untold_since, &utc) == NULL)
        return false;
    strftime(since, sizeof(since), "%FT%TZ", &utc);
    begin_line(audit, AUDIT_EVENT_LOST);
    audit_number(audit, "count", (int64_t)audit->untold);
    audit_text(audit, "since", since);
    return commit_own(audit) == OK;
}

/* What is owed before another line: the way around what was torn, and what was lost. */
static void settle(struct audit *audit)
{
    struct chain chain;

    /* If this fails, the chain stays torn and the commit refuses. */
    if (audit->chain.torn && read_tail(audit, audit->fd, &chain) == OK) {
        stand(audit, &chain);
        if (chain.torn && recover(audit) != OK)
            audit->chain.torn = true;
    }
    if (audit->untold == 0 || audit->chain.torn || !tell_lost(audit))
        return;
    log_warning("the audit log %s is written again; %llu lines were lost", audit->path,
                (unsigned long long)audit->untold);
    audit->untold = 0;
}

void audit_begin(struct audit *audit, const char *event)
{
    settle(audit);
    begin_line(audit, event);
}

enum error audit_commit_later(struct audit *audit)
{
    enum error error;

    if (audit == NULL)
        return OK;
    errno = 0;
    error = audit->chain.torn ? ERROR_IO : add_line(audit, 1);
    if (error == ERROR_IO || error == ERROR_MEMORY)
        lose_lines(audit, 1, errno != 0 ? strerror(errno) : error_text(error));
    return error;
}

enum error audit_commit(struct audit *audit)
{
    enum error error = audit_commit_later(audit);

    return error == OK && audit != NULL ? write_waiting(audit) : error;
}

void audit_flush(struct audit *audit)
{
    enum error error = write_waiting(audit);

    (void)error; /* what is lost is counted */
}

uint64_t audit_lost(const struct audit *audit)
{
    return audit->lost;
}

bool audit_failing(const struct audit *audit)
{
    return audit->untold > 0;
}

void audit_tell_lost(struct audit *audit)
{
    if (audit->untold > 0)
        settle(audit);
}

/* ---- What was anchored ---- */

/* Whether the file is the one that was anchored; what cannot be told here verify tells. */
static bool is_anchored(struct audit *audit, const struct audit_anchor *anchor)
{
    char digest[SHA256_HEX_SIZE];

    return audit->chain.sequence >= anchor->sequence &&
           (!audit_file_find(audit->fd, anchor->sequence, digest) ||
            strcmp(digest, anchor->digest) == 0);
}

static enum error log_mismatch(struct audit *audit, uint64_t anchored, uint64_t found)
{
    log_error(
        "the audit log %s was cut or written anew: it ends with line %llu, and is not the one "
        "of which line %llu was anchored; `sidelock audit verify` says more",
        audit->path, (unsigned long long)found, (unsigned long long)anchored);
    begin_line(audit, AUDIT_EVENT_MISMATCH);
    audit_number(audit, "anchored", (int64_t)anchored);
    audit_number(audit, "found", (int64_t)found);
    return commit_own(audit);
}

/* Goes on where the file that is gone was anchored last. */
static enum error resume(struct audit *audit, const struct audit_anchor *anchor)
{
    struct chain chain = {.sequence = anchor->sequence};

    memcpy(chain.digest, anchor->digest, SHA256_HEX_SIZE);
    memcpy(chain.whole, anchor->digest, SHA256_HEX_SIZE);
    stand(audit, &chain);
    begin_line(audit, AUDIT_EVENT_RESUMED);
    return commit_own(audit);
}

/* What is torn is gone around, and what was anchored is compared. */
static enum error join(struct audit *audit, const struct audit_anchor *anchor)
{
    uint64_t found = audit->chain.sequence;
    bool anchored = anchor->sequence == 0 || is_anchored(audit, anchor);
    enum error error;

    audit->keyed_from = anchor->keyed_from > 0 ? anchor->keyed_from : found + 1;
    if (!anchored && !audit->chain.torn && lseek(audit->fd, 0, SEEK_END) == 0)
        return resume(audit, anchor);
    error = audit->chain.torn ? recover(audit) : OK;
    return error != OK || anchored ? error : log_mismatch(audit, anchor->sequence, found);
}

struct audit_anchor audit_head(const struct audit *audit)
{
    struct audit_anchor head = {.sequence = audit->written.sequence,
                                .keyed_from = audit->keyed_from};

    memcpy(head.digest, audit->written.whole, SHA256_HEX_SIZE);
    return head;
}

uint64_t audit_sequence(const struct audit *audit)
{
    return audit->written.sequence;
}

int audit_descriptor(const struct audit *audit)
{
    return fcntl(audit->fd, F_DUPFD_CLOEXEC, 0);
}

/* ---- Opening and closing ---- */

enum error audit_open_keyed(const char *path, const struct secret_key *key,
                            const struct audit_anchor *anchor, struct audit **out)
{
    static const struct audit_anchor none;
    struct audit *audit = calloc(1, sizeof(*audit));
    struct chain chain;
    enum error error;

    if (audit == NULL)
        return ERROR_MEMORY;
    audit->fd = -1;
    audit->key = key;
    buffer_init(&audit->draft.line, AUDIT_LINE_BYTES_MAX);
    buffer_init(&audit->waiting, WAITING_BYTES_MAX);
    audit->path = text_copy(span_of(path));
    error = audit->path != NULL ? json_scan_create(&audit->scan) : ERROR_MEMORY;
    if (error == OK)
        error = audit_file_open(path, &audit->fd);
    if (error == OK)
        error = read_tail(audit, audit->fd, &chain);
    if (error == OK)
        stand(audit, &chain);
    if (error == OK)
        error = join(audit, anchor != NULL ? anchor : &none);
    if (error != OK) {
        audit_close(audit);
        return error;
    }
    *out = audit;
    return OK;
}

enum error audit_open(const char *path, struct audit **out)
{
    return audit_open_keyed(path, NULL, NULL, out);
}

void audit_close(struct audit *audit)
{
    if (audit == NULL)
        return;
    if (audit->fd >= 0) {
        audit_flush(audit);
        (void)fsync(audit->fd);
        close(audit->fd);
    }
    json_scan_destroy(audit->scan);
    buffer_clear(&audit->draft.line);
    buffer_clear(&audit->waiting);
    free(audit->path);
    free(audit);
}

enum error audit_reopen(struct audit *audit)
{
    struct chain chain;
    enum error error;
    int fd;

    audit_flush(audit);
    error = audit_file_open(audit->path, &fd);
    if (error != OK)
        return error;
    /* An empty file continues the old one; a file with lines continues itself. */
    error = read_tail(audit, fd, &chain);
    if (error != OK) {
        close(fd);
        return error;
    }
    close(audit->fd);
    audit->fd = fd;
    if (lseek(fd, 0, SEEK_END) > 0)
        stand(audit, &chain);
    return audit->chain.torn ? recover(audit) : OK;
}
