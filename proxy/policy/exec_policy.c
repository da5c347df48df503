#include "policy/exec_policy.h"
#include "config/pattern.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_PATTERNS_MAX 7 /* of one program */

struct inspection {
    const struct config *config;
    /* The files of the rules, looked at once each; config->executable_count of them. */
    struct known_rule {
        bool looked;
        struct exec_facts facts;
    } * rules;
    size_t commands; /* so far */
    exec_facts_source facts;
    void *context;
    char *why;
    size_t why_size;
};

/*
 * Environment variables that make a permitted program run, load or trust
 * something else. Patterns of fnmatch(3), compared without case: npm reads its
 * own without case too.
 */
static const struct {
    const char *what;
    const char *patterns[HOOK_PATTERNS_MAX + 1];
} hooks[] = {
    {"the dynamic loader", {"LD_*"}},
    {"the C library", {"GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH"}},
    {"the resolver", {"HOSTALIASES", "RES_OPTIONS", "RESOLV_*"}},
    {"every search for a program", {"PATH"}},
    {"shells", {"IFS", "ENV", "BASH*", "SHELL*", "ZDOTDIR", "PS4", "PROMPT_COMMAND"}},
    {"Python", {"PYTHON*", "VIRTUAL_ENV"}},
    {"pip", {"PIP_*"}},
    {"uv", {"UV_*"}},
    {"conda", {"CONDA_*"}},
    {"Node", {"NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_CA_CERTS", "NODE_TLS_*", "NODE_REPL_*"}},
    {"npm", {"NPM_*"}},
    {"Yarn", {"YARN_*"}},
    {"pnpm", {"PNPM_*"}},
    {"Bun", {"BUN_*"}},
    {"Deno", {"DENO_*"}},
    {"Perl", {"PERL*"}},
    {"Ruby", {"RUBY*", "GEM_*", "BUNDLE_*"}},
    {"Java", {"JAVA_*", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"}},
    {"Lua", {"LUA_*"}},
    {"PHP", {"PHPRC", "PHP_INI_*"}},
    {"R", {"R_*"}},
    {".NET", {"DOTNET_*", "CORECLR_*", "COMPLUS_*"}},
    {"git", {"GIT_*"}},
    {"ssh", {"SSH_ASKPASS"}},
    {"Subversion", {"SVN_SSH"}},
    {"rsync", {"RSYNC_RSH"}},
    {"CVS", {"CVS_RSH"}},
    {"programs that start an editor", {"EDITOR", "VISUAL"}},
    {"programs that start a pager", {"*PAGER"}},
    {"less", {"LESS*"}},
    {"programs that start a browser", {"BROWSER"}},
    {"OpenSSL", {"OPENSSL_*"}},
    {"TLS libraries", {"SSL_CERT_*", "SSLKEYLOGFILE"}},
    {"GTK", {"GTK*_MODULES"}},
    {"GLib", {"GIO_*"}},
    {"Qt", {"QT_*PLUGIN*"}},
    {"every program that reads its start-up files there", {"HOME", "XDG_*_HOME", "XDG_*_DIRS"}},
};

PRINTF_LIKE(2, 3)
static enum error deny(const struct inspection *inspection, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(inspection->why, inspection->why_size, format, arguments);
    va_end(arguments);
    return ERROR_DENIED;
}

/* A portable name (POSIX.1 section 8.1): anything else is smuggling, like exported functions. */
static bool environment_name_valid(const char *name)
{
    static const char characters[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

    return *name != '\0' && strchr("0123456789", *name) == NULL &&
           name[strspn(name, characters)] == '\0';
}

/* What a variable steers, or NULL. */
static const char *steered_by(const char *name)
{
    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        for (const char *const *pattern = hooks[i].patterns; *pattern != NULL; pattern++) {
            if (fnmatch(*pattern, name, FNM_CASEFOLD) == 0)
                return hooks[i].what;
        }
    }
    return NULL;
}

static enum error check_environment(const struct inspection *inspection,
                                    const struct params_command *command)
{
    for (const char *const *name = command->env_names; *name != NULL; name++) {
        const char *steered = steered_by(*name);

        if (!environment_name_valid(*name))
            return deny(inspection,
                        "The environment of the command \"%.128s\" names \"%.48s\", which is not a "
                        "variable's name.",
                        command->command, *name);
        if (steered != NULL)
            return deny(inspection,
                        "The environment of the command \"%.128s\" sets %.48s, which steers %s; "
                        "take it out of the record.",
                        command->command, *name, steered);
    }
    return OK;
}

/* The first argument (1-based) that no pattern of the rule matches; 0: all are permitted. */
static size_t refused_argument(const struct executable_rule *rule,
                               const struct params_command *command)
{
    for (size_t i = 0; rule->args_set && command->args[i] != NULL; i++) {
        bool matched = false;

        for (size_t j = 0; j < rule->args_count && !matched; j++)
            matched = config_pattern_matches(rule->args[j], command->args[i]);
        if (!matched)
            return i + 1;
    }
    return 0;
}

static enum error check_rule(const struct inspection *inspection,
                             const struct executable_rule *rule,
                             const struct params_command *command)
{
    size_t argument = refused_argument(rule, command);
    struct exec_facts facts = {.exists = false};

    if (argument > 0)
        return deny(inspection,
                    "Argument %zu of the command \"%.128s\" matches no pattern in \"args\" of the "
                    "executable \"%.128s\".",
                    argument, command->command, rule->path);
    if (rule->sha256 == NULL) /* hashing comes last, it is slow */
        return OK;
    if (inspection->facts(inspection->context, command->command, true, &facts) != OK ||
        !facts.exists)
        return deny(inspection, "The command \"%.128s\" cannot be read to compare its digest.",
                    command->command);
    if (strcmp(facts.sha256, rule->sha256) != 0)
        return deny(inspection,
                    "The file of the command \"%.128s\" has another digest than the one that "
                    "\"executables\" pins; if it was updated on purpose, update the digest.",
                    command->command);
    return OK;
}

/* Of a file that cannot be looked at, that it does not exist. */
static const struct exec_facts *facts_of_rule(const struct inspection *inspection, size_t index)
{
    struct known_rule *rule = &inspection->rules[index];

    if (!rule->looked &&
        inspection->facts(inspection->context, inspection->config->executables[index].path, false,
                          &rule->facts) != OK)
        rule->facts = (struct exec_facts){.exists = false};
    rule->looked = true;
    return &rule->facts;
}

/* Several rules may name the same file: any one that permits the command is enough. */
static enum error check_rules(const struct inspection *inspection, const struct exec_facts *facts,
                              const struct params_command *command)
{
    const struct config *config = inspection->config;
    enum error verdict = deny(
        inspection, "The command \"%.128s\" is not one of \"executables\"; add its path there.",
        command->command);

    for (size_t i = 0; i < config->executable_count && verdict != OK; i++) {
        const struct executable_rule *rule = &config->executables[i];
        const struct exec_facts *permitted = facts_of_rule(inspection, i);

        if (!permitted->exists || strcmp(permitted->resolved, facts->resolved) != 0)
            continue;
        verdict = check_rule(inspection, rule, command);
    }
    if (verdict == OK && inspection->why_size > 0)
        inspection->why[0] = '\0';
    return verdict;
}

static enum error check_command(void *context, const struct params_command *command)
{
    struct inspection *inspection = context;
    struct exec_facts facts = {.exists = false};
    enum error error;

    if (++inspection->commands > EXEC_COMMANDS_MAX)
        return deny(inspection, "The record names more than %d commands.", EXEC_COMMANDS_MAX);
    if (command->fault != NULL)
        return deny(inspection, "The command at \"%.64s\" of the record is refused: %.160s",
                    command->path, command->fault);
    if (command->command[0] != '/')
        return deny(inspection,
                    "The command \"%.128s\" must be an absolute path: a bare name could be any "
                    "program.",
                    command->command);
    error = check_environment(inspection, command);
    if (error != OK)
        return error;
    if (inspection->facts(inspection->context, command->command, false, &facts) != OK ||
        !facts.exists)
        return deny(inspection, "The command \"%.128s\" is not a file that can be run.",
                    command->command);
    if (facts.writable_by_others)
        return deny(
            inspection,
            "The command \"%.128s\" can be changed by other users: its file, or a directory "
            "or link that leads to it, is theirs or writable by them.",
            command->command);
    return check_rules(inspection, &facts, command);
}

enum error exec_policy_check(const struct config *config, const struct params *params,
                             exec_facts_source facts, void *context, char *why, size_t why_size)
{
    struct inspection inspection = {
        .config = config, .facts = facts, .context = context, .why = why, .why_size = why_size};
    enum error error;

    if (why_size > 0)
        why[0] = '\0';
    inspection.rules = calloc(config->executable_count + 1, sizeof(*inspection.rules));
    error = inspection.rules != NULL ? params_each_command(params, check_command, &inspection)
                                     : ERROR_MEMORY;
    free(inspection.rules);
    if (error == OK || error == ERROR_DENIED)
        return error;
    return deny(&inspection, "The record's commands could not be checked: %s.", error_text(error));
}
