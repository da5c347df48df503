#include "setup/service.h"

#include "setup/fences.h"
#include "setup/hidden.h"
#include "setup/writable.h"
#include "system/trusted_file.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The environment ---- */

static enum error set(struct environment *environment, const char *name, const char *value)
{
    char *item;
    enum error error;

    if (asprintf(&item, "%s=%s", name, value) < 0)
        return ERROR_MEMORY;
    error = environment_set(environment, item);
    explicit_bzero(item, strlen(item));
    free(item);
    return error;
}

/* "NAME=value", the value as it stands, or without the quotes around it. */
static enum error set_line(struct environment *environment, struct span line)
{
    struct span value = line, name = span_trim(span_split(&value, '='));
    char *text, *variable;
    enum error error = ERROR_MEMORY;

    if (value.data == NULL || name.length == 0 || memchr(name.data, ' ', name.length) != NULL ||
        memchr(line.data, '\0', line.length) != NULL)
        return ERROR_SYNTAX;
    value = span_trim(value);
    if (value.length >= 2 && (value.data[0] == '"' || value.data[0] == '\'') &&
        value.data[value.length - 1] == value.data[0])
        value = (struct span){value.data + 1, value.length - 2};
    text = text_copy(value);
    variable = text_copy(name);
    if (text != NULL && variable != NULL)
        error = set(environment, variable, text);
    if (text != NULL)
        explicit_bzero(text, value.length);
    free(text);
    free(variable);
    return error;
}

static enum error set_lines(struct environment *environment, struct span rest, size_t *number)
{
    enum error error = OK;

    for (*number = 1; error == OK && rest.data != NULL; ++*number) {
        struct span line = span_trim(span_split(&rest, '\n'));

        if (line.length > 0 && line.data[line.length - 1] == '\r')
            line.length--;
        if (line.length > 0 && line.data[0] != '#')
            error = set_line(environment, line);
    }
    --*number;
    return error;
}

static enum error read_file(const char *path, size_t index, struct environment *environment,
                            struct service_fault *fault)
{
    struct buffer text;
    char member[48];
    size_t line = 0;
    enum error error;

    snprintf(member, sizeof(member), "env_files/%zu", index);
    buffer_init(&text, SERVICE_FILE_BYTES_MAX);
    error = trusted_file_read(path, TRUSTED_FILE_KEY, TRUST_OWN, &text, fault->text);
    if (error != OK) {
        snprintf(fault->member, sizeof(fault->member), "%s", member);
        error = error == ERROR_MEMORY ? error : ERROR_INVALID;
    } else {
        error = set_lines(environment, (struct span){text.data, text.length}, &line);
    }
    if (error == ERROR_SYNTAX)
        error =
            program_fault(fault, member, "%.200s, line %zu: this is not NAME=value.", path, line);
    buffer_wipe(&text);
    return error;
}

static enum error set_variables(struct environment *environment, const struct surface_command *from)
{
    enum error error = OK;

    for (size_t i = 0; error == OK && i < from->variable_count; i++)
        error = set(environment, from->variables[i].name, from->variables[i].value);
    return error;
}

/* Ours, whose user it is, the files', then what the command says. */
static enum error find_environment(const struct text_list *files,
                                   const struct surface_command *from, char *const *ours,
                                   const struct passwd *user, struct service *out,
                                   struct service_fault *fault)
{
    struct environment *environment = &out->environment;
    enum error error = environment_begin(environment, ours);

    if (error == OK && user != NULL) {
        error = set(environment, "HOME", user->pw_dir);
        error = error == OK ? set(environment, "USER", user->pw_name) : error;
        error = error == OK ? set(environment, "LOGNAME", user->pw_name) : error;
        error = error == OK ? set(environment, "SHELL", user->pw_shell) : error;
    }
    for (size_t i = 0; error == OK && i < files->count; i++)
        error = read_file(files->items[i], i, environment, fault);
    return error == OK ? set_variables(environment, from) : error;
}

/* ---- The user ---- */

/* NULL without a fault: nobody else than we are. */
static enum error find_user(const char *name, struct command *command, const struct passwd **found,
                            struct service_fault *fault)
{
    uint64_t uid;
    const struct passwd *user;
    gid_t groups[COMMAND_GROUPS_MAX];
    int count = COMMAND_GROUPS_MAX;

    *found = NULL;
    command->uid = geteuid();
    command->gid = getegid();
    if (name == NULL)
        return OK;
    user = text_number(span_of(name), 10, &uid) ? getpwuid((uid_t)uid) : getpwnam(name);
    if (user == NULL)
        return program_fault(fault, "user", "This host knows no user \"%.32s\".", name);
    if (user->pw_uid == geteuid())
        return OK;
    if (geteuid() != 0)
        return program_fault(
            fault, "user",
            "Only root can start a service as another user: run Sidelock as root, or as "
            "\"%.32s\" itself.",
            name);
    if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
        return program_fault(fault, "user", "\"%.32s\" is in more than %u groups.", name,
                             COMMAND_GROUPS_MAX);
    command->switch_user = true;
    command->uid = user->pw_uid;
    command->gid = user->pw_gid;
    command->group_count = (uint32_t)count;
    for (int i = 0; i < count; i++)
        command->groups[i] = groups[i];
    *found = user;
    return OK;
}

/* ---- The program ---- */

static enum error find_program(const struct surface_command *from, struct service *out,
                               struct service_fault *fault)
{
    const char *name = from->arguments[0];
    char *const path = out->program;
    enum error error;

    if (name[0] == '/')
        snprintf(path, PATH_MAX, "%s", name);
    else if (!program_look(name, &out->environment, path))
        return program_fault(
            fault, "command/0",
            "There is no program \"%.64s\" in the service's PATH; name it by its path, or "
            "set PATH in \"env\".",
            name);
    out->programs.looked_up = name[0] != '/';
    error = program_judge(path, "command/0", fault);
    if (error != OK)
        return error;
    error = text_list_add(&out->arguments, path, strlen(path));
    for (size_t i = 1; error == OK && i < from->argument_count; i++)
        error = text_list_add(&out->arguments, from->arguments[i], strlen(from->arguments[i]));
    return error;
}

static enum error find_directory(const struct surface_command *from, struct service *out,
                                 struct service_fault *fault)
{
    struct stat facts;

    out->command.directory = from->directory != NULL ? from->directory : "/";
    if (stat(out->command.directory, &facts) < 0)
        return program_fault(fault, "cwd", "%.200s: %s.", out->command.directory, strerror(errno));
    return S_ISDIR(facts.st_mode)
               ? OK
               : program_fault(fault, "cwd", "%.200s is no directory.", out->command.directory);
}

/* Where the tree has directories for what is temporary to itself, it would not find ours. */
static void drop_temporary(char *const *ours, struct service *service)
{
    const char *value = program_variable(&service->environment, "TMPDIR");

    for (; value != NULL && *ours != NULL; ours++) {
        if (strncmp(*ours, "TMPDIR=", strlen("TMPDIR=")) == 0 &&
            strcmp(*ours + strlen("TMPDIR="), value) == 0 &&
            writable_replaces(&service->command, value) != NULL) {
            environment_unset(&service->environment, "TMPDIR");
            return;
        }
    }
}

/* As the configuration has checked it. */
static void find_reach(const struct surface_connect *from, struct reach *out)
{
    *out = (struct reach){.ports_limited = from->ports_limited, .no_datagrams = from->no_datagrams};
    for (size_t i = 0; i < from->port_count && i < REACH_PORTS_MAX; i++)
        out->ports[out->port_count++] = (uint16_t)from->ports[i];
    for (size_t i = 0; i < from->refused.count && i < REACH_NETWORKS_MAX; i++) {
        if (subnet_read(from->refused.items[i], &out->networks[out->network_count]))
            out->network_count++;
    }
}

/* Lists that end with NULL. */
static enum error end_lists(struct service *service)
{
    struct text_list *lists[] = {&service->arguments, &service->hidden,
                                 &service->programs.executables, &service->programs.libraries,
                                 &service->writable};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        char **items = reallocarray(lists[i]->items, lists[i]->count + 1, sizeof(*items));

        if (items == NULL)
            return ERROR_MEMORY;
        items[lists[i]->count] = NULL;
        lists[i]->items = items;
    }
    service->command.arguments = service->arguments.items;
    service->command.hidden = service->hidden.items;
    service->command.executables = service->programs.executables.items;
    service->command.libraries = service->programs.libraries.items;
    service->command.writable = service->writable.items;
    service->command.environment = service->environment.items;
    return OK;
}

/* What another service executes, as far as it can be found now. */
static enum error find_other(const struct surface_command *from, char *const *ours,
                             struct service *other)
{
    const bool recorded = from->argument_count == 0; /* its sessions' records name the rest */
    struct service_fault none;
    const struct passwd *user = NULL;
    enum error error = find_user(from->user, &other->command, &user, &none);

    if (error == OK)
        error = find_environment(&from->environment_files, from, ours, user, other, &none);
    if (error == OK && !recorded)
        error = find_program(from, other, &none);
    if (error == OK)
        error = programs_find(from, recorded ? NULL : other->program, &other->environment,
                              &other->programs, &none);
    return error;
}

/*
 * What another surface's service executes must not be this one's to replace. Whatever is wrong with
 * the other is said of that; it may be there again at its next start, and is looked for where the
 * configuration and PATH say.
 */
static enum error check_other(const struct surface *surface, char *const *ours,
                              const struct service *writer, struct service_fault *fault)
{
    const struct surface_command *from = &surface->command;
    struct service other = {.command = {.directory = NULL}};
    enum error error = find_other(from, ours, &other);

    if (error == ERROR_INVALID)
        error = other.environment.count > 0 ? OK : environment_begin(&other.environment, ours);
    if (error == OK)
        error = set_variables(&other.environment, from);
    if (error == OK)
        error = programs_name(from, &other.programs);
    if (error == OK)
        error = writable_check_other(&writer->command, &other.programs, &other.environment,
                                     surface->name, fault);
    service_clear(&other);
    return error;
}

static enum error check_others(const struct config_bundle *bundle, const struct surface *own,
                               char *const *ours, const struct service *writer,
                               struct service_fault *fault)
{
    const struct config *config = bundle->config;
    enum error error = OK;

    for (size_t i = 0; error == OK && writer->writable.count > 0 && i < config->surface_count;
         i++) {
        const struct surface *surface = &config->surfaces[i];

        if (surface != own && surface_is_launched(surface))
            error = check_other(surface, ours, writer, fault);
    }
    return error;
}

/* Of what was begun; *out is whole, or cleared with a fault. */
static enum error finish(enum error error, struct service *out, struct service_fault *fault)
{
    if (error == OK)
        return OK;
    if (error != ERROR_INVALID)
        error = program_fault(fault, "command", "This cannot be prepared: %s.", error_text(error));
    service_clear(out);
    return error;
}

enum error service_find(const struct config_bundle *bundle, const struct surface *surface,
                        char *const *ours, struct service *out, struct service_fault *fault)
{
    enum error error = service_find_other(bundle, surface, &surface->command, ours, out, fault);

    return error == OK ? finish(check_others(bundle, surface, ours, out, fault), out, fault)
                       : error;
}

enum error service_check_records(const struct config_bundle *bundle, const struct surface *surface,
                                 char *const *ours, struct service_fault *fault)
{
    const struct surface_command *from = &surface->command;
    const struct passwd *user;
    struct service service = {.command = {.limit_writes = from->write_limited}};
    enum error error = find_user(from->user, &service.command, &user, fault);

    if (error == OK)
        error = find_environment(&from->environment_files, from, ours, user, &service, fault);
    if (error == OK && !from->execute_anything)
        error = programs_find(from, NULL, &service.environment, &service.programs, fault);
    if (error == OK)
        error = writable_find(from, &service.writable, fault);
    if (error == OK)
        error = end_lists(&service);
    if (error == OK)
        error = writable_check(
            bundle,
            &(struct writer){from, &service.command, &service.programs, &service.environment},
            fault);
    if (error == OK)
        error = check_others(bundle, surface, ours, &service, fault);
    error = finish(error, &service, fault);
    service_clear(&service);
    return error;
}

enum error service_find_other(const struct config_bundle *bundle, const struct surface *surface,
                              const struct surface_command *from, char *const *ours,
                              struct service *out, struct service_fault *fault)
{
    const struct passwd *user;
    enum error error;

    *out = (struct service){.command = {.limit_writes = surface->command.write_limited,
                                        .memory_mib = surface->command.use.memory_mib,
                                        .processes = surface->command.use.processes}};
    if (from->argument_count == 0) { /* the sessions' records name one */
        *fault = (struct service_fault){"command", "There is no command."};
        return ERROR_INVALID;
    }
    out->command.required = fences_required(&surface->command);
    find_reach(&surface->command.connect, &out->command.reach);
    error = find_user(surface->command.user, &out->command, &user, fault);
    if (error == OK)
        error = find_environment(&surface->command.environment_files, from, ours, user, out, fault);
    if (error == OK)
        error = find_program(from, out, fault);
    if (error == OK)
        error = find_directory(from, out, fault);
    if (error == OK)
        error = hidden_list(bundle, out->command.uid, ours, &out->hidden);
    if (error == OK && !surface->command.execute_anything)
        error = programs_find(&surface->command, out->arguments.items[0], &out->environment,
                              &out->programs, fault);
    if (error == OK)
        error = writable_find(&surface->command, &out->writable, fault);
    if (error == OK)
        error = end_lists(out);
    if (error == OK)
        error = writable_check(
            bundle,
            &(struct writer){&surface->command, &out->command, &out->programs, &out->environment},
            fault);
    if (error == OK)
        drop_temporary(ours, out);
    return finish(error, out, fault);
}

void service_clear(struct service *service)
{
    environment_clear(&service->environment);
    text_list_clear(&service->arguments);
    text_list_clear(&service->hidden);
    text_list_clear(&service->writable);
    programs_clear(&service->programs);
    service->command = (struct command){.directory = NULL};
}
