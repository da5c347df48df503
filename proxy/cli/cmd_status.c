/*
 * `sidelock status`: prints what /v1/status of the control socket says, once or every second.
 * Called by its row in verbs.c.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/output.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#define ROOM_BYTES       512
#define WATCH_INTERVAL_S 1
#define CLEAR_SCREEN     "\033[H\033[2J"

static long long integer(const json_t *root, const char *object, const char *name)
{
    const json_t *from = object != NULL ? json_object_get(root, object) : root;

    return json_integer_value(json_object_get(from, name));
}

static int print_status(const json_t *root)
{
    static const char *const header[] = {"SURFACE", "MODE",   "KILLED",  "CONNECTIONS", "ADMITTED",
                                         "DENIED",  "PASSED", "REFUSED", "LISTEN",      "UPSTREAM"};
    static const char *const members[] = {"name",
                                          "mode",
                                          "killed",
                                          "connections",
                                          "admitted",
                                          "denied",
                                          "messages_forwarded",
                                          "messages_refused",
                                          "listen",
                                          "upstream"};
    const size_t columns = sizeof(header) / sizeof(header[0]);
    struct output_table table;
    char room[ROOM_BYTES];
    json_t *surface;
    size_t i;

    printf("Sidelock %s, pid %lld, up %lld s; %lld active sessions; %lld workers (%lld replaced)\n",
           output_member(root, "version", room, sizeof(room)), integer(root, NULL, "pid"),
           integer(root, NULL, "uptime_s"), integer(root, "sessions", "active"),
           integer(root, "workers", "configured"), integer(root, "workers", "restarts"));
    output_table_init(&table, header, columns);
    json_array_foreach(json_object_get(root, "surfaces"), i, surface)
    {
        for (size_t j = 0; j < columns; j++)
            output_table_cell(&table, output_member(surface, members[j], room, sizeof(room)));
    }
    return output_table_print(&table);
}

static int show(const struct client *client, bool json)
{
    struct buffer answer;
    json_t *root;
    int code;

    buffer_init(&answer, CLIENT_ANSWER_BYTES_MAX);
    code = client_call(client, "GET", "/v1/status", (struct span){NULL, 0}, &answer);
    if (code == EX_OK && json) {
        fwrite(answer.data, 1, answer.length, stdout);
    } else if (code == EX_OK) {
        root = output_parse((struct span){answer.data, answer.length});
        code = root != NULL ? print_status(root) : EX_PROTOCOL;
        json_decref(root);
    }
    buffer_clear(&answer);
    fflush(stdout);
    return code;
}

int cmd_status(int argc, char **argv)
{
    struct client client = {0};
    bool json = false, watch = false;
    const struct args_option options[] = {
        {.name = "--json", .flag = &json},
        {.name = "--watch", .flag = &watch},
        {.name = "-c", .value = &client.config},
        {.name = "--control", .value = &client.control},
    };
    struct args args;
    int code = args_parse(argc, argv, options, sizeof(options) / sizeof(options[0]), 0, 0, &args);

    if (code == EX_OK)
        code = client_open(&client);
    if (code != EX_OK)
        return code;
    do {
        if (watch && !json && isatty(STDOUT_FILENO))
            fputs(CLEAR_SCREEN, stdout);
        code = show(&client, json);
    } while (watch && code == EX_OK && !ferror(stdout) && sleep(WATCH_INTERVAL_S) == 0);
    client_close(&client);
    return code;
}
