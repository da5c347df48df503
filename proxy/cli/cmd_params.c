/*
 * `sidelock params put`, `list`, `show`, `rm`: parameter records, by requests to /v1/params on
 * the control socket. Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown.h"
#include "policy/params.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define ROOM_BYTES 256

/* What the command line of any `params ACTION` says. */
struct call {
    struct gate gate;
    const char *surface;
    bool reveal;
};

/* Which options an action takes. */
enum { TAKES_SURFACE = 1, TAKES_REVEAL = 2 };

static int read_file(const char *file, struct buffer *out)
{
    int fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    enum error error = fd >= 0 ? buffer_append_fd(out, fd) : ERROR_IO;
    int why = errno;

    if (fd > STDIN_FILENO)
        close(fd);
    if (error == ERROR_LIMIT)
        return args_fail(EX_DATAERR, "%s is larger than the %d bytes a record may have", file,
                         PARAMS_BYTES_MAX);
    if (error != OK)
        return args_fail(EX_NOINPUT, "%s cannot be read: %s", file, strerror(why));
    return out->length > 0 ? EX_OK : args_fail(EX_DATAERR, "%s is empty", file);
}

static int print_stored(const json_t *stored)
{
    char name[ROOM_BYTES], digest[ROOM_BYTES];

    shown_text(stdout, output_member(stored, "name", name, sizeof(name)));
    fputs(" is stored, digest ", stdout);
    shown_text(stdout, output_member(stored, "digest", digest, sizeof(digest)));
    puts(".");
    return EX_OK;
}

static int put(void *context, const struct args *args)
{
    struct call *call = context;
    char path[GATE_PATH_BYTES_MAX];
    struct buffer record, answer;
    int code = call->surface != NULL ? args_name(call->surface, "the name of a surface") : EX_OK;

    if (code != EX_OK)
        return code;
    snprintf(path, sizeof(path), "/v1/params/%s%s%s", args->operands[0],
             call->surface != NULL ? "?surface=" : "", call->surface != NULL ? call->surface : "");
    buffer_init(&record, PARAMS_BYTES_MAX);
    buffer_init(&answer, GATE_ANSWER_BYTES_MAX);
    code = read_file(args->operands[1], &record);
    if (code == EX_OK)
        code =
            gate_call(&call->gate, "PUT", path, (struct span){record.data, record.length}, &answer);
    if (code == EX_OK)
        code = gate_print(&call->gate, &answer, print_stored);
    buffer_wipe(&record);
    buffer_wipe(&answer);
    return code;
}

static int print_list(const json_t *answer)
{
    static const struct output_column columns[] = {
        {"NAME", "name"}, {"SURFACE", "surface"}, {"DIGEST", "digest"}, {"UPDATED", "updated_at"}};

    return output_list(json_object_get(answer, "params"), ARGS_TABLE(columns));
}

static int list(void *context, const struct args *args)
{
    (void)args;
    return gate_list(&((struct call *)context)->gate, "/v1/params", "params", print_list);
}

static int print_record(const json_t *answer)
{
    static const char *const members[] = {"name", "surface", "digest", "created_at", "updated_at"};
    char room[ROOM_BYTES];

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        printf("%-11s ", members[i]);
        shown_text(stdout, output_member(answer, members[i], room, sizeof(room)));
        putchar('\n');
    }
    return output_json_indented(json_object_get(answer, "record"));
}

static int show(void *context, const struct args *args)
{
    struct call *call = context;

    return gate_show(&call->gate, "GET", NULL, print_record, "/v1/params/%s%s", args->operands[0],
                     call->reveal ? "?reveal=1" : "");
}

static int rm(void *context, const struct args *args)
{
    struct call *call = context;
    int code = gate_show(&call->gate, "DELETE", NULL, NULL, "/v1/params/%s", args->operands[0]);

    if (code == EX_OK && !call->gate.json)
        printf("%s is removed.\n", args->operands[0]);
    return code;
}

int cmd_params(int argc, char **argv)
{
    static const char name[] = "a record's name: 1 to 64 letters, digits, '.', '_' or '-', "
                               "beginning with a letter or digit";
    static const struct args_action actions[] = {
        {"put", 2, 2, TAKES_SURFACE, name, put},
        {"list", 0, 0, 0, NULL, list},
        {"show", 1, 1, TAKES_REVEAL, name, show},
        {"rm", 1, 1, 0, name, rm},
    };
    struct call call = {.surface = NULL};
    const struct args_option options[] = {
        {.name = "--reveal",
         .about = "the record as it was put, secrets too",
         .flag = &call.reveal,
         .group = TAKES_REVEAL},
        {.name = "--surface",
         .takes = "SURFACE",
         .about = "the only surface whose sessions may use the record",
         .value = &call.surface,
         .group = TAKES_SURFACE},
        GATE_OPTIONS_JSON(call.gate),
    };

    return args_run(argc, argv, ARGS_TABLE(options), ARGS_TABLE(actions), &call);
}
