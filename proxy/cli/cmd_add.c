/*
 * `sidelock add`: writes a surface into the configuration, as a person would. Called by its row in
 * verbs.c.
 */
#include "cli/additions.h"
#include "cli/amend.h"
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/terminal/args.h"
#include "cli/wrap/recipe.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define PART_MAX 10 /* of the options that are our own, each part */

struct addition {
    const char *config, *why, *can_do, *socket, *tcp, *dialect;
    struct text_list listen, verbs, targets, callers, networks;
    struct additions additions;
    bool stdio, elsewhere, allow_non_loopback;
    char *const *command; /* NULL: there is none */
    char here[CONFIG_FILE_PATH_SIZE], program[2 * CONFIG_FILE_PATH_SIZE];
};

/* ---- The command line ---- */

static enum additions_service service_of(const struct addition *addition)
{
    if (addition->stdio)
        return ADDITIONS_STDIO;
    if (addition->command != NULL)
        return ADDITIONS_COMMAND;
    return addition->tcp != NULL ? ADDITIONS_TCP : ADDITIONS_SOCKET;
}

static int check_upstream(const struct addition *addition)
{
    int ways = (addition->socket != NULL) + (addition->tcp != NULL) +
               (addition->command != NULL || addition->stdio);

    if (ways != 1)
        return args_usage("add", "say where the service is: --socket PATH on which it listens, or "
                                 "--tcp ADDRESS in a network that a container shares with the "
                                 "gate, or `-- CMD ARGUMENT...` that starts it; with --stdio CMD "
                                 "speaks over its standard input and output");
    return additions_check(&addition->additions, service_of(addition));
}

/* There nobody's user is known. */
static bool comes_over_network(const struct addition *addition)
{
    return addition->networks.count > 0 || addition->allow_non_loopback;
}

static int check_rest(struct addition *addition)
{
    if (addition->listen.count == 0)
        return args_usage("add", "--listen says where clients find it, as in localhost:8081");
    if (addition->callers.count > 0 && comes_over_network(addition))
        return args_usage("add", "--caller names a user, and of who comes over a network none is "
                                 "known: name clients by --network");
    if (addition->dialect == NULL && addition->stdio)
        addition->dialect = "mcp";
    if (addition->dialect == NULL)
        return args_usage("add", "--dialect says what it speaks: %s, or the path of a pack",
                          dialect_shipped_names());
    return EX_OK;
}

/* Where it is, and what it speaks. */
static size_t place_options(struct addition *addition, struct args_option *out)
{
    const struct args_option own[] = {
        {.name = "--listen",
         .takes = "ADDRESS",
         .about = "where clients find it: localhost:PORT; may be repeated",
         .list = &addition->listen},
        {.name = "--socket",
         .takes = "PATH",
         .about = "the Unix socket on which the service listens",
         .value = &addition->socket},
        {.name = "--tcp",
         .takes = "ADDRESS",
         .about = "where it listens in the network of a container, which is the gate's, too",
         .value = &addition->tcp},
        {.name = "--stdio",
         .about = "the service speaks MCP over its standard input and output",
         .flag = &addition->stdio},
        {.name = "--dialect",
         .takes = "DIALECT",
         .about = "what the service speaks, or the path of a pack",
         .value = &addition->dialect},
    };

    _Static_assert(sizeof(own) / sizeof(own[0]) <= PART_MAX, "there is room for each");
    memcpy(out, own, sizeof(own));
    return sizeof(own) / sizeof(own[0]);
}

/* Who may do what there. */
static size_t rule_options(struct addition *addition, struct args_option *out)
{
    const struct args_option own[] = {
        {.name = "--allow",
         .takes = "VERB",
         .about = "a verb that clients may use; may be repeated",
         .list = &addition->verbs},
        {.name = "--tool",
         .takes = "GLOB",
         .about = "what they may name with it; may be repeated",
         .list = &addition->targets},
        {.name = "--caller",
         .takes = "uid=N",
         .about = "a user who may connect beside you; may be repeated",
         .list = &addition->callers},
        {.name = "--network",
         .takes = "NETWORK",
         .about = "whose addresses may connect, in the place of you; may be repeated",
         .list = &addition->networks},
        {.name = "--allow-non-loopback",
         .about = "it may listen where other machines or containers reach it",
         .flag = &addition->allow_non_loopback},
        {.name = "--why",
         .takes = "TEXT",
         .about = "why there is such a surface, for the register",
         .value = &addition->why},
        {.name = "--can-do",
         .takes = "TEXT",
         .about = "what its service can do, for the register",
         .value = &addition->can_do},
        {.name = "--elsewhere",
         .about = "the file is for another machine: this one is not looked at",
         .flag = &addition->elsewhere},
        {.name = "-c", .takes = "FILE", .about = "the configuration", .value = &addition->config},
    };

    _Static_assert(sizeof(own) / sizeof(own[0]) <= PART_MAX, "there is room for each");
    memcpy(out, own, sizeof(own));
    return sizeof(own) / sizeof(own[0]);
}

/* What stands before `--` is ours, what follows is the command. */
static int parse(int argc, char **argv, struct addition *addition, struct args *args)
{
    struct args_option options[2 * PART_MAX + ADDITIONS_MAX];
    size_t count = place_options(addition, options);
    int ours = 1;

    count += rule_options(addition, options + count);
    count += additions_options(&addition->additions, options + count);
    while (ours < argc && strcmp(argv[ours], "--") != 0)
        ours++;
    addition->command = ours < argc ? argv + ours + 1 : NULL;
    return args_parse(ours, argv, options, count, 1, 1, args);
}

static int check_words(struct addition *addition, const struct args *args)
{
    int code = args_name(args->operands[0], "the name of a surface");

    if (code == EX_OK && addition->command != NULL && *addition->command == NULL)
        code = args_usage("add", "after `--` comes the command that starts the service");
    if (code == EX_OK)
        code = check_upstream(addition);
    return code == EX_OK ? check_rest(addition) : code;
}

/* ---- The surface ---- */

static int not_text(void)
{
    return args_fail(EX_DATAERR, "all words of a configuration must be UTF-8");
}

/* Whether a member could be set; one that is not there need not be. */
static bool set(json_t *object, const char *name, json_t *value)
{
    return value != NULL && json_object_set_new(object, name, value) == 0;
}

static bool set_text(json_t *object, const char *name, const char *text)
{
    return text == NULL || set(object, name, json_string(text));
}

static json_t *list_of(const struct text_list *from)
{
    json_t *list = json_array();

    for (size_t i = 0; i < from->count; i++) {
        if (json_array_append_new(list, json_string(from->items[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static bool set_list(json_t *object, const char *name, const struct text_list *from)
{
    return from->count == 0 || set(object, name, list_of(from));
}

/* One that we have found ourselves. */
static json_t *write_path(const struct addition *addition, const char *path)
{
    char room[CONFIG_FILE_PATH_SIZE];
    const char *config = config_file_find(addition->config, room);
    char *text = config_file_path(path, config != NULL ? config : "");
    json_t *written = text != NULL ? json_string(text) : NULL;

    free(text);
    return written;
}

/* A program that is named by a path beside us is another one elsewhere. */
static json_t *write_program(struct addition *addition)
{
    const char *program = addition->command[0];

    if (strchr(program, '/') == NULL || program[0] == '/' || program[0] == '~' || program[0] == '$')
        return json_string(program);
    snprintf(addition->program, sizeof(addition->program), "%s/%s", addition->here,
             strncmp(program, "./", 2) == 0 ? program + 2 : program);
    return write_path(addition, addition->program);
}

static bool set_command(json_t *upstream, struct addition *addition)
{
    json_t *command = json_array();
    bool written = json_array_append_new(command, write_program(addition)) == 0;

    for (char *const *word = addition->command + 1; *word != NULL; word++)
        written = written && json_array_append_new(command, json_string(*word)) == 0;
    written = set(upstream, "command", command) && written;
    if (strcmp(addition->here, "/") != 0)
        written = set(upstream, "cwd", write_path(addition, addition->here)) && written;
    return written;
}

static int set_upstream(json_t *surface, struct addition *addition)
{
    json_t *upstream = json_object();
    bool written =
        set_text(upstream, "socket", addition->socket) && set_text(upstream, "tcp", addition->tcp);
    int code;

    if (addition->stdio)
        written = set(upstream, "stdio", json_true()) && written;
    if (addition->command != NULL)
        written = set_command(upstream, addition) && written;
    code = additions_write(&addition->additions, ADDITIONS_OF_UPSTREAM, upstream);
    written = set(surface, "upstream", upstream) && written;
    if (code == EX_OK && !written)
        code = not_text();
    return code;
}

/* You, and who was named; over a network those alone whose addresses were, if any. */
static int set_callers(json_t *surface, const struct addition *addition)
{
    json_t *uids;
    uint64_t uid;

    if (addition->allow_non_loopback && !set(surface, "allow_non_loopback", json_true()))
        return EX_OSERR;
    if (addition->networks.count > 0)
        return set(surface, "callers", json_pack("{s:o}", "networks", list_of(&addition->networks)))
                   ? EX_OK
                   : not_text();
    if (addition->allow_non_loopback)
        return EX_OK;
    uids = json_pack("[s]", "self");
    for (size_t i = 0; i < addition->callers.count; i++) {
        const char *caller = addition->callers.items[i];

        if (strncmp(caller, "uid=", 4) != 0 || !args_number(caller + 4, UINT32_MAX - 1, &uid)) {
            json_decref(uids);
            return args_usage("add", "--caller takes uid=N, not %s", caller);
        }
        json_array_append_new(uids, json_integer((json_int_t)uid));
    }
    return set(surface, "callers", json_pack("{s:o}", "uids", uids)) ? EX_OK : EX_OSERR;
}

/* A number alone is a port of both loopback addresses. */
static json_t *write_listen(const struct text_list *from)
{
    json_t *list = json_array();
    uint64_t port;

    for (size_t i = 0; i < from->count; i++) {
        json_t *address = args_number(from->items[i], UINT16_MAX, &port)
                              ? json_sprintf("localhost:%u", (unsigned)port)
                              : json_string(from->items[i]);

        if (json_array_append_new(list, address) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static bool set_rules(json_t *surface, const struct addition *addition)
{
    json_t *allow = json_object();
    bool written = set_list(allow, "verbs", &addition->verbs) &&
                   set_list(allow, "targets", &addition->targets);

    if (json_object_size(allow) > 0)
        written = set(surface, "allow", json_incref(allow)) && written;
    json_decref(allow);
    if (strcmp(addition->dialect, "opaque") == 0)
        written = set(surface, "routes", recipe_routes()) && written;
    return written;
}

static int write_surface(struct addition *addition, json_t *surface)
{
    int code = EX_OK;

    if (addition->command != NULL && getcwd(addition->here, sizeof(addition->here)) == NULL)
        return args_fail(EX_OSERR, "the current directory cannot be told: %s", strerror(errno));
    if (!set_text(surface, "why", addition->why) ||
        !set_text(surface, "can_do", addition->can_do) ||
        !set(surface, "listen", write_listen(&addition->listen)))
        return not_text();
    code = set_upstream(surface, addition);
    if (code == EX_OK && !set_text(surface, "dialect", addition->dialect))
        code = not_text();
    if (code == EX_OK)
        code = additions_write(&addition->additions, ADDITIONS_OF_SURFACE, surface);
    if (code == EX_OK)
        code = set_callers(surface, addition);
    if (code == EX_OK && !set_rules(surface, addition))
        code = not_text();
    return code;
}

/* What passes that nobody has named. */
static const char *note_of(const struct addition *addition)
{
    if (strcmp(addition->dialect, "opaque") == 0)
        return "Who has a session may say anything to it on any path; \"routes\" can say less.";
    return addition->verbs.count == 0
               ? "Every verb of its dialect passes; \"allow\" can say which shall."
               : NULL;
}

int cmd_add(int argc, char **argv)
{
    struct addition addition = {.config = NULL};
    json_t *surface = json_object();
    struct args args;
    int code = parse(argc, argv, &addition, &args);

    if (code == EX_OK)
        code = check_words(&addition, &args);
    if (code == EX_OK)
        code = write_surface(&addition, surface);
    if (code == EX_OK)
        code = amend(&(struct amendment){.config = addition.config,
                                         .surface = args.operands[0],
                                         .value = surface,
                                         .note = note_of(&addition),
                                         .elsewhere = addition.elsewhere});
    json_decref(surface);
    text_list_clear(&addition.listen);
    text_list_clear(&addition.verbs);
    text_list_clear(&addition.targets);
    text_list_clear(&addition.callers);
    text_list_clear(&addition.networks);
    additions_clear(&addition.additions);
    return code;
}
