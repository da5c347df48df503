#include "system/audit_verify.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define TORN_BYTES_MAX ((size_t)4 * AUDIT_LINE_BYTES_MAX)
#define WINDOW_BYTES   ((size_t)2 * AUDIT_LINE_BYTES_MAX)
/* A log that was moved while it was not all anchored is gone on with from one of the last lines. */
#define RECENT_LINES ((size_t)2 * AUDIT_ANCHOR_LINES)

#define NO_LINE "this is not a line of the log and no recovery follows it"

/* A line that is not as it should be, until the next one tells what was done. */
struct suspicion {
    enum audit_fault fault; /* AUDIT_WHOLE: none */
    uint64_t line;
    char before[SHA256_HEX_SIZE], digest[SHA256_HEX_SIZE];
};

struct audit_verifier {
    const struct secret_key *key;
    struct audit_anchor anchor;
    struct json_scan *scan;
    struct audit_verdict *verdict; /* of the file that is being read */
    bool started;                  /* there is a line before */
    bool vouched;                  /* it has a MAC of ours */
    bool signed_seen;
    bool live;                       /* the file is the newest */
    bool anchor_seen, anchor_not;    /* its line; another with its number */
    uint64_t sequence;               /* of the last whole line */
    char digest[SHA256_HEX_SIZE];    /* of it */
    char (*recent)[SHA256_HEX_SIZE]; /* by sequence */
    struct suspicion suspicion;
    struct buffer torn; /* lines since then that are none, joined by newlines */
    uint64_t torn_line; /* the first of them */
    uint64_t lost_line; /* the first that says that others could not be written */
};

const char *audit_fault_name(enum audit_fault fault)
{
    static const char *const names[] = {
        [AUDIT_WHOLE] = "whole", [AUDIT_CHANGED] = "changed",     [AUDIT_REMOVED] = "removed",
        [AUDIT_CUT] = "cut",     [AUDIT_REWRITTEN] = "rewritten", [AUDIT_FOREIGN] = "foreign",
        [AUDIT_TORN] = "torn",   [AUDIT_LOST] = "lost",
    };

    return names[fault];
}

PRINTF_LIKE(4, 5)
static void fault_at(struct audit_verifier *verifier, enum audit_fault fault, uint64_t line,
                     const char *format, ...)
{
    struct audit_verdict *verdict = verifier->verdict;
    va_list arguments;

    if (!verdict->intact)
        return;
    verdict->intact = false;
    verdict->fault = fault;
    verdict->bad_line = line;
    va_start(arguments, format);
    vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
    va_end(arguments);
}

/* ---- What was torn ---- */

/* A line that is none of ours: all right only if a recovery follows. */
static void note_torn(struct audit_verifier *verifier, struct span line)
{
    if (verifier->torn_line == 0)
        verifier->torn_line = verifier->verdict->lines;
    else
        buffer_append_text(&verifier->torn, "\n");
    buffer_append(&verifier->torn, line.data, line.length);
    if (buffer_failed(&verifier->torn))
        fault_at(verifier, AUDIT_TORN, verifier->torn_line,
                 "this line and those after it are not lines of the log");
}

static void check_recovery(struct audit_verifier *verifier, const struct audit_line *line)
{
    char digest[SHA256_HEX_SIZE];

    if (!line->recovered) {
        fault_at(verifier, AUDIT_TORN, verifier->torn_line, NO_LINE);
        return;
    }
    secret_sha256_hex(verifier->torn.data, verifier->torn.length, digest);
    if (strcmp(line->prev, digest) != 0)
        fault_at(verifier, AUDIT_CHANGED, verifier->torn_line,
                 "this line was changed after the recovery that follows it");
    else if (strcmp(line->after, verifier->digest) != 0)
        fault_at(verifier, AUDIT_CHANGED, verifier->verdict->lines,
                 "this recovery does not join the last whole line before it");
    verifier->torn_line = 0;
    buffer_reset(&verifier->torn);
}

/* ---- The chain ---- */

/* Whether nobody but the gate wrote it; of a log from before there was a key nobody can tell. */
static bool may_be_ours(struct audit_verifier *verifier, struct span text,
                        const struct audit_line *line)
{
    bool keyed = verifier->anchor.keyed_from > 0 ? line->sequence >= verifier->anchor.keyed_from
                                                 : line->has_mac || verifier->signed_seen;

    verifier->vouched = false;
    if (verifier->key == NULL || !keyed)
        return true;
    verifier->signed_seen = true;
    verifier->vouched = audit_line_is_signed(text, verifier->key);
    return verifier->vouched;
}

static void suspect(struct audit_verifier *verifier, enum audit_fault fault, const char *digest)
{
    verifier->suspicion = (struct suspicion){.fault = fault, .line = verifier->verdict->lines};
    memcpy(verifier->suspicion.before, verifier->digest, SHA256_HEX_SIZE);
    memcpy(verifier->suspicion.digest, digest, SHA256_HEX_SIZE);
}

/* By what the next line joins (NULL: there is none). */
static void resolve(struct audit_verifier *verifier, const char *prev)
{
    const struct suspicion suspicion = verifier->suspicion;
    uint64_t line = suspicion.line;

    verifier->suspicion.fault = AUDIT_WHOLE;
    if (suspicion.fault == AUDIT_WHOLE)
        return;
    if (prev != NULL && strcmp(prev, suspicion.digest) == 0)
        fault_at(verifier, AUDIT_REWRITTEN, line,
                 "the log was written anew from this line on: its chain is whole, but these lines "
                 "have no MAC of this gate's key");
    else if (suspicion.fault == AUDIT_FOREIGN &&
             (prev == NULL || strcmp(prev, suspicion.before) == 0))
        fault_at(verifier, AUDIT_FOREIGN, line, "this line is of another log: it was put in");
    else
        fault_at(verifier, AUDIT_CHANGED, line,
                 "this line was changed: its MAC is not of what it says");
}

/* A line that does not name the one before it, and may be ours. */
static void judge_gap(struct audit_verifier *verifier, const struct audit_line *line,
                      bool both_vouched)
{
    uint64_t expected = verifier->sequence + 1, number = verifier->verdict->lines;

    if (line->sequence > expected)
        fault_at(verifier, AUDIT_REMOVED, number,
                 "%llu line%s before this one, from number %llu on, are missing",
                 (unsigned long long)(line->sequence - expected),
                 line->sequence - expected == 1 ? "" : "s", (unsigned long long)expected);
    else if (line->sequence < expected || both_vouched)
        fault_at(
            verifier, AUDIT_FOREIGN, number,
            "this line is of another place or log: it has number %llu where %llu should follow",
            (unsigned long long)line->sequence, (unsigned long long)expected);
    else
        fault_at(verifier, AUDIT_CHANGED, number,
                 "this line does not join the one before it: one of the two was changed");
}

/* A log that was moved away while the gate stood still goes on from what was anchored of it. */
static bool resumes(const struct audit_verifier *verifier, const struct audit_line *line)
{
    return line->resumed && verifier->verdict->lines == 1 &&
           line->sequence <= verifier->sequence + 1 &&
           verifier->sequence + 1 - line->sequence < RECENT_LINES && line->sequence > 1 &&
           strcmp(line->prev, verifier->recent[(line->sequence - 1) % RECENT_LINES]) == 0;
}

/* The first line of all names none before it. */
static bool misnames_first(const struct audit_verifier *verifier, const struct audit_line *line)
{
    return !verifier->started && line->sequence == 1 && !line->recovered &&
           strcmp(line->prev, AUDIT_ZERO_DIGEST) != 0;
}

static void check_joint(struct audit_verifier *verifier, struct span text,
                        const struct audit_line *line, const char *digest)
{
    bool vouched_before = verifier->vouched, ours = may_be_ours(verifier, text, line);
    bool links = !verifier->started || strcmp(line->prev, verifier->digest) == 0;
    bool follows = !verifier->started || line->sequence == verifier->sequence + 1;

    if (!ours)
        suspect(verifier, links && follows ? AUDIT_CHANGED : AUDIT_FOREIGN, digest);
    else if (verifier->torn_line != 0)
        check_recovery(verifier, line);
    else if (misnames_first(verifier, line))
        fault_at(verifier, AUDIT_CHANGED, verifier->verdict->lines,
                 "this first line names a line before it");
    else if (!links && !resumes(verifier, line))
        judge_gap(verifier, line, vouched_before && verifier->vouched);
    if (ours && links && !follows)
        fault_at(verifier, AUDIT_CHANGED, verifier->verdict->lines,
                 "this line has number %llu where %llu should follow",
                 (unsigned long long)line->sequence, (unsigned long long)verifier->sequence + 1);
}

/* What the log or its anchor says of it as a whole. */
static void check_meaning(struct audit_verifier *verifier, const struct audit_line *line,
                          const char *digest)
{
    struct audit_verdict *verdict = verifier->verdict;

    if (line->mismatch)
        fault_at(verifier, line->found < line->anchored ? AUDIT_CUT : AUDIT_REWRITTEN,
                 verdict->lines,
                 "when the gate started here, the log ended with number %llu and was not the one "
                 "of which number %llu was anchored",
                 (unsigned long long)line->found, (unsigned long long)line->anchored);
    if (line->sequence == verifier->anchor.sequence) {
        bool same = strcmp(digest, verifier->anchor.digest) == 0;

        verifier->anchor_seen = verifier->anchor_seen || same;
        verifier->anchor_not = verifier->anchor_not || !same;
        if (!same && verifier->live)
            fault_at(verifier, AUDIT_REWRITTEN, verdict->lines,
                     "the log was written anew: this is not the line that was anchored");
    }
    if (line->lost > 0 && verdict->lost == 0)
        verifier->lost_line = verdict->lines;
    verdict->lost += line->lost;
}

static void check_line(struct audit_verifier *verifier, struct span text)
{
    struct audit_verdict *verdict = verifier->verdict;
    char digest[SHA256_HEX_SIZE];
    struct audit_line line;

    verdict->lines++;
    if (!audit_line_parse(verifier->scan, text, &line)) {
        resolve(verifier, NULL);
        note_torn(verifier, text);
        return;
    }
    resolve(verifier, line.prev);
    if (!verdict->intact)
        return;
    secret_sha256_hex(text.data, text.length, digest);
    check_joint(verifier, text, &line, digest);
    if (verifier->suspicion.fault == AUDIT_WHOLE)
        check_meaning(verifier, &line, digest);
    if (verdict->first_sequence == 0) {
        verdict->first_sequence = line.sequence;
        memcpy(verdict->first_prev, line.prev, SHA256_HEX_SIZE);
    }
    verdict->last_sequence = verifier->sequence = line.sequence;
    verifier->started = true;
    memcpy(verifier->digest, digest, SHA256_HEX_SIZE);
    memcpy(verifier->recent[line.sequence % RECENT_LINES], digest, SHA256_HEX_SIZE);
}

/* ---- Files ---- */

/* Feeds whole lines of the window on; returns how many bytes they were. */
static size_t check_window(struct audit_verifier *verifier, const char *window, size_t length)
{
    size_t at = 0;

    while (at < length && verifier->verdict->intact) {
        const char *newline = memchr(window + at, '\n', length - at);

        if (newline == NULL)
            break;
        check_line(verifier, (struct span){window + at, (size_t)(newline - window) - at});
        at = (size_t)(newline - window) + 1;
    }
    return at;
}

static enum error check_file(struct audit_verifier *verifier, gzFile file, char *window)
{
    struct audit_verdict *verdict = verifier->verdict;
    size_t held = 0;
    int count = 1;

    while (verdict->intact && count > 0) {
        size_t used;

        count = gzread(file, window + held, (unsigned)(WINDOW_BYTES - held));
        if (count < 0 && verdict->lines == 0 && held == 0)
            return ERROR_IO;
        held += count > 0 ? (size_t)count : 0;
        used = check_window(verifier, window, held);
        held -= used;
        memmove(window, window + used, held);
        if (held >= AUDIT_LINE_BYTES_MAX)
            fault_at(verifier, AUDIT_TORN, verdict->lines + 1,
                     "this line is longer than a line can be");
    }
    resolve(verifier, NULL);
    if (count < 0)
        fault_at(verifier, AUDIT_TORN, verdict->lines + 1,
                 "the packed file is damaged or cut off from here on");
    if (held > 0)
        fault_at(verifier, AUDIT_TORN, verdict->lines + 1,
                 "the last line is torn; Sidelock will recover it when it next starts");
    else if (verifier->torn_line != 0)
        fault_at(verifier, AUDIT_TORN, verifier->torn_line, NO_LINE);
    return OK;
}

/* Whether the newest file is the one that was anchored, and not cut since. */
static void check_anchor(struct audit_verifier *verifier)
{
    const struct audit_anchor *anchor = &verifier->anchor;
    const struct audit_verdict *verdict = verifier->verdict;

    if (anchor->sequence == 0 || verifier->anchor_seen)
        return;
    if (verifier->sequence < anchor->sequence)
        fault_at(verifier, AUDIT_CUT, verdict->lines,
                 "the log ends here, but number %llu was written and anchored: its end was cut "
                 "off, or it was moved away, and then name that file, too",
                 (unsigned long long)anchor->sequence);
    else if (verifier->anchor_not || (verdict->first_sequence == anchor->sequence + 1 &&
                                      strcmp(verdict->first_prev, anchor->digest) != 0))
        fault_at(verifier, AUDIT_REWRITTEN, 1,
                 "the log was written anew: the line that was anchored is not among those before");
}

enum error audit_verifier_read(struct audit_verifier *verifier, const char *path, bool live,
                               struct audit_verdict *out)
{
    struct audit_verdict verdict = {.intact = true, .first_prev = AUDIT_ZERO_DIGEST};
    char *window = malloc(WINDOW_BYTES);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    gzFile file = fd >= 0 ? gzdopen(fd, "rb") : NULL;
    enum error error = ERROR_IO;

    if (fd >= 0 && file == NULL)
        close(fd);
    verifier->verdict = &verdict;
    verifier->live = live;
    verifier->lost_line = 0;
    if (window == NULL)
        error = ERROR_MEMORY;
    else if (file != NULL)
        error = check_file(verifier, file, window);
    if (file != NULL && gzclose(file) == Z_BUF_ERROR)
        fault_at(verifier, AUDIT_TORN, verdict.lines, "the packed file is cut off here");
    if (live)
        check_anchor(verifier);
    if (verdict.lost > 0)
        fault_at(verifier, AUDIT_LOST, verifier->lost_line,
                 "the chain is whole, but %llu line%s could not be written: some before this one, "
                 "which says since when",
                 (unsigned long long)verdict.lost, verdict.lost == 1 ? "" : "s");
    memcpy(verdict.last_digest, verifier->digest, SHA256_HEX_SIZE);
    verifier->started = verifier->started && (verdict.intact || verdict.fault == AUDIT_LOST);
    free(window);
    if (error == OK)
        *out = verdict;
    return error;
}

enum error audit_verifier_create(const struct secret_key *key, const struct audit_anchor *anchor,
                                 struct audit_verifier **out)
{
    struct audit_verifier *verifier = calloc(1, sizeof(*verifier));

    if (verifier == NULL)
        return ERROR_MEMORY;
    verifier->key = key;
    if (anchor != NULL)
        verifier->anchor = *anchor;
    memcpy(verifier->digest, AUDIT_ZERO_DIGEST, SHA256_HEX_SIZE);
    buffer_init(&verifier->torn, TORN_BYTES_MAX);
    verifier->recent = calloc(RECENT_LINES, sizeof(*verifier->recent));
    if (verifier->recent == NULL || json_scan_create(&verifier->scan) != OK) {
        audit_verifier_destroy(verifier);
        return ERROR_MEMORY;
    }
    *out = verifier;
    return OK;
}

void audit_verifier_destroy(struct audit_verifier *verifier)
{
    if (verifier == NULL)
        return;
    json_scan_destroy(verifier->scan);
    buffer_clear(&verifier->torn);
    free(verifier->recent);
    free(verifier);
}

enum error audit_verify(const char *path, struct audit_verdict *out)
{
    struct audit_verifier *verifier;
    enum error error = audit_verifier_create(NULL, NULL, &verifier);

    if (error != OK)
        return error;
    error = audit_verifier_read(verifier, path, false, out);
    audit_verifier_destroy(verifier);
    return error;
}
