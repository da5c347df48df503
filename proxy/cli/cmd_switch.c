/*
 * `sidelock kill` and `arm`: the kill switch of one surface or all, by requests to /v1/surfaces.
 * Called by their rows in verbs.c.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/output.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#define ANSWER_BYTES_MAX (1024 * 1024)

static int switch_surface(const struct client *client, const char *name, const char *action,
                          bool json)
{
    char path[CLIENT_PATH_BYTES_MAX];
    struct buffer answer;
    int code;

    if (!text_is_name(name))
        return args_fail(EX_DATAERR, "%s is not the name of a surface", name);
    snprintf(path, sizeof(path), "/v1/surfaces/%s/%s", name, action);
    buffer_init(&answer, ANSWER_BYTES_MAX);
    code = client_call(client, "POST", path, (struct span){NULL, 0}, &answer);
    if (code == EX_OK && json)
        fwrite(answer.data, 1, answer.length, stdout);
    else if (code == EX_OK)
        printf("%s is %s.\n", name, action[0] == 'k' ? "killed" : "armed");
    buffer_clear(&answer);
    return code;
}

/* Goes on after a failure: with --all, as much as possible is to be switched. */
static int switch_listed(const struct client *client, struct span surfaces, const char *action)
{
    json_t *root = output_parse(surfaces);
    json_t *surface;
    size_t i;
    int code = root != NULL ? EX_OK : EX_PROTOCOL;

    json_array_foreach(json_object_get(root, "surfaces"), i, surface)
    {
        const char *name = json_string_value(json_object_get(surface, "name"));
        int one = name != NULL ? switch_surface(client, name, action, false) : EX_PROTOCOL;

        if (one != EX_OK)
            code = one;
    }
    json_decref(root);
    return code;
}

static int switch_all(const struct client *client, const char *action)
{
    struct buffer answer;
    int code;

    buffer_init(&answer, CLIENT_ANSWER_BYTES_MAX);
    code = client_call(client, "GET", "/v1/surfaces", (struct span){NULL, 0}, &answer);
    if (code == EX_OK)
        code = switch_listed(client, (struct span){answer.data, answer.length}, action);
    buffer_clear(&answer);
    return code;
}

static int run(int argc, char **argv, const char *action)
{
    struct client client = {0};
    bool all = false, json = false;
    const struct args_option options[] = {
        {.name = "--all", .flag = &all},
        {.name = "--json", .flag = &json},
        {.name = "-c", .value = &client.config},
        {.name = "--control", .value = &client.control},
    };
    struct args args;
    int code = args_parse(argc, argv, options, sizeof(options) / sizeof(options[0]), 0, 1, &args);

    if (code != EX_OK)
        return code;
    if (all == (args.operand_count == 1))
        return args_usage(argv[0], "name one surface, or --all");
    if (all && json)
        return args_usage(argv[0], "--json goes with one surface; see `sidelock status --json`");
    code = client_open(&client);
    if (code != EX_OK)
        return code;
    code =
        all ? switch_all(&client, action) : switch_surface(&client, args.operands[0], action, json);
    client_close(&client);
    return code;
}

int cmd_kill(int argc, char **argv)
{
    return run(argc, argv, "kill");
}

int cmd_arm(int argc, char **argv)
{
    return run(argc, argv, "arm");
}
