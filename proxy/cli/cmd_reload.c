/*
 * `sidelock reload`: has the running gate read its certificates anew, by a request to
 * /v1/reload. Called by its row in verbs.c.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/output.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

static int print_text(struct span answer)
{
    json_t *root = output_parse(answer);
    json_t *certificates = json_object_get(root, "certificates"), *certificate;
    size_t i;

    if (root == NULL)
        return EX_PROTOCOL;
    if (json_array_size(certificates) == 0)
        printf("No surface speaks TLS; the audit log was opened anew.\n");
    json_array_foreach(certificates, i, certificate)
    {
        char room[3][128];

        printf("%s: until %s, sha256 %s\n",
               output_member(certificate, "surface", room[0], sizeof(room[0])),
               output_member(certificate, "not_after", room[1], sizeof(room[1])),
               output_member(certificate, "sha256", room[2], sizeof(room[2])));
    }
    json_decref(root);
    return EX_OK;
}

int cmd_reload(int argc, char **argv)
{
    struct client client = {0};
    bool json = false;
    const struct args_option options[] = {
        {.name = "--json", .flag = &json},
        {.name = "-c", .value = &client.config},
        {.name = "--control", .value = &client.control},
    };
    struct buffer answer;
    struct args args;
    int code = args_parse(argc, argv, options, sizeof(options) / sizeof(options[0]), 0, 0, &args);

    if (code == EX_OK)
        code = client_open(&client);
    if (code != EX_OK)
        return code;
    buffer_init(&answer, CLIENT_ANSWER_BYTES_MAX);
    code = client_call(&client, "POST", "/v1/reload", (struct span){NULL, 0}, &answer);
    if (code == EX_OK && json)
        fwrite(answer.data, 1, answer.length, stdout);
    else if (code == EX_OK)
        code = print_text((struct span){answer.data, answer.length});
    buffer_clear(&answer);
    client_close(&client);
    return code;
}
