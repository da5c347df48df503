#include "cli/wrap/line.h"

#include "base/subnet.h"
#include "cli/terminal/args.h"
#include "dialect/dialect.h"

#include <fcntl.h>
#include <string.h>
#include <sysexits.h>

#define DESCRIPTOR_MAX 65535

/* Words that are looked at once all are there. */
struct words {
    const char *port, *ready;
};

static int check_port(const char *word, struct line *line)
{
    uint64_t number;

    if (word == NULL)
        return EX_OK;
    if (!args_number(word, UINT16_MAX, &number) || number == 0)
        return args_usage("wrap", "--port takes a port, not %s", word);
    line->port = (uint16_t)number;
    return EX_OK;
}

static int check_dialect(const struct line *line)
{
    if (line->stdio && line->dialect != NULL && strcmp(line->dialect, "mcp") != 0)
        return args_usage("wrap", "with --stdio the dialect is mcp, not %s", line->dialect);
    if (line->dialect == NULL || dialect_shipped(line->dialect).data != NULL)
        return EX_OK;
    return args_usage("wrap", "there is no dialect %s; name one of %s", line->dialect,
                      dialect_shipped_names());
}

static int check_ready(const char *word, struct line *line)
{
    uint64_t number;

    line->ready_fd = -1;
    if (word == NULL)
        return EX_OK;
    if (!args_number(word, DESCRIPTOR_MAX, &number) || fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
        return args_usage("wrap", "--ready-fd takes the number of an open descriptor, not %s",
                          word);
    line->ready_fd = (int)number;
    return EX_OK;
}

static int check_connects(const struct line *line)
{
    uint64_t number;

    for (size_t i = 0; i < line->ports.count; i++) {
        if (!args_number(line->ports.items[i], UINT16_MAX, &number) || number == 0)
            return args_usage("wrap", "--connect-port takes a port, not %s", line->ports.items[i]);
    }
    for (size_t i = 0; i < line->networks.count; i++) {
        const char *said = subnet_check(line->networks.items[i]);

        if (said != NULL)
            return args_usage("wrap", "--refuse-network %s: it %s", line->networks.items[i], said);
    }
    return EX_OK;
}

static int check_learn(const struct line *line)
{
    if (line->policy != NULL && !line->learn)
        return args_usage("wrap", "--policy goes with --learn");
    if (line->learn && line->stdio)
        return args_usage("wrap",
                          "--learn is for a server with a port, not for --stdio, where each "
                          "session has a process of its own");
    return EX_OK;
}

static int check(const struct words *words, struct line *line)
{
    int code = check_port(words->port, line);

    if (code == EX_OK)
        code = check_dialect(line);
    if (code == EX_OK)
        code = check_connects(line);
    if (code == EX_OK)
        code = check_learn(line);
    if (code == EX_OK)
        code = check_ready(words->ready, line);
    if (code == EX_OK && line->surface != NULL)
        code = args_name(line->surface, "the name of a surface");
    line->write_limited = line->write_limited || line->writable.count > 0;
    return code;
}

static int count_ours(int argc, char **argv)
{
    int ours = 1;

    while (ours < argc && strcmp(argv[ours], "--") != 0)
        ours++;
    return ours;
}

static int parse(int argc, char **argv, struct line *line, struct words *words, struct args *args)
{
    const struct args_option options[] = {
        {.name = "--dialect",
         .takes = "DIALECT",
         .about = "what the server speaks",
         .value = &line->dialect},
        {.name = "--stdio",
         .about = "it speaks MCP over its standard input and output",
         .flag = &line->stdio},
        {.name = "--port",
         .takes = "PORT",
         .about = "the port of the server that is served; with --stdio, the gate's",
         .value = &words->port},
        {.name = "--surface",
         .takes = "NAME",
         .about = "how the surface is called",
         .value = &line->surface},
        {.name = "--env",
         .takes = "NAME[=VALUE]",
         .about = "a variable for the environment of the server; may be repeated",
         .list = &line->variables},
        {.name = "--allow-exec",
         .takes = "PATH",
         .about = "a program that the server may execute; may be repeated",
         .list = &line->executables},
        {.name = "--allow-library",
         .takes = "DIRECTORY",
         .about = "where code of the server's own lies; may be repeated",
         .list = &line->libraries},
        {.name = "--write",
         .takes = "PATH",
         .about = "a file or directory that it may write, and nothing else then; may be repeated",
         .list = &line->writable},
        {.name = "--read-only",
         .about = "it may write nothing but what --write names, and temporary files of its own",
         .flag = &line->write_limited},
        {.name = "--connect-port",
         .takes = "PORT",
         .about = "a port to which it may connect by TCP, and to no other; may be repeated",
         .list = &line->ports},
        {.name = "--refuse-network",
         .takes = "NETWORK",
         .about = "where it may not connect to; may be repeated",
         .list = &line->networks},
        {.name = "--learn",
         .about = "nothing is limited, and at the end it is said what the server needs",
         .flag = &line->learn},
        {.name = "--policy",
         .takes = "FILE",
         .about = "where what it needs is written, as the configuration has it; with --learn",
         .value = &line->policy},
        {.name = "--ready-fd",
         .takes = "N",
         .about = "a descriptor on which a line is written when all is up",
         .value = &words->ready},
    };

    return args_parse(argc, argv, ARGS_TABLE(options), 0, 0, args);
}

int line_parse(int argc, char **argv, struct line *line)
{
    struct words words = {NULL, NULL};
    struct args args;
    int ours = count_ours(argc, argv), code = parse(ours, argv, line, &words, &args);

    if (code == EX_OK && ours + 1 >= argc)
        code = args_usage("wrap", "after `--` comes the command that is to be wrapped");
    line->command = argv + ours + 1;
    return code == EX_OK ? check(&words, line) : code;
}

void line_clear(struct line *line)
{
    text_list_clear(&line->variables);
    text_list_clear(&line->executables);
    text_list_clear(&line->libraries);
    text_list_clear(&line->writable);
    text_list_clear(&line->ports);
    text_list_clear(&line->networks);
}
