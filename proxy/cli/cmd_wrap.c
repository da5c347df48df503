/*
 * `sidelock wrap -- CMD`: a gate for one command, without a configuration of the operator's. Two
 * processes: this one stays at the terminal (cli/wrap/attend.h), its child is the gate's parent,
 * which starts the command first and takes its port (parent/alone.h). Called by its row in verbs.c.
 */
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/session_request.h"
#include "cli/terminal/args.h"
#include "cli/wrap/attend.h"
#include "cli/wrap/home.h"
#include "cli/wrap/recipe.h"
#include "dialect/dialect.h"
#include "parent/parent.h"
#include "setup/places.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define PATH_SIZE        (HOME_PATH_SIZE + 32)
#define BROWSER_TTL      "8h" /* as `sidelock open` has it */
#define DESCRIPTOR_MAX   65535
#define VALUES_BYTES_MAX (128 * 1024) /* of --env */

struct wrap {
    const char *dialect, *port, *surface, *ready; /* as given */
    struct text_list variables, executables, libraries;
    char *const *command;
    char name[RECIPE_NAME_SIZE], program[BUNDLE_PATH_SIZE], directory[BUNDLE_PATH_SIZE];
    char config[PATH_SIZE], control[PATH_SIZE], state[PATH_SIZE], environment[PATH_SIZE];
    int ready_fd; /* -1: nobody asked */
    struct home home;
    struct recipe recipe;
    struct pseudo pseudo;
    int standard[3];
};

/* ---- The command line ---- */

static int check_port(struct wrap *wrap)
{
    uint64_t number;

    if (wrap->port == NULL)
        return EX_OK;
    if (!args_number(wrap->port, UINT16_MAX, &number) || number == 0)
        return args_usage("wrap", "--port takes a port, not %s", wrap->port);
    wrap->recipe.port = (uint16_t)number;
    return EX_OK;
}

static int check_dialect(const struct wrap *wrap)
{
    if (wrap->dialect == NULL || dialect_shipped(wrap->dialect).data != NULL)
        return EX_OK;
    return args_usage("wrap", "there is no dialect %s; name one of %s", wrap->dialect,
                      dialect_shipped_names());
}

static int check_ready(struct wrap *wrap)
{
    uint64_t number;

    wrap->ready_fd = -1;
    if (wrap->ready == NULL)
        return EX_OK;
    if (!args_number(wrap->ready, DESCRIPTOR_MAX, &number) ||
        fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
        return args_usage("wrap", "--ready-fd takes the number of an open descriptor, not %s",
                          wrap->ready);
    wrap->ready_fd = (int)number;
    return EX_OK;
}

/* What stands before `--` is ours, what follows is the command. */
static int parse(int argc, char **argv, struct wrap *wrap)
{
    const struct args_option options[] = {
        {.name = "--dialect",
         .takes = "DIALECT",
         .about = "what the server speaks",
         .value = &wrap->dialect},
        {.name = "--port",
         .takes = "PORT",
         .about = "the port of the server that is served",
         .value = &wrap->port},
        {.name = "--surface",
         .takes = "NAME",
         .about = "how the surface is called",
         .value = &wrap->surface},
        {.name = "--env",
         .takes = "NAME[=VALUE]",
         .about = "a variable for the environment of the server; may be repeated",
         .list = &wrap->variables},
        {.name = "--allow-exec",
         .takes = "PATH",
         .about = "a program that the server may execute; may be repeated",
         .list = &wrap->executables},
        {.name = "--allow-library",
         .takes = "DIRECTORY",
         .about = "where code of the server's own lies; may be repeated",
         .list = &wrap->libraries},
        {.name = "--ready-fd",
         .takes = "N",
         .about = "a descriptor on which a line is written when all is up",
         .value = &wrap->ready},
    };
    struct args args;
    int ours = 1, code;

    while (ours < argc && strcmp(argv[ours], "--") != 0)
        ours++;
    code = args_parse(ours, argv, ARGS_TABLE(options), 0, 0, &args);
    if (code == EX_OK && ours + 1 >= argc)
        code = args_usage("wrap", "after `--` comes the command that is to be wrapped");
    if (code == EX_OK)
        code = check_port(wrap);
    if (code == EX_OK)
        code = check_dialect(wrap);
    if (code == EX_OK)
        code = check_ready(wrap);
    if (code == EX_OK && wrap->surface != NULL)
        code = args_name(wrap->surface, "the name of a surface");
    if (code == EX_OK)
        wrap->command = argv + ours + 1;
    return code;
}

/* ---- What the service is started with ---- */

static bool is_variable(const char *text, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return length > 0 && strspn(text, letters) == length && (*text < '0' || *text > '9');
}

/* A value that stands in a file, one a line, within quotes (config/README.md). */
static int add_variable(const char *given, struct buffer *text)
{
    size_t length = strcspn(given, "=");
    char *name = strndup(given, length);
    const char *value = given[length] == '=' ? given + length + 1
                        : name != NULL       ? getenv(name)
                                             : NULL;
    int code = EX_OK;

    if (name == NULL)
        code = args_fail(EX_OSERR, "out of memory");
    else if (!is_variable(name, length))
        code = args_usage("wrap", "--env takes NAME or NAME=VALUE, not %s", name);
    else if (value == NULL)
        code = args_fail(EX_DATAERR, "--env %s: there is no such variable", name);
    else if (strpbrk(value, "\r\n") != NULL)
        code = args_fail(EX_DATAERR, "--env %s: a value of several lines cannot be given", name);
    else
        buffer_append_format(text, "%s=\"%s\"\n", name, value);
    free(name);
    return code;
}

static int write_variables(struct wrap *wrap)
{
    struct buffer text;
    int code = EX_OK;

    if (wrap->variables.count == 0)
        return EX_OK;
    buffer_init(&text, VALUES_BYTES_MAX);
    for (size_t i = 0; code == EX_OK && i < wrap->variables.count; i++)
        code = add_variable(wrap->variables.items[i], &text);
    if (code == EX_OK && buffer_failed(&text))
        code =
            args_fail(EX_DATAERR, "the values of --env are more than %d bytes", VALUES_BYTES_MAX);
    if (code == EX_OK && home_write(&wrap->home, "environment", text.data) != OK)
        code = args_fail(EX_IOERR, "%s: %s", wrap->environment, strerror(errno));
    if (code == EX_OK)
        wrap->recipe.environment_file = wrap->environment;
    buffer_wipe(&text);
    return code;
}

/* A path that does not begin at "/" begins where the operator stands. */
static int find_program(struct wrap *wrap)
{
    const char *program = wrap->command[0];

    if (getcwd(wrap->directory, sizeof(wrap->directory)) == NULL)
        return args_fail(EX_OSERR, "the current directory cannot be told: %s", strerror(errno));
    wrap->recipe.directory = wrap->directory;
    if (strchr(program, '/') == NULL || program[0] == '/')
        return EX_OK;
    if (snprintf(wrap->program, sizeof(wrap->program), "%s/%s", wrap->directory, program) >=
        (int)sizeof(wrap->program))
        return args_fail(EX_DATAERR, "%s is too long a path", program);
    return EX_OK;
}

static int settle(struct wrap *wrap, char **command)
{
    char why[WHY_SIZE];
    int code = find_program(wrap);

    if (code != EX_OK)
        return code;
    recipe_name(command[0], wrap->name);
    if (wrap->program[0] != '\0')
        command[0] = wrap->program;
    if (wrap->surface == NULL)
        wrap->surface = wrap->name;
    if (home_take(wrap->surface, &wrap->home, why) != OK)
        return args_fail(EX_CANTCREAT, "%s", why);
    home_path(&wrap->home, "sidelock.json", wrap->config);
    home_path(&wrap->home, "control.sock", wrap->control);
    home_path(&wrap->home, "state", wrap->state);
    home_path(&wrap->home, "environment", wrap->environment);
    wrap->recipe.surface = wrap->surface;
    wrap->recipe.state_dir = wrap->state;
    wrap->recipe.control_socket = wrap->control;
    wrap->recipe.dialect = wrap->dialect;
    wrap->recipe.command = command;
    wrap->recipe.executables = &wrap->executables;
    wrap->recipe.libraries = &wrap->libraries;
    return write_variables(wrap);
}

/* ---- The configuration ---- */

/* Of a gate on this port, sealed; cleared if there are faults. */
static enum error load(const struct wrap *wrap, uint16_t port, struct config_bundle *out,
                       struct json_faults *faults)
{
    char *text = recipe_write(&wrap->recipe, port);
    enum error error = text != NULL ? home_write(&wrap->home, "sidelock.json", text) : ERROR_MEMORY;

    free(text);
    *out = (struct config_bundle){.path = NULL};
    if (error == ERROR_MEMORY)
        return bundle_fail(faults, error,
                           "The words of the command, and the directory's path, must be UTF-8.");
    if (error != OK)
        return bundle_fail(faults, error, "The configuration cannot be written.");
    error = bundle_read(wrap->config, TRUST_OWN, "", out, faults);
    if (error == OK)
        error = places_check(&(struct places){.bundle = out}, faults);
    if (error == OK && bundle_seal(out) != OK)
        error = bundle_fail(faults, ERROR_IO, "The configuration cannot be handed over.");
    if (error != OK)
        bundle_clear(out);
    return error;
}

static enum error configure(void *context, uint16_t port, struct config_bundle *bundle)
{
    struct json_faults faults = {.count = 0};
    enum error error;

    bundle_clear(bundle);
    error = load(context, port, bundle, &faults);
    for (size_t i = 0; error != OK && i < faults.count; i++)
        log_error("%s", faults.items[i].text);
    return error;
}

/* ---- What the operator is told ---- */

static bool has_pages(const char *dialect)
{
    return strcmp(dialect, "opaque") == 0 || strcmp(dialect, "autogen-studio") == 0;
}

/* One address that logs a browser in, as `sidelock open` makes it. */
static void tell_login(const struct wrap *wrap)
{
    struct gate gate = {.control = wrap->control};
    const struct session_options options = {.ttl = BROWSER_TTL};
    json_t *request = NULL, *session = NULL, *login = NULL;
    const char *id;
    int code = session_request_build(wrap->surface, &options, &request);

    if (code == EX_OK)
        code = gate_ask(&gate, "POST", request, &session, "/v1/sessions");
    id = json_string_value(json_object_get(session, "id"));
    if (code == EX_OK && id != NULL && text_is_name(id))
        code = gate_ask(&gate, "POST", NULL, &login, "/v1/sessions/%s/login", id);
    if (code == EX_OK && json_is_string(json_object_get(login, "url")))
        fprintf(stderr, "sidelock: in a browser, once and within 60 seconds: %s\n",
                json_string_value(json_object_get(login, "url")));
    json_decref(session);
    json_decref(login);
}

static void tell_dialect(const struct wrap *wrap, uint16_t port)
{
    const char *guess = recipe_guess(wrap->recipe.command, port);

    if (wrap->dialect == NULL && guess != NULL)
        fprintf(stderr,
                "sidelock: by its command line it speaks %s, which is judged so; --dialect says "
                "otherwise\n",
                guess);
    else if (wrap->dialect == NULL)
        fputs("sidelock: what it speaks is not known: who has a session may say anything to it "
              "(dialect opaque); "
              "--dialect says what it speaks\n",
              stderr);
}

/* The port in "127.0.0.1:8081", "[::1]:8081". */
static uint16_t port_of(const json_t *ready, const char *surface)
{
    const json_t *addresses = json_object_get(json_object_get(ready, "surfaces"), surface);
    const char *address = json_string_value(json_array_get(addresses, 0));
    const char *colon = address != NULL ? strrchr(address, ':') : NULL;
    uint64_t port = 0;

    return colon != NULL && args_number(colon + 1, UINT16_MAX, &port) ? (uint16_t)port : 0;
}

/* The token of a session is nowhere among it: what is printed here may be kept in a log. */
static void tell_ready(void *context, const char *line)
{
    const struct wrap *wrap = context;
    json_t *ready = json_loads(line, 0, NULL);
    uint16_t port = port_of(ready, wrap->surface);
    const char *guess = recipe_guess(wrap->recipe.command, port);
    const char *dialect = wrap->dialect != NULL ? wrap->dialect : guess != NULL ? guess : "opaque";

    json_decref(ready);
    fprintf(stderr,
            "sidelock: localhost:%u is the gate's, and the port of %s exists behind it alone\n",
            port, wrap->surface);
    tell_dialect(wrap, port);
    fprintf(stderr, "sidelock: to come in: export SIDELOCK_CONTROL=%s\n", wrap->control);
    if (strcmp(dialect, "mcp") == 0)
        fprintf(stderr, "sidelock:   sidelock connect %s, or session create %s --print mcp-json\n",
                wrap->surface, wrap->surface);
    else if (has_pages(dialect))
        fprintf(stderr, "sidelock:   sidelock open %s, or session create %s --print curl\n",
                wrap->surface, wrap->surface);
    else
        fprintf(stderr, "sidelock:   sidelock session create %s\n", wrap->surface);
    if (has_pages(dialect) && isatty(STDERR_FILENO))
        tell_login(wrap);
    if (wrap->ready_fd >= 0)
        dprintf(wrap->ready_fd, "%s\n", line);
}

/* ---- The two processes ---- */

/* In the child: the gate. What the service is to have lies above the standard descriptors. */
static _Noreturn void become_gate(struct wrap *wrap, struct config_bundle *bundle, int errors,
                                  int ready, pid_t attendant)
{
    struct alone_options alone = {
        .surface = wrap->surface,
        .standard = {wrap->standard[0], wrap->standard[1], wrap->standard[2]},
        .port = wrap->recipe.port,
        .configure = configure,
        .context = wrap};
    struct parent_options options = {
        .bundle = bundle, .ready_fd = ready, .at_terminal = true, .alone = &alone};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(errors, STDERR_FILENO) < 0 || setpgid(0, 0) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 || getppid() != attendant)
        exit(EX_OSERR);
    close(null);
    close(errors);
    if (wrap->pseudo.master >= 0)
        close(wrap->pseudo.master);
    if (wrap->ready_fd >= 0)
        close(wrap->ready_fd);
    exit(parent_run(&options));
}

/* Copies above 2 of what goes to the service as it is; the terminal's side is there already. */
static enum error lift_standard(struct wrap *wrap)
{
    for (int i = 0; i <= STDERR_FILENO; i++) {
        wrap->standard[i] = fcntl(wrap->standard[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (wrap->standard[i] < 0)
            return ERROR_IO;
    }
    return OK;
}

static int exit_code(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return args_fail(EX_SOFTWARE, "the gate was ended by signal %d, and so everything ended",
                     WTERMSIG(status));
}

static int run(struct wrap *wrap, struct config_bundle *bundle)
{
    int log[2], ready[2];
    pid_t ours = getpid(), gate;
    struct attend_options options = {
        .pseudo = &wrap->pseudo, .is_ready = tell_ready, .context = wrap};

    if (pseudo_open(&wrap->pseudo, wrap->standard) != OK || lift_standard(wrap) != OK ||
        pipe2(log, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0 ||
        fcntl(log[0], F_SETFL, O_NONBLOCK) < 0)
        return args_fail(EX_OSERR, "no terminal or pipe can be made: %s", strerror(errno));
    gate = fork();
    if (gate == 0) {
        close(log[0]);
        close(ready[0]);
        become_gate(wrap, bundle, log[1], ready[1], ours);
    }
    if (gate < 0)
        return args_fail(EX_OSERR, "the gate cannot be started: %s", strerror(errno));
    close(log[1]);
    close(ready[1]);
    pseudo_close_slave(&wrap->pseudo);
    for (int i = 0; i <= STDERR_FILENO; i++)
        close(wrap->standard[i]);
    options.gate = gate;
    options.log = log[0];
    options.ready = ready[0];
    return exit_code(attend_run(&options));
}

int cmd_wrap(int argc, char **argv)
{
    struct wrap wrap = {.home = {.lock = -1}};
    struct config_bundle bundle;
    struct json_faults faults = {.count = 0};
    int code = parse(argc, argv, &wrap);

    setlinebuf(stderr); /* which is the service's, too: lines stay whole */
    if (code == EX_OK)
        code = settle(&wrap, (char **)(uintptr_t)wrap.command);
    if (code == EX_OK && load(&wrap, wrap.recipe.port, &bundle, &faults) != OK) {
        for (size_t i = 0; i < faults.count; i++)
            code = args_fail(EX_DATAERR, "%s", faults.items[i].text);
    } else if (code == EX_OK) {
        code = run(&wrap, &bundle);
        bundle_clear(&bundle);
    }
    if (wrap.home.lock >= 0)
        home_remove(&wrap.home);
    text_list_clear(&wrap.variables);
    text_list_clear(&wrap.executables);
    text_list_clear(&wrap.libraries);
    return code;
}
