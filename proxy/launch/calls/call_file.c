/* Those of file_calls.h, where somebody learns what the tree does: of the table in calls.h. */
#include "launch/calls/handlers.h"

#include "launch/calls/target.h"
#include "launch/calls/whereabouts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define WRITES (O_WRONLY | O_RDWR | O_TRUNC)

/* One name of a call, as it was read. */
struct name {
    struct whereabouts where;
    char path[PATH_MAX];
};

static enum error read_name(const struct question *question, const struct file_call *call,
                            size_t index, struct name *out)
{
    int descriptor = call->names[index].descriptor, path = call->names[index].path;

    out->where = (struct whereabouts){
        .question = question,
        .descriptor = descriptor == FILE_HERE ? AT_FDCWD : (int)question->arguments[descriptor],
        .path = path == FILE_NONE || question->arguments[path] == 0 ? NULL : out->path,
        .follow = call->kind == FILE_OPENED || call->kind == FILE_CHANGED};
    if (out->where.path == NULL)
        return OK;
    if (target_copy_text(question->thread, question->arguments[path], out->path, PATH_MAX) != OK)
        return ERROR_IO;
    if (out->path[0] == '\0' && call->kind == FILE_CHANGED) /* AT_EMPTY_PATH */
        out->where.path = NULL;
    return OK;
}

/* ---- What is told ---- */

/* In its directory something is made, removed or moved; `out` is that. */
static enum error tell_entry(struct calls *calls, const struct name *name, char out[PATH_MAX])
{
    enum error error = whereabouts_find_directory(&name->where, out);

    if (error == OK)
        recorder_tell(&calls->recorder, RECORD_ENTRY, 0, out);
    return error;
}

static bool is_known(const struct calls *calls, const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');

    snprintf(directory, sizeof(directory), "%.*s", slash > path ? (int)(slash - path) : 1, path);
    return recorder_has(&calls->recorder, RECORD_ENTRY, directory);
}

/* Files and directories alone: what else can be written to is no file that a limit holds. */
static void tell_change(struct calls *calls, const char *path, const struct stat *facts)
{
    if ((S_ISREG(facts->st_mode) || S_ISDIR(facts->st_mode)) && !is_known(calls, path))
        recorder_tell(&calls->recorder, RECORD_CHANGE, 0, path);
}

/* A new directory by its own path: what is below it was not there before. */
static void tell_made(struct calls *calls, const struct name *name)
{
    char path[PATH_MAX], whole[PATH_MAX];
    size_t length = strlen(name->path), start;

    if (tell_entry(calls, name, path) != OK)
        return;
    while (length > 1 && name->path[length - 1] == '/')
        length--;
    for (start = length; start > 0 && name->path[start - 1] != '/';)
        start--;
    if (snprintf(whole, sizeof(whole), "%s%s%.*s", path, strcmp(path, "/") == 0 ? "" : "/",
                 (int)(length - start), name->path + start) < PATH_MAX)
        recorder_tell(&calls->recorder, RECORD_DIRECTORY, 0, whole);
}

/* ---- One kind each ---- */

static uint64_t flags_of(const struct question *question, const struct file_call *call)
{
    uint64_t flags = 0;

    if (call->flags == FILE_NONE) /* creat(2) */
        return O_WRONLY | O_CREAT | O_TRUNC;
    if (question->call != SYS_openat2)
        return question->arguments[call->flags];
    if (target_copy(question->thread,
                    question->arguments[call->flags] + offsetof(struct open_how, flags), &flags,
                    sizeof(flags)) != OK)
        return 0;
    return flags;
}

static void opened(struct calls *calls, const struct file_call *call, struct name *name)
{
    uint64_t flags = flags_of(name->where.question, call);
    char path[PATH_MAX];
    struct stat facts;
    enum error error;

    if ((flags & (WRITES | O_CREAT)) == 0 || (flags & O_PATH) != 0)
        return;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        flags &= ~(uint64_t)O_CREAT; /* in a directory that is named, without a name of its own */
    name->where.follow = (flags & O_NOFOLLOW) == 0;
    error = whereabouts_find(&name->where, path, &facts);
    if (error == ERROR_NOT_FOUND && (flags & O_CREAT) != 0)
        (void)!tell_entry(calls, name, path);
    else if (error == OK && (flags & WRITES) != 0 &&
             (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
        tell_change(calls, path, &facts);
}

static void changed(struct calls *calls, const struct name *name)
{
    char path[PATH_MAX];
    struct stat facts;

    if (whereabouts_find(&name->where, path, &facts) == OK)
        tell_change(calls, path, &facts);
}

/* What is there already is not made: programs that want a directory try so all the time. */
static void made(struct calls *calls, const struct name *name)
{
    int call = name->where.question->call;
    bool directory = call == SYS_mkdirat;
    char path[PATH_MAX];
    struct stat facts;

#ifdef SYS_mkdir
    directory = directory || call == SYS_mkdir;
#endif
    if (whereabouts_find(&name->where, path, &facts) != ERROR_NOT_FOUND)
        return;
    if (directory)
        tell_made(calls, name);
    else
        (void)!tell_entry(calls, name, path);
}

/* Between two places that are written apart nothing is moved (rename(2), EXDEV). */
static void moved(struct calls *calls, const struct name names[FILE_NAMES_MAX])
{
    char from[PATH_MAX], to[PATH_MAX];
    size_t same = 0, end = 0;

    bool left = tell_entry(calls, &names[0], from) == OK;

    if (tell_entry(calls, &names[1], to) != OK || !left || strcmp(from, to) == 0)
        return;
    for (; from[same] == to[same] && from[same] != '\0'; same++) {
        if (from[same] == '/')
            end = same;
    }
    if ((from[same] == '\0' && to[same] == '/') || (from[same] == '/' && to[same] == '\0'))
        end = same;
    from[end > 0 ? end : 1] = '\0';
    recorder_tell(&calls->recorder, RECORD_SPAN, 0, from);
}

static void tell(struct calls *calls, const struct file_call *call,
                 struct name names[FILE_NAMES_MAX])
{
    char path[PATH_MAX];

    switch (call->kind) {
    case FILE_OPENED:
        opened(calls, call, &names[0]);
        break;
    case FILE_CHANGED:
        changed(calls, &names[0]);
        break;
    case FILE_MADE:
        made(calls, &names[0]);
        break;
    case FILE_REMOVED:
        (void)!tell_entry(calls, &names[0], path);
        break;
    case FILE_MOVED:
        moved(calls, names);
        break;
    }
}

void call_file(struct calls *calls, const struct question *question, const struct file_call *call)
{
    struct name names[FILE_NAMES_MAX];
    enum error error = read_name(question, call, 0, &names[0]);

    if (error == OK && call->names[1].path != FILE_NONE)
        error = read_name(question, call, 1, &names[1]);
    if (error == OK && question_lives(question))
        tell(calls, call, names);
    question_continue(question);
}
