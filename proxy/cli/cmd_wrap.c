/*
 * `sidelock wrap -- CMD`: a gate for one command, without a configuration of the operator's. Two
 * processes: this one stays at the terminal (cli/wrap/attend.h), its child is the gate's parent,
 * which starts the command first and takes its port (parent/alone.h). With --stdio the command has
 * no port, and a process for each MCP session: one is tried first (cli/wrap/trial.h), by a child
 * that becomes no gate, and then the gate is one as any. Called by its row in verbs.c.
 */
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/terminal/args.h"
#include "cli/terminal/shown.h"
#include "cli/welcome.h"
#include "cli/wrap/attend.h"
#include "cli/wrap/home.h"
#include "cli/wrap/learnt.h"
#include "cli/wrap/lesson.h"
#include "cli/wrap/line.h"
#include "cli/wrap/recipe.h"
#include "cli/wrap/trial.h"
#include "cli/wrap/variables.h"
#include "parent/parent.h"
#include "setup/places.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define PATH_SIZE (HOME_PATH_SIZE + 32)

struct wrap {
    struct line line;
    const char *surface;
    char name[RECIPE_NAME_SIZE], program[BUNDLE_PATH_SIZE], directory[BUNDLE_PATH_SIZE];
    char config[PATH_SIZE], control[PATH_SIZE], state[PATH_SIZE], environment[PATH_SIZE];
    struct trial *trial; /* it is only tried; NULL: it is served */
    struct home home;
    struct recipe recipe;
    struct pseudo pseudo;
    struct learnt learnt; /* its channel is -1: nothing is */
    int standard[ERRAND_STANDARDS];
};

/* ---- What the service is started with ---- */

static int write_variables(struct wrap *wrap)
{
    struct buffer text;
    int code;

    if (wrap->line.variables.count == 0)
        return EX_OK;
    buffer_init(&text, VARIABLES_BYTES_MAX);
    code = variables_write(&wrap->line.variables, &text);
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
    const char *program = wrap->line.command[0];

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
    wrap->surface = wrap->line.surface != NULL ? wrap->line.surface : wrap->name;
    if (home_take(wrap->surface, &wrap->home, why) != OK)
        return args_fail(EX_CANTCREAT, "%s", why);
    home_path(&wrap->home, "sidelock.json", wrap->config);
    home_path(&wrap->home, "control.sock", wrap->control);
    home_path(&wrap->home, "state", wrap->state);
    home_path(&wrap->home, "environment", wrap->environment);
    wrap->recipe.surface = wrap->surface;
    wrap->recipe.state_dir = wrap->state;
    wrap->recipe.control_socket = wrap->control;
    wrap->recipe.dialect = wrap->line.stdio ? "mcp" : wrap->line.dialect;
    wrap->recipe.port = wrap->line.stdio ? 0 : wrap->line.port;
    wrap->recipe.command = command;
    wrap->recipe.executables = &wrap->line.executables;
    wrap->recipe.libraries = &wrap->line.libraries;
    wrap->recipe.writable = &wrap->line.writable;
    wrap->recipe.ports = wrap->line.learn ? NULL : &wrap->line.ports;
    wrap->recipe.networks = wrap->line.learn ? NULL : &wrap->line.networks;
    wrap->recipe.write_limited = wrap->line.write_limited && !wrap->line.learn;
    wrap->recipe.anything = wrap->line.learn;
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
        error = places_check(&(struct places){.bundle = out, .bind = wrap->recipe.stdio}, faults);
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

/* ---- The two processes ---- */

/* In the child: the gate. What the service is to have lies above the standard descriptors. */
static _Noreturn void become_gate(struct wrap *wrap, struct config_bundle *bundle, int errors,
                                  int ready, pid_t attendant)
{
    struct alone_options alone = {.surface = wrap->surface,
                                  .trial = wrap->trial != NULL,
                                  .standard = {wrap->standard[0], wrap->standard[1],
                                               wrap->standard[2], wrap->standard[ERRAND_RECORD]},
                                  .port = wrap->recipe.port,
                                  .configure = configure,
                                  .context = wrap};
    struct parent_options options = {.bundle = bundle,
                                     .ready_fd = ready,
                                     .at_terminal = true,
                                     .alone = wrap->recipe.stdio ? NULL : &alone};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(errors, STDERR_FILENO) < 0 || setpgid(0, 0) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 || getppid() != attendant)
        exit(EX_OSERR);
    close(null);
    close(errors);
    pseudo_forget(&wrap->pseudo);
    if (wrap->trial != NULL)
        trial_close(wrap->trial);
    if (wrap->line.ready_fd >= 0)
        close(wrap->line.ready_fd);
    if (wrap->learnt.channel >= 0)
        close(wrap->learnt.channel);
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

/* A terminal and what else the operator has; pipes while it is tried; and once each session has
 * processes of its own, nothing. */
static enum error open_standard(struct wrap *wrap, int *errors)
{
    int pair[2];

    *errors = -1;
    if (!wrap->line.stdio)
        return pseudo_open(&wrap->pseudo, wrap->standard) == OK ? lift_standard(wrap) : ERROR_IO;
    pseudo_none(&wrap->pseudo);
    for (int i = 0; i <= STDERR_FILENO; i++)
        wrap->standard[i] = -1;
    if (wrap->trial == NULL)
        return OK;
    if (trial_open(wrap->trial, wrap->standard) != OK || pipe2(pair, O_CLOEXEC) < 0)
        return ERROR_IO;
    *errors = pair[0];
    wrap->standard[STDERR_FILENO] = pair[1];
    return fcntl(*errors, F_SETFL, O_NONBLOCK) == 0 ? OK : ERROR_IO;
}

static void tell_ready(void *context, const char *line)
{
    const struct wrap *wrap = context;
    const struct welcome welcome = {.surface = wrap->surface,
                                    .control = wrap->control,
                                    .dialect = wrap->line.dialect,
                                    .command = wrap->recipe.command,
                                    .stdio = wrap->line.stdio,
                                    .ready_fd = wrap->line.ready_fd};

    welcome_say(&welcome, line);
}

/* Until it has ended. EX_OK: it has, and *outcome says how. */
static int run(struct wrap *wrap, struct config_bundle *bundle, struct attend_outcome *outcome)
{
    int log[2], ready[2];
    pid_t ours = getpid(), gate;
    struct attend_options options = {.pseudo = &wrap->pseudo,
                                     .is_ready = tell_ready,
                                     .context = wrap,
                                     .name = wrap->surface,
                                     .hear = trial_hear,
                                     .hearer = wrap->trial,
                                     .learn = learnt_hear,
                                     .learner = &wrap->learnt};

    wrap->standard[ERRAND_RECORD] = -1;
    if (wrap->line.learn && learnt_open(&wrap->learnt, &wrap->standard[ERRAND_RECORD]) != OK)
        return args_fail(EX_OSERR, "no socket can be made: %s", strerror(errno));
    options.records = wrap->learnt.channel;
    if (open_standard(wrap, &options.errors) != OK || pipe2(log, O_CLOEXEC) < 0 ||
        pipe2(ready, O_CLOEXEC) < 0 || fcntl(log[0], F_SETFL, O_NONBLOCK) < 0)
        return args_fail(EX_OSERR, "no terminal or pipe can be made: %s", strerror(errno));
    gate = fork();
    if (gate == 0) {
        close(log[0]);
        close(ready[0]);
        if (options.errors >= 0)
            close(options.errors);
        become_gate(wrap, bundle, log[1], ready[1], ours);
    }
    if (gate < 0)
        return args_fail(EX_OSERR, "the gate cannot be started: %s", strerror(errno));
    close(log[1]);
    close(ready[1]);
    pseudo_close_slave(&wrap->pseudo);
    for (size_t i = 0; i < ERRAND_STANDARDS; i++) {
        if (wrap->standard[i] >= 0)
            close(wrap->standard[i]);
    }
    options.gate = gate;
    options.log = log[0];
    options.ready = ready[0];
    options.output = wrap->trial != NULL ? wrap->trial->output : -1;
    *outcome = attend_run(&options);
    learnt_end(&wrap->learnt);
    return EX_OK;
}

static int load_and_run(struct wrap *wrap, uint16_t port, struct attend_outcome *outcome)
{
    struct config_bundle bundle;
    struct json_faults faults = {.count = 0};
    int code = EX_OK;

    if (load(wrap, port, &bundle, &faults) == OK) {
        code = run(wrap, &bundle, outcome);
        bundle_clear(&bundle);
    }
    for (size_t i = 0; i < faults.count; i++)
        code = args_fail(EX_DATAERR, "%s", faults.items[i].text);
    return code;
}

static int exit_code(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return args_fail(EX_SOFTWARE, "the gate was ended by signal %d, and so everything ended",
                     WTERMSIG(status));
}

/* ---- A service that speaks over its standard input and output ---- */

/* Why it is not served. What it may not execute was told before. */
static int tell_failure(const struct wrap *wrap, int code)
{
    return args_fail(code != EX_OK ? code : EX_UNAVAILABLE,
                     "%s ended before it answered, with exit code %d: nothing is served",
                     wrap->line.command[0], code);
}

static void tell_answer(const struct trial *trial)
{
    if (trial->name[0] == '\0')
        return;
    fputs("sidelock: it starts, and calls itself \"", stderr);
    shown_text(stderr, trial->name);
    fputs("\"\n", stderr);
}

/* As a command that listens somewhere, for it is not served. EX_OK: it answers; *served is whether
 * it is to be. */
static int try_service(struct wrap *wrap, bool *served)
{
    struct trial trial = {.input = -1, .output = -1};
    struct attend_outcome outcome = {.status = 0};
    int code;

    wrap->trial = &trial;
    wrap->recipe.stdio = false;
    code = load_and_run(wrap, 0, &outcome);
    wrap->recipe.stdio = true;
    wrap->trial = NULL;
    trial_close(&trial);
    *served = code == EX_OK && !outcome.stopped;
    if (!*served)
        return code;
    if (!trial.answered)
        return tell_failure(wrap, exit_code(outcome.status));
    tell_answer(&trial);
    return EX_OK;
}

/* Its port first: nothing is run for a gate that cannot be. */
static int check_gate(struct wrap *wrap)
{
    struct config_bundle bundle;
    struct json_faults faults = {.count = 0};
    int code = EX_OK;

    wrap->recipe.stdio = true;
    if (load(wrap, wrap->line.port, &bundle, &faults) == OK)
        bundle_clear(&bundle);
    for (size_t i = 0; i < faults.count; i++)
        code = args_fail(EX_DATAERR, "%s", faults.items[i].text);
    return code;
}

/* The exit code is the gate's: of all that it runs, no process is the service. */
static int serve_stdio(struct wrap *wrap)
{
    struct attend_outcome outcome = {.status = 0};
    bool served = false;
    int code = check_gate(wrap);

    if (code == EX_OK)
        code = try_service(wrap, &served);
    if (code != EX_OK || !served)
        return code;
    code = load_and_run(wrap, wrap->line.port, &outcome);
    return code == EX_OK ? exit_code(outcome.status) : code;
}

/* Values of --env are in it: one that is made is nobody else's to read. */
static FILE *open_policy(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (fd >= 0 && file == NULL)
        close(fd);
    return file;
}

/* What it needs, once it has ended; `code` is how. */
static int tell_lesson(struct wrap *wrap, int code)
{
    const struct lesson lesson = {&wrap->line, &wrap->recipe, &wrap->learnt};
    FILE *policy = NULL;
    enum error error;

    if (wrap->learnt.rows[RECORD_LOAD].count == 0 && wrap->learnt.rows[RECORD_LISTEN].count == 0)
        return args_fail(code, "nothing was learnt: it did nothing");
    if (wrap->line.policy != NULL) {
        policy = open_policy(wrap->line.policy);
        if (policy == NULL)
            code = args_fail(EX_CANTCREAT, "%s: %s", wrap->line.policy, strerror(errno));
    }
    error = lesson_tell(&lesson, stderr, policy);
    if (policy != NULL && fclose(policy) != 0)
        error = ERROR_IO;
    return error == OK
               ? code
               : args_fail(EX_SOFTWARE, "what was learnt cannot be said: %s", error_text(error));
}

static int serve(struct wrap *wrap)
{
    struct attend_outcome outcome = {.status = 0};
    int code = load_and_run(wrap, wrap->line.port, &outcome);

    if (code != EX_OK)
        return code;
    code = exit_code(outcome.status);
    return wrap->line.learn ? tell_lesson(wrap, code) : code;
}

int cmd_wrap(int argc, char **argv)
{
    struct wrap wrap = {.home = {.lock = -1}, .learnt = {.channel = -1}};
    int code = line_parse(argc, argv, &wrap.line);

    setlinebuf(stderr); /* which is the service's, too: lines stay whole */
    if (code == EX_OK)
        code = settle(&wrap, (char **)(uintptr_t)wrap.line.command);
    if (code == EX_OK)
        code = wrap.line.stdio ? serve_stdio(&wrap) : serve(&wrap);
    if (wrap.home.lock >= 0)
        home_remove(&wrap.home);
    line_clear(&wrap.line);
    learnt_clear(&wrap.learnt);
    return code;
}
