#include "setup/writable.h"

#include "setup/program.h"
#include "system/mounts.h"
#include "system/trusted_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    enum error error = OK;

    if (command->directory != NULL)
        error = check_there(command, "cwd", command->directory, fault);
    if (error == OK && command->arguments[0] != NULL)
        error = check_there(command, "command/0", command->arguments[0], fault);
    for (char **file = command->executables; error == OK && *file != NULL; file++)
        error = check_there(command, programs, *file, fault);
    for (char **path = command->libraries; error == OK && *path != NULL; path++)
        error = check_there(command, libraries, *path, fault);
    return error;
}

/* ---- What must not be replaced ---- */

#define WHAT_BYTES 128

/* What one entry of "write" shows of a file system: where it is itself, and by each mount below. */
struct shown {
    const char *path; /* there */
    unsigned major, minor;
    size_t entry;
};

struct guard {
    char *const *entries;
    size_t count;
    struct stat *there;        /* of each: a file may have two names (link(2)) */
    struct mounts_place *from; /* of each */
    struct mounts mounts;
    struct shown *shown;
    size_t shown_count;
    size_t found; /* the entry that covers what was followed; `count`: none does */
    struct service_fault *fault;
};

static void note(void *seer, const char *place, const struct stat *facts)
{
    struct guard *guard = seer;
    struct mounts_place at;

    for (size_t i = 0; i < guard->count && guard->found == guard->count; i++) {
        const struct stat *there = &guard->there[i];

        if (mounts_is_within(place, guard->entries[i]) ||
            (facts != NULL && there->st_ino != 0 && facts->st_dev == there->st_dev &&
             facts->st_ino == there->st_ino))
            guard->found = i;
    }
    if (guard->found < guard->count || !mounts_find(&guard->mounts, place, &at))
        return;
    for (size_t i = 0; i < guard->shown_count && guard->found == guard->count; i++) {
        const struct shown *shown = &guard->shown[i];

        if (shown->major == at.major && shown->minor == at.minor &&
            mounts_is_within(at.path, shown->path))
            guard->found = shown->entry;
    }
}

/* Where an entry covers what is at the path, or a link or directory on the way. */
static enum error spare(struct guard *guard, const char *path, const char *what)
{
    char member[32];

    guard->found = guard->count;
    if (path != NULL)
        trusted_path_follow(path, note, guard);
    if (guard->found == guard->count)
        return OK;
    snprintf(member, sizeof(member), "write/%zu", guard->found);
    return program_fault(guard->fault, member,
                         "Who may write %.200s can replace %.200s, %s: name what lies beside it.",
                         guard->entries[guard->found], path, what);
}

static enum error spare_all(struct guard *guard, char *const *paths, size_t count, const char *what)
{
    enum error error = OK;

    for (size_t i = 0; error == OK && i < count; i++)
        error = spare(guard, paths[i], what);
    return error;
}

/* Where PATH leads before, to a name that was found there later. */
static enum error spare_search(struct guard *guard, const struct environment *environment,
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
            error = spare(guard, directory, what);
        free(directory);
    }
    return error;
}

/* What is executed at the next start is what is found there then. `whose`: "this service". */
static enum error spare_code(struct guard *guard, const struct programs *programs,
                             const struct environment *environment, const char *whose)
{
    char executed[WHAT_BYTES];
    enum error error;

    snprintf(executed, sizeof(executed), "which %s may execute or have code from", whose);
    error = spare_all(guard, programs->ways.items, programs->ways.count, executed);
    if (error == OK)
        error = spare_all(guard, programs->libraries.items, programs->libraries.count, executed);
    for (size_t i = 0; error == OK && i < COMMAND_LIBRARIES; i++)
        error = spare(guard, command_libraries[i], executed);
    if (error == OK && programs->looked_up)
        error = spare_search(guard, environment, whose);
    return error;
}

static enum error spare_surface(struct guard *guard, const struct surface *surface)
{
    const struct text_list *files = &surface->command.environment_files;
    const struct surface_tls *tls = surface->tls;
    char *own[] = {tls != NULL ? tls->certificate : NULL, tls != NULL ? tls->key : NULL,
                   tls != NULL ? tls->client_ca : NULL};
    enum error error = spare_all(guard, own, sizeof(own) / sizeof(own[0]), "which the gate reads");

    return error == OK ? spare_all(guard, files->items, files->count, "which the gate reads")
                       : error;
}

static enum error spare_gate(struct guard *guard, const struct config_bundle *bundle)
{
    const struct config *config = bundle->config;
    char program[] = "/proc/self/exe";
    char *own[] = {config->state_dir, config->control_socket, bundle->path, program};
    enum error error = spare_all(guard, own, sizeof(own) / sizeof(own[0]), "which is the gate's");

    if (error == OK)
        error = spare_all(guard, bundle->pack_files.items, bundle->pack_files.count,
                          "which the gate reads");
    for (size_t i = 0; error == OK && i < config->surface_count; i++)
        error = spare_surface(guard, &config->surfaces[i]);
    return error;
}

/* An entry, and the mounts below it. */
static enum error show(struct guard *guard, size_t entry, size_t *room)
{
    const char *path = guard->entries[entry];
    struct mounts_place *from = &guard->from[entry];

    if (stat(path, &guard->there[entry]) < 0)
        guard->there[entry].st_ino = 0;
    if (mounts_find(&guard->mounts, path, from))
        guard->shown[guard->shown_count++] =
            (struct shown){from->path, from->major, from->minor, entry};
    for (size_t i = 0; i < guard->mounts.count; i++) {
        const struct mount *mount = &guard->mounts.rows[i];

        if (!mounts_is_within(mount->point, path))
            continue;
        if (guard->shown_count + guard->count >= *room) {
            struct shown *more = reallocarray(guard->shown, 2 * *room, sizeof(*more));

            if (more == NULL)
                return ERROR_MEMORY;
            guard->shown = more;
            *room *= 2;
        }
        guard->shown[guard->shown_count++] =
            (struct shown){mount->root, mount->major, mount->minor, entry};
    }
    return OK;
}

static void guard_end(struct guard *guard)
{
    mounts_clear(&guard->mounts);
    free(guard->there);
    free(guard->from);
    free(guard->shown);
}

/* A service of another user has nothing to be looked at. The caller ends it in any case. */
static enum error guard_begin(const struct command *command, struct service_fault *fault,
                              struct guard *out)
{
    size_t room;
    enum error error;

    *out = (struct guard){.entries = command->writable, .fault = fault};
    while (!command->switch_user && command->writable[out->count] != NULL)
        out->count++;
    if (out->count == 0)
        return OK;
    room = 2 * out->count + 1;
    out->there = calloc(out->count, sizeof(*out->there));
    out->from = calloc(out->count, sizeof(*out->from));
    out->shown = calloc(room, sizeof(*out->shown));
    error = out->there != NULL && out->from != NULL && out->shown != NULL
                ? mounts_read(MOUNTS_OWN, &out->mounts)
                : ERROR_MEMORY;
    for (size_t i = 0; error == OK && i < out->count; i++)
        error = show(out, i, &room);
    return error;
}

enum error writable_check(const struct config_bundle *bundle, const struct writer *writer,
                          struct service_fault *fault)
{
    struct guard guard = {.entries = NULL};
    enum error error = check_all_there(writer, fault);

    if (error == OK)
        error = guard_begin(writer->command, fault, &guard);
    if (error == OK && guard.count > 0 && !writer->from->execute_anything)
        error = spare_code(&guard, writer->programs, writer->environment, "this service");
    if (error == OK && guard.count > 0)
        error = spare_gate(&guard, bundle);
    guard_end(&guard);
    return error;
}

enum error writable_check_other(const struct command *command, const struct programs *programs,
                                const struct environment *environment, const char *name,
                                struct service_fault *fault)
{
    char whose[WHAT_BYTES / 2];
    struct guard guard;
    enum error error = guard_begin(command, fault, &guard);

    snprintf(whose, sizeof(whose), "the service of \"%.40s\"", name);
    if (error == OK && guard.count > 0)
        error = spare_code(&guard, programs, environment, whose);
    guard_end(&guard);
    return error;
}
