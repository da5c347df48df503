/*
 * `sidelock audit verify` and `tail`: checks the audit log, or follows it, by reading the file
 * itself: no gate has to run. Whoever can read the log in a state directory can read the key and
 * the anchor beside it, so verify does, too: a running gate's word for it would add nothing. main.c
 * calls it by its row in verbs.c, as it does every cmd_*.c.
 */
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown.h"
#include "store/store.h"
#include "system/audit_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define LOG_NAME           "audit.jsonl"
#define TAIL_LINES_DEFAULT 10
#define TAIL_LINES_MAX     1000000
#define CHUNK_BYTES        65536
#define POLL_MS            200
#define SETTLE_MS          100 /* a line that is being written is whole after this */

struct options {
    const char *config;
    const char *lines;
    bool json, no_follow, follow;
};

static void pause_ms(long milliseconds)
{
    const struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* A file that could not be read: why, and the exit code for it. */
static int fail_to_read(const char *path)
{
    if (errno == EACCES || errno == EPERM)
        return args_fail(EX_NOPERM, "%s: not permitted; run this as the user who runs Sidelock",
                         path);
    if (errno == ENOENT)
        return args_fail(EX_DATAERR, "%s: there is no such log; Sidelock makes it when it starts",
                         path);
    return args_fail(EX_DATAERR, "%s: cannot be read: %s", path, strerror(errno));
}

/* The state directory of the configuration; EX_OK with a path that the caller frees. */
static int find_directory(const char *config_path, char **out)
{
    struct config *config;
    int code = config_file_load(config_path, &config);

    if (code != EX_OK)
        return code;
    *out = text_copy(span_of(config->state_dir));
    config_destroy(config);
    return *out != NULL ? EX_OK : args_fail(EX_OSERR, "out of memory");
}

/* The log of the configuration, likewise. */
static int find_log(const char *config_path, char **out)
{
    char *directory = NULL;
    int code = find_directory(config_path, &directory);

    if (code == EX_OK && asprintf(out, "%s/" LOG_NAME, directory) < 0)
        code = args_fail(EX_OSERR, "out of memory");
    free(directory);
    return code;
}

/* ---- verify ---- */

/* What files are checked against. */
struct witness {
    char *directory; /* with the key and the anchor; NULL: nobody knows one */
    char *log;       /* the newest file in it */
    struct secret_key *key;
    struct audit_anchor anchor;
};

/* Of the configuration where that is named or no file is; else where the last file lies. */
static int find_witness(const char *config_path, const struct args *args, struct witness *out)
{
    const char *last = args->operand_count > 0 ? args->operands[args->operand_count - 1] : NULL;
    const char *slash = last != NULL ? strrchr(last, '/') : NULL;
    int code = EX_OK;

    if (last == NULL || config_path != NULL)
        code = find_directory(config_path, &out->directory);
    else
        out->directory = slash == NULL ? text_copy(span_of("."))
                                       : text_copy((struct span){last, (size_t)(slash - last) + 1});
    if (code != EX_OK)
        return code;
    if (out->directory == NULL || asprintf(&out->log, "%s/" LOG_NAME, out->directory) < 0)
        return args_fail(EX_OSERR, "out of memory");
    if (store_audit_look(out->directory, &out->key, &out->anchor) != OK)
        out->key = NULL;
    return EX_OK;
}

static void clear_witness(struct witness *witness)
{
    free(witness->directory);
    free(witness->log);
    secret_key_destroy(witness->key);
}

static bool is_live(const struct witness *witness, const char *path)
{
    struct stat one, other;

    return witness->log != NULL && stat(witness->log, &one) == 0 && stat(path, &other) == 0 &&
           one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* How many lines at the end are not protected by the anchor yet. */
static uint64_t unanchored(const struct witness *witness, const struct audit_verdict *verdict)
{
    return verdict->last_sequence > witness->anchor.sequence
               ? verdict->last_sequence - witness->anchor.sequence
               : 0;
}

static int print_json(const char *path, const struct audit_verdict *verdict,
                      const struct witness *witness, bool live)
{
    bool intact = verdict->intact, keyed = witness->key != NULL;

    return output_json(json_pack(
        "{s:o, s:b, s:s, s:I, s:I, s:o*, s:s*, s:s, s:s, s:b, s:o*, s:o*}", "file",
        output_string(path), "intact", intact, "fault", audit_fault_name(verdict->fault), "lines",
        (json_int_t)verdict->lines, "lost", (json_int_t)verdict->lost, "bad_line",
        intact ? NULL : json_integer((json_int_t)verdict->bad_line), "text",
        intact ? NULL : verdict->text, "first_prev", verdict->first_prev, "last_digest",
        verdict->last_digest, "keyed", keyed, "anchored",
        live && keyed ? json_integer((json_int_t)witness->anchor.sequence) : NULL, "unanchored",
        live && keyed ? json_integer((json_int_t)unanchored(witness, verdict)) : NULL));
}

static void print_intact(const char *path, const struct audit_verdict *verdict,
                         const struct witness *witness, bool live)
{
    printf("%s: %llu line%s, chain intact", path, (unsigned long long)verdict->lines,
           verdict->lines == 1 ? "" : "s");
    if (verdict->first_sequence > 1)
        printf(", goes on after number %llu", (unsigned long long)verdict->first_sequence - 1);
    if (witness->key == NULL)
        printf("; without the key in %s only the chain was checked, which whoever can write the "
               "file can mend",
               witness->directory);
    else if (live)
        printf("; anchored up to number %llu, the %llu after it not yet (a gate anchors after %d "
               "lines or %d seconds)",
               (unsigned long long)witness->anchor.sequence,
               (unsigned long long)unanchored(witness, verdict), AUDIT_ANCHOR_LINES,
               AUDIT_ANCHOR_SECONDS);
    putchar('\n');
}

static int print_verdict(const char *path, const struct audit_verdict *verdict,
                         const struct witness *witness, bool json)
{
    bool live = is_live(witness, path);
    int code = EX_OK;

    if (json)
        code = print_json(path, verdict, witness, live);
    else if (verdict->intact)
        print_intact(path, verdict, witness, live);
    else
        printf("%s:%llu: %s\n", path, (unsigned long long)verdict->bad_line, verdict->text);
    return code != EX_OK ? code : (int)verdict->fault;
}

/* Files in the order they were written; the exit code is of the first fault. */
static int verify_once(const struct witness *witness, const char *const *paths, size_t count,
                       struct audit_verdict *verdicts)
{
    struct audit_verifier *verifier;
    int code = EX_OK;

    if (audit_verifier_create(witness->key, witness->key != NULL ? &witness->anchor : NULL,
                              &verifier) != OK)
        return args_fail(EX_OSERR, "out of memory");
    for (size_t i = 0; i < count && code == EX_OK; i++) {
        bool live = i + 1 == count && is_live(witness, paths[i]);

        if (audit_verifier_read(verifier, paths[i], live, &verdicts[i]) != OK)
            code = fail_to_read(paths[i]);
    }
    audit_verifier_destroy(verifier);
    return code;
}

/* A fault that is gone a moment later was a line being written. */
static int verify(const struct witness *witness, const char *const *paths, size_t count, bool json)
{
    struct audit_verdict verdicts[ARGS_OPERANDS_MAX] = {0};
    bool intact = true;
    int code = verify_once(witness, paths, count, verdicts);

    for (size_t i = 0; i < count && code == EX_OK; i++)
        intact = intact && verdicts[i].intact;
    if (code == EX_OK && !intact) {
        pause_ms(SETTLE_MS);
        code = verify_once(witness, paths, count, verdicts);
    }
    if (code != EX_OK)
        return code;
    for (size_t i = 0; i < count; i++) {
        int fault = print_verdict(paths[i], &verdicts[i], witness, json);

        code = code == EX_OK ? fault : code;
    }
    return code;
}

/* ---- tail ---- */

/* The file that is being followed. */
struct tail {
    const char *path;
    int fd;
    off_t at; /* everything before this was printed, or is not wanted */
};

static int open_tail(struct tail *tail)
{
    tail->at = 0;
    tail->fd = open(tail->path, O_RDONLY | O_CLOEXEC);
    return tail->fd >= 0 ? EX_OK : fail_to_read(tail->path);
}

/* Goes to where the last `lines` lines begin, reading backwards. */
static int skip_to_last(struct tail *tail, uint64_t lines)
{
    char chunk[CHUNK_BYTES];
    off_t start = lseek(tail->fd, 0, SEEK_END);
    uint64_t found = 0;

    tail->at = start;
    while (start > 0) {
        off_t length = start < CHUNK_BYTES ? start : CHUNK_BYTES;
        ssize_t count = pread(tail->fd, chunk, (size_t)length, start - length);

        if (count != length)
            return fail_to_read(tail->path);
        for (off_t i = length; i-- > 0;) {
            /* The newline that ends a line belongs to it: one more must come before it. */
            if (chunk[i] == '\n' && found++ == lines)
                return EX_OK;
            tail->at = start - length + i;
        }
        start -= length;
    }
    return EX_OK;
}

static int print_rest(struct tail *tail)
{
    char chunk[CHUNK_BYTES];
    ssize_t count;

    while ((count = pread(tail->fd, chunk, sizeof(chunk), tail->at)) > 0) {
        const char *newline = memrchr(chunk, '\n', (size_t)count);

        /* What is not the last piece ends with a line, and so with a character. */
        if (count == CHUNK_BYTES && newline != NULL)
            count = newline + 1 - chunk;
        shown_document(stdout, chunk, (size_t)count);
        tail->at += count;
    }
    if (count < 0)
        return fail_to_read(tail->path);
    return fflush(stdout) == 0 && !ferror(stdout)
               ? EX_OK
               : args_fail(EX_OSERR, "the log could not be printed");
}

/* After a rotation another file has the name: goes on there, when the old one is printed. */
static int follow_rotation(struct tail *tail)
{
    struct stat named, opened;
    int old = tail->fd, code;

    if (fstat(tail->fd, &opened) != 0)
        return fail_to_read(tail->path);
    if (stat(tail->path, &named) != 0)
        return errno == ENOENT ? EX_OK : fail_to_read(tail->path);
    if (named.st_dev == opened.st_dev && named.st_ino == opened.st_ino) {
        if (opened.st_size < tail->at)
            tail->at = 0;
        return EX_OK;
    }
    code = print_rest(tail);
    if (code == EX_OK)
        code = open_tail(tail);
    close(old);
    return code;
}

static int print_tail(const char *path, uint64_t lines, bool follow)
{
    struct tail tail = {.path = path};
    int code = open_tail(&tail);

    if (code != EX_OK)
        return code;
    code = skip_to_last(&tail, lines);
    if (code == EX_OK)
        code = print_rest(&tail);
    while (code == EX_OK && follow) {
        pause_ms(POLL_MS);
        code = follow_rotation(&tail);
        if (code == EX_OK)
            code = print_rest(&tail);
    }
    if (tail.fd >= 0)
        close(tail.fd);
    return code;
}

static int run_verify(void *context, const struct args *args)
{
    const struct options *options = context;
    struct witness witness = {.directory = NULL};
    int code = find_witness(options->config, args, &witness);
    const char *const log = witness.log != NULL ? witness.log : "";

    if (code == EX_OK && args->operand_count > 0)
        code = verify(&witness, args->operands, args->operand_count, options->json);
    else if (code == EX_OK)
        code = verify(&witness, &log, 1, options->json);
    clear_witness(&witness);
    return code;
}

static int run_tail(void *context, const struct args *args)
{
    const struct options *options = context;
    uint64_t lines = TAIL_LINES_DEFAULT;
    char *found = NULL;
    int code = EX_OK;

    if (options->lines != NULL && !args_number(options->lines, TAIL_LINES_MAX, &lines))
        return args_usage("audit", "-n needs a number up to %d", TAIL_LINES_MAX);
    if (options->follow && options->no_follow)
        return args_usage("audit", "-f and --no-follow exclude each other");
    if (args->operand_count == 0)
        code = find_log(options->config, &found);
    if (code == EX_OK)
        code = print_tail(found != NULL ? found : args->operands[0], lines, !options->no_follow);
    free(found);
    return code;
}

int cmd_audit(int argc, char **argv)
{
    enum { TAKES_LINES = 1 };
    static const struct args_action actions[] = {
        {"verify", 0, ARGS_OPERANDS_MAX, 0, NULL, run_verify},
        {"tail", 0, 1, TAKES_LINES, NULL, run_tail},
    };
    struct options options = {.config = NULL};
    const struct args_option table[] = {
        {.name = "-c",
         .takes = "FILE",
         .about = "the configuration whose log, key and database are meant",
         .value = &options.config},
        {.name = "--json", .about = "JSON in the place of text", .flag = &options.json},
        {.name = "-n",
         .takes = "LINES",
         .about = "how many of the last lines are printed first",
         .value = &options.lines,
         .group = TAKES_LINES},
        {.name = "-f",
         .about = "go on with new lines, which is the default",
         .flag = &options.follow,
         .group = TAKES_LINES},
        {.name = "--no-follow",
         .about = "end after the last line",
         .flag = &options.no_follow,
         .group = TAKES_LINES},
    };

    return args_run(argc, argv, ARGS_TABLE(table), ARGS_TABLE(actions), &options);
}
