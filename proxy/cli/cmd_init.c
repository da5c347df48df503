/*
 * `sidelock init`: makes the directories and a configuration to begin with, for its user or, in
 * /etc/sidelock, for a unit of the system. Asks nothing, changes
 * nothing that is there. Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/edit/file.h"
#include "cli/start.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define TEXT_BYTES_MAX    16384
#define CONTROL_NAME      "/control.sock"
#define SYSTEM_FOLDER     "/etc/sidelock"
#define USUAL_NAME        "sidelock"
#define SUFFIX            ".json"
#define SCHEMA_BESIDE_BIN "../share/sidelock/sidelock.schema.json"

struct beginning {
    char name[CONFIG_FILE_PATH_SIZE]; /* of the file, without ".json" */
    char config[CONFIG_FILE_PATH_SIZE], state[CONFIG_FILE_PATH_SIZE];
    char control[CONFIG_FILE_PATH_SIZE];    /* "": in the state directory, as usual */
    char schema[CONFIG_FILE_PATH_SIZE + 8]; /* its address; "": there is none here */
    bool usual;                             /* found by itself, so it has the usual state */
    bool system;                            /* for a unit, as another user */
    bool made;                              /* false: the configuration was there */
};

/* ---- Where ---- */

/* An absolute directory that a variable names, or NULL: a relative one is to be ignored. */
static const char *directory_of(const char *variable)
{
    const char *path = getenv(variable);

    return path != NULL && path[0] == '/' ? path : NULL;
}

/* What the path of the configuration says of it. */
static int look_at_config(struct beginning *begin)
{
    char folder[CONFIG_FILE_PATH_SIZE] = "", usual[CONFIG_FILE_PATH_SIZE],
         usual_folder[CONFIG_FILE_PATH_SIZE];
    const char *slash = strrchr(begin->config, '/'), *name = begin->config;
    size_t length;
    struct stat facts;

    if (stat(begin->config, &facts) == 0 && S_ISDIR(facts.st_mode))
        return args_fail(EX_DATAERR, "%s is a directory: name the file in it", begin->config);
    name = slash != NULL ? slash + 1 : name;
    length = strlen(name);
    if (length > strlen(SUFFIX) && strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0)
        length -= strlen(SUFFIX);
    if (length == 0)
        return args_fail(EX_DATAERR, "%s names no file", begin->config);
    snprintf(begin->name, sizeof(begin->name), "%.*s", (int)length, name);
    if (!config_file_folder(begin->config, folder))
        return args_fail(EX_DATAERR, "the path of the configuration is too long");
    begin->system = strcmp(folder, SYSTEM_FOLDER) == 0;
    if (!begin->system && (!config_file_user_path(USUAL_NAME SUFFIX, usual) ||
                           !config_file_folder(usual, usual_folder)))
        return EX_OK;
    begin->usual = strcmp(name, USUAL_NAME SUFFIX) == 0 &&
                   (begin->system || strcmp(folder, usual_folder) == 0);
    return EX_OK;
}

static int find_config(const char *named, struct beginning *begin)
{
    char room[CONFIG_FILE_PATH_SIZE];
    const char *path = config_file_wanted(named, room);
    int length;

    if (path == NULL)
        return args_fail(EX_CONFIG, "there is neither HOME nor XDG_CONFIG_HOME in the environment: "
                                    "say with -c FILE where the configuration is to be");
    length = snprintf(begin->config, sizeof(begin->config), "%s", path);
    return length < CONFIG_FILE_PATH_SIZE
               ? look_at_config(begin)
               : args_fail(EX_DATAERR, "the path of the configuration is too long");
}

/* Where contrib/systemd/gate.service.in has them. */
static int find_system_state(struct beginning *begin)
{
    const char *above = begin->usual ? "" : "-gates/", *name = begin->usual ? "" : begin->name;
    int length = snprintf(begin->control, sizeof(begin->control), "/run/sidelock%s%s" CONTROL_NAME,
                          above, name);

    int state = snprintf(begin->state, sizeof(begin->state), "/var/lib/sidelock%s%s", above, name);

    return length <= CONFIG_SOCKET_BYTES_MAX && state < CONFIG_FILE_PATH_SIZE
               ? EX_OK
               : args_fail(EX_DATAERR, "the name %s is too long for a unit", begin->name);
}

/* A second gate with the keys and the control socket of a first would be taken for it. */
static int check_state(const struct beginning *begin)
{
    char generation[CONFIG_FILE_PATH_SIZE + 16];

    snprintf(generation, sizeof(generation), "%s/generation", begin->state);
    if (begin->usual || access(begin->config, F_OK) == 0 || access(generation, F_OK) != 0)
        return EX_OK;
    return args_fail(EX_DATAERR,
                     "%s is the state of a gate already: give the configuration another name, or "
                     "remove that",
                     begin->state);
}

/* By the XDG specification; the control socket elsewhere where its path would be too long there. */
static int find_state(struct beginning *begin)
{
    const char *state = directory_of("XDG_STATE_HOME"), *home = directory_of("HOME");
    const char *runtime = directory_of("XDG_RUNTIME_DIR");
    const char *dash = begin->usual ? "" : "-", *name = begin->usual ? "" : begin->name;
    int length = CONFIG_FILE_PATH_SIZE;

    if (begin->system)
        return find_system_state(begin);
    if (state != NULL)
        length = snprintf(begin->state, sizeof(begin->state), "%s/sidelock%s%s", state, dash, name);
    else if (home != NULL)
        length = snprintf(begin->state, sizeof(begin->state), "%s/.local/state/sidelock%s%s",
                          strcmp(home, "/") != 0 ? home : "", dash, name);
    if (state == NULL && home == NULL)
        return args_fail(EX_CONFIG, "there is neither HOME nor XDG_STATE_HOME in the environment, "
                                    "which say where keys and sessions are to be kept");
    if (length >= CONFIG_FILE_PATH_SIZE)
        return args_fail(EX_DATAERR, "the path of the state directory is too long");
    if (check_state(begin) != EX_OK)
        return EX_DATAERR;
    if (length + (int)strlen(CONTROL_NAME) <= CONFIG_SOCKET_BYTES_MAX)
        return EX_OK;
    if (runtime == NULL ||
        snprintf(begin->control, sizeof(begin->control), "%s/sidelock%s%s" CONTROL_NAME, runtime,
                 dash, name) > CONFIG_SOCKET_BYTES_MAX)
        return args_fail(EX_DATAERR,
                         "no socket's path may be as long as one in %s: set XDG_STATE_HOME or "
                         "XDG_RUNTIME_DIR to a shorter one",
                         begin->state);
    return EX_OK;
}

/* What editors go by, where it is installed beside this program. */
static void find_schema(struct beginning *begin)
{
    char program[CONFIG_FILE_PATH_SIZE], beside[2 * CONFIG_FILE_PATH_SIZE], *resolved;
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    const char *slash;

    if (length <= 0)
        return;
    program[length] = '\0';
    slash = strrchr(program, '/');
    snprintf(beside, sizeof(beside), "%.*s" SCHEMA_BESIDE_BIN, (int)(slash + 1 - program), program);
    resolved = realpath(beside, NULL);
    if (resolved != NULL)
        snprintf(begin->schema, sizeof(begin->schema), "file://%s", resolved);
    free(resolved);
}

/* ---- What ---- */

/* A path as `config` has it; NULL: it is none. */
static void append_member(struct buffer *out, const char *name, const char *value,
                          const char *config)
{
    char *written = config != NULL ? config_file_path(value, config) : strdup(value);

    out->failed = out->failed || written == NULL;
    if (written == NULL)
        return;
    buffer_append_format(out, "  \"%s\": ", name);
    buffer_append_json_string(out, written, strlen(written));
    buffer_append_text(out, ",");
    free(written);
}

/* A line of the template is the place of a member, or stays; false: there is nothing for it. */
static bool append_line(struct buffer *out, struct span line, const struct beginning *begin)
{
    const struct {
        const char *place, *name, *value;
        bool path;
    } rows[] = {{"@schema@", "$schema", begin->schema, false},
                {"@state_dir@", "state_dir", begin->state, true},
                {"@control_socket@", "control_socket", begin->control, true}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!span_equals(span_trim(line), rows[i].place))
            continue;
        if (rows[i].value[0] == '\0')
            return false;
        append_member(out, rows[i].name, rows[i].value, rows[i].path ? begin->config : NULL);
        return true;
    }
    buffer_append(out, line.data, line.length);
    return true;
}

static void write_text(struct buffer *out, const struct beginning *begin)
{
    struct span rest = span_of(start_sidelock_json);

    while (rest.length > 0) {
        struct span line = span_split(&rest, '\n');

        if (append_line(out, line, begin))
            buffer_append_text(out, "\n");
    }
}

static int make(struct beginning *begin)
{
    struct buffer text;
    char why[WHY_SIZE];
    enum error error;
    int fd;

    if (!begin->system) { /* the unit makes it, for its user */
        error = trusted_path_open_private(begin->state, &fd, why);
        if (error != OK)
            return args_fail(error == ERROR_DENIED ? EX_NOPERM : EX_OSERR, "%s", why);
        close(fd);
    }
    buffer_init(&text, TEXT_BYTES_MAX);
    write_text(&text, begin);
    error = buffer_failed(&text) ? error_explain(why, ERROR_MEMORY, "There is not enough memory.")
                                 : edit_file_make(begin->config, begin->system ? 0644 : 0600,
                                                  (struct span){text.data, text.length}, why);
    buffer_clear(&text);
    begin->made = error == OK;
    if (error == OK || error == ERROR_EXISTS)
        return EX_OK;
    return args_fail(error == ERROR_DENIED ? EX_NOPERM : EX_OSERR, "%s", why);
}

/* ---- What is said ---- */

static int print_text(const struct beginning *begin, const char *named)
{
    shown_text(stdout, begin->config);
    puts(begin->made ? ": made" : ": is there already, and stays as it is");
    if (!begin->made) {
        printf("next: sidelock check");
        config_file_print_option(named);
        putchar('\n');
        return EX_OK;
    }
    if (!begin->system) {
        shown_text(stdout, begin->state);
        puts(": the state directory, closed to others");
    }
    if (!begin->system && begin->usual && access(CONFIG_FILE_SYSTEM, F_OK) == 0)
        puts("Your commands go by it from now on: by " CONFIG_FILE_SYSTEM
             " only with -c or SIDELOCK_CONFIG.");
    printf("next: sidelock add NAME --listen localhost:PORT --dialect DIALECT");
    config_file_print_option(named);
    puts(begin->system ? " --elsewhere -- COMMAND ..." : " -- COMMAND ...");
    puts("      (or --socket PATH in the place of a command; `sidelock help add` says more)");
    if (begin->system) {
        printf("then: systemctl enable --now sidelock%s", begin->usual ? "" : "@");
        shown_text(stdout, begin->usual ? "" : begin->name);
        putchar('\n');
    }
    return EX_OK;
}

int cmd_init(int argc, char **argv)
{
    struct beginning begin = {.made = false};
    const char *named = NULL;
    bool json = false;
    const struct args_option options[] = {
        {.name = "-c", .takes = "FILE", .about = "the configuration", .value = &named},
        {.name = "--json", .about = "print the result as JSON", .flag = &json},
    };
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 0, &args);

    if (code == EX_OK)
        code = find_config(named, &begin);
    if (code == EX_OK)
        code = find_state(&begin);
    if (code != EX_OK)
        return code;
    find_schema(&begin);
    code = make(&begin);
    if (code != EX_OK)
        return code;
    if (json)
        return output_json(json_pack("{s:o, s:b, s:o}", "config", output_string(begin.config),
                                     "made", begin.made, "state_dir", output_string(begin.state)));
    return print_text(&begin, named);
}
