/*
 * `sidelock params put`, `list`, `show`, `rm`: parameter records, by requests to /v1/params on
 * the control socket. Called by its row in verbs.c.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/output.h"
#include "policy/params.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define ROOM_BYTES 256

/* What the command line of any `params ACTION` says. */
struct call {
    struct client client;
    const char *surface;
    bool json, reveal;
    const char *name, *file;
};

static int read_file(const char *file, struct buffer *out)
{
    FILE *stream = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
    char *room;

    if (stream == NULL)
        return args_fail(EX_NOINPUT, "%s cannot be read: %s", file, strerror(errno));
    room = buffer_reserve(out, PARAMS_BYTES_MAX + 1);
    if (room != NULL)
        buffer_commit(out, fread(room, 1, PARAMS_BYTES_MAX + 1, stream));
    if (stream != stdin)
        fclose(stream);
    if (room == NULL)
        return args_fail(EX_OSERR, "out of memory");
    if (out->length > PARAMS_BYTES_MAX)
        return args_fail(EX_DATAERR, "%s is larger than the %d bytes a record may have", file,
                         PARAMS_BYTES_MAX);
    if (out->length == 0)
        return args_fail(EX_DATAERR, "%s is empty or cannot be read", file);
    return EX_OK;
}

static int put(const struct call *call, const char *path, struct buffer *answer)
{
    char target[CLIENT_PATH_BYTES_MAX], room[ROOM_BYTES];
    struct buffer record;
    json_t *root;
    int code;

    if (call->surface != NULL && !text_is_name(call->surface))
        return args_fail(EX_DATAERR, "%s is not the name of a surface", call->surface);
    snprintf(target, sizeof(target), "%s%s%s", path, call->surface != NULL ? "?surface=" : "",
             call->surface != NULL ? call->surface : "");
    buffer_init(&record, PARAMS_BYTES_MAX + 1);
    code = read_file(call->file, &record);
    if (code == EX_OK)
        code = client_call(&call->client, "PUT", target, (struct span){record.data, record.length},
                           answer);
    buffer_wipe(&record);
    if (code != EX_OK || call->json)
        return code;
    root = output_parse((struct span){answer->data, answer->length});
    if (root == NULL)
        return EX_PROTOCOL;
    printf("%s is stored, digest %s.\n", call->name,
           output_member(root, "digest", room, sizeof(room)));
    json_decref(root);
    return EX_OK;
}

static int list(const struct call *call, const char *path, struct buffer *answer)
{
    static const char *const header[] = {"NAME", "SURFACE", "DIGEST", "UPDATED"};
    static const char *const members[] = {"name", "surface", "digest", "updated_at"};
    struct output_table table;
    char room[ROOM_BYTES];
    json_t *root, *record;
    size_t i;
    int code = client_call(&call->client, "GET", path, (struct span){NULL, 0}, answer);

    if (code != EX_OK || call->json)
        return code;
    root = output_parse((struct span){answer->data, answer->length});
    if (root == NULL)
        return EX_PROTOCOL;
    output_table_init(&table, header, 4);
    json_array_foreach(json_object_get(root, "params"), i, record)
    {
        for (size_t j = 0; j < 4; j++)
            output_table_cell(&table, output_member(record, members[j], room, sizeof(room)));
    }
    json_decref(root);
    return output_table_print(&table);
}

static int show(const struct call *call, const char *path, struct buffer *answer)
{
    static const char *const members[] = {"name", "surface", "digest", "created_at", "updated_at"};
    char target[CLIENT_PATH_BYTES_MAX], room[ROOM_BYTES];
    json_t *root;
    int code;

    snprintf(target, sizeof(target), "%s%s", path, call->reveal ? "?reveal=1" : "");
    code = client_call(&call->client, "GET", target, (struct span){NULL, 0}, answer);
    if (code != EX_OK || call->json)
        return code;
    root = output_parse((struct span){answer->data, answer->length});
    if (root == NULL)
        return EX_PROTOCOL;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        printf("%-11s %s\n", members[i], output_member(root, members[i], room, sizeof(room)));
    json_dumpf(json_object_get(root, "record"), stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
    return EX_OK;
}

static int rm(const struct call *call, const char *path, struct buffer *answer)
{
    int code = client_call(&call->client, "DELETE", path, (struct span){NULL, 0}, answer);

    if (code == EX_OK && !call->json)
        printf("%s is removed.\n", call->name);
    return code;
}

static const struct action {
    const char *name;
    size_t operands; /* after the action */
    bool surface, reveal;
    int (*run)(const struct call *call, const char *path, struct buffer *answer);
} actions[] = {
    {"put", 2, true, false, put},
    {"list", 0, false, false, list},
    {"show", 1, false, true, show},
    {"rm", 1, false, false, rm},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    return NULL;
}

static int run(struct call *call, const struct action *action)
{
    char path[CLIENT_PATH_BYTES_MAX];
    struct buffer answer;
    int code;

    if (call->name != NULL && !text_is_name(call->name))
        return args_fail(EX_DATAERR,
                         "%s is not a record's name: 1 to 64 letters, digits, '.', '_' or '-', "
                         "beginning with a letter or digit",
                         call->name);
    code = client_open(&call->client);
    if (code != EX_OK)
        return code;
    snprintf(path, sizeof(path), "/v1/params%s%s", call->name != NULL ? "/" : "",
             call->name != NULL ? call->name : "");
    buffer_init(&answer, CLIENT_ANSWER_BYTES_MAX);
    code = action->run(call, path, &answer);
    if (code == EX_OK && call->json)
        fwrite(answer.data, 1, answer.length, stdout);
    buffer_wipe(&answer);
    client_close(&call->client);
    return code;
}

int cmd_params(int argc, char **argv)
{
    struct call call = {0};
    const struct args_option options[] = {
        {.name = "--json", .flag = &call.json},
        {.name = "--reveal", .flag = &call.reveal},
        {.name = "--surface", .value = &call.surface},
        {.name = "-c", .value = &call.client.config},
        {.name = "--control", .value = &call.client.control},
    };
    const struct action *action;
    struct args args;
    int code = args_parse(argc, argv, options, sizeof(options) / sizeof(options[0]), 1, 3, &args);

    if (code != EX_OK)
        return code;
    action = find_action(args.operands[0]);
    if (action == NULL)
        return args_usage(argv[0], "there is no `params %s`", args.operands[0]);
    if (args.operand_count != action->operands + 1)
        return args_usage(argv[0], "`params %s` takes %zu argument%s", action->name,
                          action->operands, action->operands == 1 ? "" : "s");
    if ((call.surface != NULL && !action->surface) || (call.reveal && !action->reveal))
        return args_usage(argv[0], "`params %s` does not take that option", action->name);
    call.name = action->operands > 0 ? args.operands[1] : NULL;
    call.file = action->operands > 1 ? args.operands[2] : NULL;
    return run(&call, action);
}
