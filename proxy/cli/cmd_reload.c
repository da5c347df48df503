/*
 * `sidelock reload`: has the running gate read its configuration and certificates anew, and put
 * surfaces in force that are new, other or gone, by a request to /v1/reload. Called by its row in
 * verbs.c.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

static bool print_names(const json_t *answer, const char *key)
{
    const json_t *names = json_object_get(answer, key);
    json_t *name;
    size_t i;

    if (json_array_size(names) == 0)
        return false;
    printf("%s: ", key);
    json_array_foreach(names, i, name) printf("%s%s", i > 0 ? ", " : "", json_string_value(name));
    printf("\n");
    return true;
}

static void print_certificates(const json_t *certificates)
{
    json_t *certificate;
    size_t i;

    if (json_array_size(certificates) == 0)
        printf("No surface speaks TLS; the audit log was opened anew.\n");
    json_array_foreach(certificates, i, certificate)
    {
        const char *surface = "-", *not_after = "-", *sha256 = "-";

        json_unpack(certificate, "{s?s, s?s, s?s}", "surface", &surface, "not_after", &not_after,
                    "sha256", &sha256);
        printf("%s: until %s, sha256 %s\n", surface, not_after, sha256);
    }
}

static int print_answer(const json_t *answer)
{
    bool added = print_names(answer, "added"), changed = print_names(answer, "changed"),
         removed = print_names(answer, "removed");

    if (!added && !changed && !removed)
        printf("No surface is other than before.\n");
    print_certificates(json_object_get(answer, "certificates"));
    return EX_OK;
}

int cmd_reload(int argc, char **argv)
{
    struct gate gate = {.control = NULL};
    const struct args_option options[] = {GATE_OPTIONS_JSON(gate)};
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 0, &args);

    if (code != EX_OK)
        return code;
    return gate_show(&gate, "POST", NULL, print_answer, "/v1/reload");
}
