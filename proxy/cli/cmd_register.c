/*
 * `sidelock register`: the loopback exception register from the running gate or, without one,
 * from the configuration alone. Called by its row in verbs.c.
 */
#include "broker/operations/register.h"
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"
#include "cli/terminal/shown.h"
#include "setup/fences.h"
#include "system/execution_fence.h"
#include "system/landlock.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static int from_configuration(const struct config *config, enum register_format format,
                              struct buffer *out)
{
    struct register_facts facts[CONFIG_SURFACES_MAX];
    const unsigned landlock = landlock_version();
    const char *unheld = execution_fence_lacks(landlock);

    for (size_t i = 0; i < config->surface_count; i++)
        facts[i] = (struct register_facts){
            .surface = &config->surfaces[i],
            .config = config,
            .unheld = unheld,
            .unfenced = fences_lacking(fences_promised(&config->surfaces[i].command), landlock)};
    if (register_render(facts, config->surface_count, format, out) != OK)
        return args_fail(EX_OSERR, "the register is too large, or memory has run out");
    return EX_OK;
}

/* Without a gate that answers, the configuration is read, which is an error only then. */
static int produce(struct gate *gate, enum register_format format, bool prove, struct buffer *out)
{
    const char *rendered = format == REGISTER_JSON ? "json" : "md";
    char path[GATE_PATH_BYTES_MAX];
    struct config *config = NULL;
    int code = gate_open(gate);

    if (code != EX_OK)
        return code;
    snprintf(path, sizeof(path), "/v1/register?format=%s%s", rendered, prove ? "&prove=1" : "");
    if (prove || gate_answers(gate))
        return gate_call(gate, "GET", path, (struct span){NULL, 0}, out);
    code = config_file_load(gate->config, &config);
    if (code == EX_OK)
        code = from_configuration(config, format, out);
    config_destroy(config);
    return code;
}

int cmd_register(int argc, char **argv)
{
    const char *format = NULL;
    bool prove = false;
    struct gate gate = {.control = NULL};
    const struct args_option options[] = {
        {.name = "--format",
         .takes = "md|json",
         .about = "how the register is printed",
         .value = &format},
        {.name = "--prove",
         .about = "first prove anew that services are behind the gate alone",
         .flag = &prove},
        GATE_OPTIONS_JSON(gate),
    };
    struct buffer out;
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 0, &args);

    if (code != EX_OK)
        return code;
    if (format != NULL && strcmp(format, "md") != 0 && strcmp(format, "json") != 0)
        return args_usage(argv[0], "--format takes md or json, not %s", format);
    gate.json = gate.json || (format != NULL && strcmp(format, "json") == 0);
    buffer_init(&out, GATE_ANSWER_BYTES_MAX);
    code = produce(&gate, gate.json ? REGISTER_JSON : REGISTER_MARKDOWN, prove, &out);
    if (code == EX_OK)
        shown_document(stdout, out.data, out.length);
    buffer_clear(&out);
    return code;
}
