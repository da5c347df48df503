#include "setup/writable.h"

#include "setup/program.h"
#include "system/mount_points.h"
#include "system/trusted_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum error writable_find(const struct surface_command *from, struct text_list *out,
                         struct service_fault *fault)
{
    enum error error = OK;

    for (size_t i = 0; error == OK && i < from->writable.count; i++) {
        const char *path = from->writable.items[i];
        char *real = realpath(path, NULL), member[32];

        snprintf(member, sizeof(member), "write/%zu", i);
        if (real == NULL)
            error =
                program_fault(fault, member, "%.200s: %s; make it first.", path, strerror(errno));
        else if (strcmp(real, path) != 0)
            error =
                program_fault(fault, member, "%.200s leads by a link: name %.200s.", path, real);
        else
            error = text_list_add(out, path, strlen(path));
        free(real);
    }
    return error;
}

/* ---- What has an empty directory in its place ---- */

const char *writable_replaces(const struct command *command, const char *path)
{
    for (const char *const *own = command_private; *own != NULL; own++) {
        const size_t length = strlen(*own);

        if (command_has_own(command, *own) && strncmp(path, *own, length) == 0 &&
            path[length] == '/')
            return *own;
    }
    return NULL;
}

static enum error check_there(const struct command *command, const char *member, const char *path,
                              struct service_fault *fault)
{
    const char *own = writable_replaces(command, path);

    if (own == NULL)
        return OK;
    return program_fault(fault, member,
                         "%.200s is in %s, in whose place a service has an empty directory of its "
                         "own unless its \"write\" names something there: move it, or name it in "
                         "\"write\".",
                         path, own);
}

static enum error check_all_there(const struct writer *writer, struct service_fault *fault)
{
    const struct surface_command *from = writer->from;
    const struct command *command = writer->command;
    const char *programs = from->executables.count > 0 ? "executables" : "command/0";
    const char *libraries = from->libraries.count > 0 ? "libraries" : programs;
    enum error error = check_there(command, "cwd", command->directory, fault);

    if (error == OK)
        error = check_there(command, "command/0", command->arguments[0], fault);
    for (char **file = command->executables; error == OK && *file != NULL; file++)
        error = check_there(command, programs, *file, fault);
    for (char **path = command->libraries; error == OK && *path != NULL; path++)
        error = check_there(command, libraries, *path, fault);
    return error;
}

/* ---- What must not be replaced ---- */

#define WHAT_BYTES 128

/* One entry of "write". */
struct entry {
    const char *path;
    char member[32];
    struct text_list mounts; /* below; each may show what lies elsewhere, too */
    struct service_fault *fault;
};

static bool covers(const struct entry *entry, const char *path)
{
    bool covered = trusted_path_leads(path, entry->path);

    for (size_t i = 0; !covered && i < entry->mounts.count; i++)
        covered = trusted_path_leads(path, entry->mounts.items[i]);
    return covered;
}

/* Where it covers what is at the path, or a link or directory on the way. */
static enum error spare(const struct entry *entry, const char *path, const char *what)
{
    if (path == NULL || !covers(entry, path))
        return OK;
    return program_fault(entry->fault, entry->member,
                         "Who may write %.200s can replace %.200s, %s: name what lies beside it.",
                         entry->path, path, what);
}

static enum error spare_all(const struct entry *entry, char *const *paths, size_t count,
                            const char *what)
{
    enum error error = OK;

    for (size_t i = 0; error == OK && i < count; i++)
        error = spare(entry, paths[i], what);
    return error;
}

/* Where PATH leads before, to a name that was found there later. */
static enum error spare_search(const struct entry *entry, const struct environment *environment,
                               const char *whose)
{
    const char *path = program_variable(environment, "PATH");
    struct span rest = span_of(path != NULL ? path : "");
    char what[WHAT_BYTES];
    enum error error = OK;

    snprintf(what, sizeof(what), "where PATH of %s has its programs", whose);
    while (error == OK && rest.data != NULL) {
        char *directory = text_copy(span_split(&rest, ':'));

        if (directory == NULL)
            error = ERROR_MEMORY;
        else if (directory[0] == '/')
            error = spare(entry, directory, what);
        free(directory);
    }
    return error;
}

/* What is executed at the next start is what is found there then. `whose`: "this service". */
static enum error spare_code(const struct entry *entry, const struct programs *programs,
                             const struct environment *environment, const char *whose)
{
    char executed[WHAT_BYTES];
    enum error error;

    snprintf(executed, sizeof(executed), "which %s may execute or have code from", whose);
    error = spare_all(entry, programs->ways.items, programs->ways.count, executed);
    if (error == OK)
        error = spare_all(entry, programs->libraries.items, programs->libraries.count, executed);
    for (size_t i = 0; error == OK && i < COMMAND_LIBRARIES; i++)
        error = spare(entry, command_libraries[i], executed);
    if (error == OK && programs->looked_up)
        error = spare_search(entry, environment, whose);
    return error;
}

static enum error spare_surface(const struct entry *entry, const struct surface *surface)
{
    const struct text_list *files = &surface->command.environment_files;
    const struct surface_tls *tls = surface->tls;
    char *own[] = {tls != NULL ? tls->certificate : NULL, tls != NULL ? tls->key : NULL,
                   tls != NULL ? tls->client_ca : NULL};
    enum error error = spare_all(entry, own, sizeof(own) / sizeof(own[0]), "which the gate reads");

    return error == OK ? spare_all(entry, files->items, files->count, "which the gate reads")
                       : error;
}

static enum error spare_gate(const struct entry *entry, const struct config_bundle *bundle)
{
    const struct config *config = bundle->config;
    char program[] = "/proc/self/exe";
    char *own[] = {config->state_dir, config->control_socket, bundle->path, program};
    enum error error = spare_all(entry, own, sizeof(own) / sizeof(own[0]), "which is the gate's");

    if (error == OK)
        error = spare_all(entry, bundle->pack_files.items, bundle->pack_files.count,
                          "which the gate reads");
    for (size_t i = 0; error == OK && i < config->surface_count; i++)
        error = spare_surface(entry, &config->surfaces[i]);
    return error;
}

static enum error open_entry(const char *path, size_t index, struct service_fault *fault,
                             struct entry *out)
{
    *out = (struct entry){.path = path, .fault = fault};
    snprintf(out->member, sizeof(out->member), "write/%zu", index);
    return mount_points_below(path, &out->mounts);
}

enum error writable_check(const struct config_bundle *bundle, const struct writer *writer,
                          struct service_fault *fault)
{
    const struct command *command = writer->command;
    enum error error = check_all_there(writer, fault);

    for (size_t i = 0; error == OK && !command->switch_user && command->writable[i] != NULL; i++) {
        struct entry entry;

        error = open_entry(command->writable[i], i, fault, &entry);
        if (error == OK && !writer->from->execute_anything)
            error = spare_code(&entry, writer->programs, writer->environment, "this service");
        if (error == OK)
            error = spare_gate(&entry, bundle);
        text_list_clear(&entry.mounts);
    }
    return error;
}

enum error writable_check_other(const struct command *command, const struct programs *programs,
                                const struct environment *environment, const char *name,
                                struct service_fault *fault)
{
    char whose[WHAT_BYTES / 2];
    enum error error = OK;

    snprintf(whose, sizeof(whose), "the service of \"%.40s\"", name);
    for (size_t i = 0; error == OK && !command->switch_user && command->writable[i] != NULL; i++) {
        struct entry entry;

        error = open_entry(command->writable[i], i, fault, &entry);
        if (error == OK)
            error = spare_code(&entry, programs, environment, whose);
        text_list_clear(&entry.mounts);
    }
    return error;
}

enum error writable_check_records(const struct config_bundle *bundle,
                                  const struct surface_command *from, struct service_fault *fault)
{
    const bool other = geteuid() == 0 && from->user != NULL;
    struct text_list writable = {.items = NULL};
    enum error error = writable_find(from, &writable, fault);

    for (size_t i = 0; error == OK && !other && i < writable.count; i++) {
        struct entry entry;

        error = open_entry(writable.items[i], i, fault, &entry);
        if (error == OK)
            error = spare_gate(&entry, bundle);
        text_list_clear(&entry.mounts);
    }
    text_list_clear(&writable);
    return error;
}
