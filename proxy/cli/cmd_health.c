/*
 * `sidelock health`: whether the gate is up, by its exit code: for a container's health check and
 * for scripts. Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#define EXIT_NOT_READY 1

static int print_health(const json_t *answer)
{
    const json_t *why = json_object_get(answer, "why");
    const bool ready = json_is_true(json_object_get(answer, "ready"));

    fputs(ready ? "up, and serves" : "up, but does not serve", stdout);
    for (size_t i = 0; i < json_array_size(why); i++)
        printf("%s%s", i == 0 ? ": " : "; ", json_string_value(json_array_get(why, i)));
    putchar('\n');
    return EX_OK;
}

int cmd_health(int argc, char **argv)
{
    struct gate gate = {.control = NULL};
    bool ready = false;
    const struct args_option options[] = {
        {.name = "--ready", .about = "and serves", .flag = &ready},
        GATE_OPTIONS_JSON(gate),
    };
    struct buffer answer;
    json_t *health;
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 0, &args);

    if (code != EX_OK)
        return code;
    buffer_init(&answer, GATE_ANSWER_BYTES_MAX);
    code = gate_call(&gate, "GET", "/v1/health", (struct span){"", 0}, &answer);
    if (code == EX_OK)
        code = gate_print(&gate, &answer, print_health);
    health = code == EX_OK ? json_loadb(answer.data, answer.length, 0, NULL) : NULL;
    if (code == EX_OK && ready && !json_is_true(json_object_get(health, "ready")))
        code = EXIT_NOT_READY;
    json_decref(health);
    buffer_clear(&answer);
    return code;
}
