/*
 * `sidelock status`: prints what /v1/status of the control socket says, once or every second.
 * Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define WATCH_INTERVAL_S 1
#define CLEAR_SCREEN     "\033[H\033[2J"

/* Of a surface whose service is launched: what has become of it. */
static void print_service(const json_t *surface)
{
    const json_t *service = json_object_get(surface, "service");
    const json_t *ports = json_object_get(service, "ports");
    const json_t *processes = json_object_get(service, "processes");
    const char *sight = json_string_value(json_object_get(service, "sight"));
    const char *why = json_string_value(json_object_get(service, "why"));

    if (!json_is_object(service))
        return;
    printf("%s: its service is %s", json_string_value(json_object_get(surface, "name")),
           json_string_value(json_object_get(service, "state")));
    if (json_is_integer(json_object_get(service, "pid")))
        printf(", pid %" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(service, "pid")));
    if (json_is_integer(processes))
        printf(", processes: %" JSON_INTEGER_FORMAT, json_integer_value(processes));
    for (size_t i = 0; i < json_array_size(ports); i++)
        printf("%s%s", i == 0 ? ", on " : " ", json_string_value(json_array_get(ports, i)));
    printf(", restarted %" JSON_INTEGER_FORMAT " times",
           json_integer_value(json_object_get(service, "restarts")));
    if (sight != NULL && (strcmp(sight, "none") == 0 || strcmp(sight, "part") == 0))
        printf(", %s of its processes could be looked into",
               strcmp(sight, "none") == 0 ? "none" : "not all");
    if (why != NULL) {
        fputs(": ", stdout);
        shown_text(stdout, why);
    }
    putchar('\n');
}

static int print_status(const json_t *answer)
{
    static const struct output_column columns[] = {
        {"SURFACE", "name"},
        {"MODE", "mode"},
        {"KILLED", "killed"},
        {"CONNECTIONS", "connections"},
        {"ADMITTED", "admitted"},
        {"DENIED", "denied"},
        {"PASSED", "messages_forwarded"},
        {"REFUSED", "messages_refused"},
        {"LISTEN", "listen"},
        {"UPSTREAM", "upstream"},
    };
    static const struct output_column fences[] = {
        {"PROCESS", "process"}, {"PID", "pid"},         {"LANDLOCK", "landlock"},
        {"MISSING", "missing"}, {"UNKNOWN", "unknown"}, {"HELD", "held"},
    };
    const char *version = "-", *restored_at = NULL;
    const char *lockdown = json_string_value(json_object_get(answer, "lockdown"));
    const json_t *surfaces = json_object_get(answer, "surfaces");
    json_int_t pid = 0, uptime_s = 0, active = 0, workers = 0, restarts = 0;
    int code;

    json_unpack((json_t *)answer, "{s?s, s?I, s?I, s?{s?I}, s?{s?I, s?I}, s?{s?s?}}", "version",
                &version, "pid", &pid, "uptime_s", &uptime_s, "sessions", "active", &active,
                "workers", "configured", &workers, "restarts", &restarts, "store", "restored_at",
                &restored_at);
    printf("Sidelock %s, pid %" JSON_INTEGER_FORMAT ", up %" JSON_INTEGER_FORMAT
           " s; %" JSON_INTEGER_FORMAT " active sessions; %" JSON_INTEGER_FORMAT
           " workers (%" JSON_INTEGER_FORMAT " replaced)\n",
           version, pid, uptime_s, active, workers, restarts);
    if (lockdown != NULL)
        printf("LOCKDOWN: nothing is served. Remove %s, then run `sidelock arm`.\n", lockdown);
    if (restored_at != NULL)
        printf("The store was restored from a backup, found at %s: sessions of before are dead.\n",
               restored_at);
    code = output_list(surfaces, ARGS_TABLE(columns));
    if (code != EX_OK)
        return code;
    for (size_t i = 0; i < json_array_size(surfaces); i++)
        print_service(json_array_get(surfaces, i));
    printf("\nFences in force:\n");
    return output_list(json_object_get(answer, "fences"), ARGS_TABLE(fences));
}

int cmd_status(int argc, char **argv)
{
    struct gate gate = {.control = NULL};
    bool watch = false;
    const struct args_option options[] = {
        {.name = "--watch", .about = "anew every second", .flag = &watch},
        GATE_OPTIONS_JSON(gate),
    };
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 0, &args);

    if (code != EX_OK)
        return code;
    do {
        if (watch && !gate.json && isatty(STDOUT_FILENO))
            fputs(CLEAR_SCREEN, stdout);
        code = gate_show(&gate, "GET", NULL, print_status, "/v1/status");
        fflush(stdout);
    } while (watch && code == EX_OK && !ferror(stdout) && sleep(WATCH_INTERVAL_S) == 0);
    return code;
}
