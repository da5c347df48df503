/*
 * `sidelock help`: the verbs, one verb, or the published reasons; all of it from the tables in
 * verbs.c and base/reason.h. Called by main.c, also where no verb is named.
 */
#include "base/reason.h"
#include "cli/cmd.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static int print_verbs(void)
{
    puts("Sidelock: a lock for the side door. An authenticating proxy for services on loopback.\n");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (verb->page != NULL)
            printf("  %-9s %s\n", verb->name, verb->summary);
    }
    puts("\n`sidelock help VERB` says more; `sidelock help reasons` lists why something is "
         "refused;\n"
         "`sidelock --version`. Every verb takes -c FILE for the configuration, else it is\n"
         "$SIDELOCK_CONFIG, $XDG_CONFIG_HOME/sidelock/sidelock.json or\n"
         "/etc/sidelock/sidelock.json. Verbs that talk to a running Sidelock take --control PATH\n"
         "or $SIDELOCK_CONTROL instead.\n"
         "Exit codes: 0 done, 1 a check that failed, 64 usage, 65 bad input, 69 not running,\n"
         "77 not permitted, 78 bad configuration.");
    return EX_OK;
}

/* Options and what they are for, one a line. */
static void print_options(void *context, const struct args_shape *shape)
{
    char left[64];
    int width = 0;

    (void)context;
    for (size_t i = 0; i < shape->option_count; i++) {
        const struct args_option *option = &shape->options[i];
        int length = (int)(strlen(option->name) + (option->takes ? 1 + strlen(option->takes) : 0));

        width = length > width ? length : width;
    }
    puts("\nOptions:");
    for (size_t i = 0; i < shape->option_count; i++) {
        const struct args_option *option = &shape->options[i];

        snprintf(left, sizeof(left), "%s%s%s", option->name, option->takes ? " " : "",
                 option->takes ? option->takes : "");
        printf("  %-*s  %s\n", width, left, option->about);
    }
}

static int print_verb(const char *name)
{
    const struct verb *verb = verbs_find(name);

    if (verb == NULL || verb->page == NULL)
        return args_fail(EX_USAGE, "there is no verb %s; `sidelock help` lists them", name);
    fputs(verb->page, stdout);
    args_describe(verb->run != NULL ? verb->run : cmd_help, name, print_options, NULL);
    return EX_OK;
}

/* Status and close codes of 0 cannot arise and are shown as nothing. */
static json_t *number(unsigned value)
{
    return value != 0 ? json_integer(value) : json_null();
}

static int print_reasons(bool as_json)
{
    static const struct output_column columns[] = {{"REASON", "reason"},
                                                   {"CAUSE", "cause"},
                                                   {"HTTP", "http_status"},
                                                   {"CLOSE", "close_code"},
                                                   {"MEANING", "text"}};
    json_t *list = json_array();
    int code;

    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info(i);

        json_array_append_new(list, json_pack("{s:s, s:s?, s:o, s:o, s:s}", "reason", info->code,
                                              "cause", info->cause, "http_status",
                                              number(info->http_status), "close_code",
                                              number(info->close_code), "text", info->text));
    }
    if (as_json)
        return output_json(list);
    code = output_list(list, ARGS_TABLE(columns));
    json_decref(list);
    return code;
}

int cmd_help(int argc, char **argv)
{
    bool json = false;
    const struct args_option options[] = {
        {.name = "--json", .about = "JSON in the place of text; of reasons", .flag = &json}};
    struct args args;
    int code = args_parse(argc, argv, options, 1, 0, 1, &args);

    if (code != EX_OK)
        return code;
    if (args.operand_count == 1 && strcmp(args.operands[0], "reasons") == 0)
        return print_reasons(json);
    if (json)
        return args_usage(argv[0], "--json goes with `help reasons`");
    return args.operand_count == 1 ? print_verb(args.operands[0]) : print_verbs();
}
