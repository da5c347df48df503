#include "launch/keeper/programs_below.h"

#include "base/text.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64 /* directories that are open at once */

struct walk {
    programs_found *found;
    void *context;
    unsigned depth;
    char path[PATH_MAX];
};

static enum error look(struct walk *walk, int directory, size_t length, bool *libraries);

/* "libc.so.6", "libc.so", "addon.node" */
static bool is_library(const char *name)
{
    const char *so = strstr(name, ".so");
    size_t length = strlen(name);

    return (so != NULL && (so[3] == '\0' || so[3] == '.')) ||
           (length > 5 && strcmp(name + length - 5, ".node") == 0);
}

static bool is_program(int directory, const char *name)
{
    struct stat facts;
    char magic[SELFMAG];
    bool program;
    int fd;

    if (fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(facts.st_mode) ||
        (facts.st_mode & 0111) == 0)
        return false;
    fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false; /* nor can anybody load it who may no more than we */
    program = read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
              memcmp(magic, ELFMAG, SELFMAG) == 0;
    close(fd);
    return program;
}

static unsigned char kind_of(int directory, const struct dirent *entry)
{
    struct stat facts;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type;
    if (fstatat(directory, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) < 0)
        return DT_UNKNOWN;
    return (unsigned char)IFTODT(facts.st_mode);
}

static enum error tell(const struct walk *walk)
{
    return walk->found(walk->context, walk->path);
}

/* The walk's path is the directory's, and `length` long, before and after. */
static enum error append(struct walk *walk, size_t length, const char *name)
{
    int added = snprintf(walk->path + length, sizeof(walk->path) - length, "/%s", name);

    return added < (int)(sizeof(walk->path) - length) ? OK : ERROR_LIMIT;
}

static enum error look_below(struct walk *walk, int directory, size_t length, const char *name,
                             bool *libraries)
{
    int below = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    enum error error;

    if (below < 0)
        return errno == EACCES || errno == ENOENT ? OK : ERROR_IO;
    error = walk->depth < DEPTH_MAX ? append(walk, length, name) : ERROR_LIMIT;
    if (error != OK) {
        close(below);
        return error;
    }
    walk->depth++;
    error = look(walk, below, strlen(walk->path), libraries);
    walk->depth--;
    walk->path[length] = '\0';
    return error;
}

static enum error tell_all(struct walk *walk, size_t length, const struct text_list *programs,
                           bool libraries)
{
    enum error error = OK;

    if (programs->count > 0 && !libraries)
        return tell(walk);
    for (size_t i = 0; error == OK && i < programs->count; i++) {
        error = append(walk, length, programs->items[i]);
        if (error == OK)
            error = tell(walk);
        walk->path[length] = '\0';
    }
    return error;
}

/* Closes the directory. *libraries becomes true if there are some in it or below. */
static enum error look(struct walk *walk, int directory, size_t length, bool *libraries)
{
    DIR *stream = fdopendir(directory);
    struct text_list programs = {0};
    const struct dirent *entry;
    bool here = false;
    enum error error = OK;

    if (stream == NULL) {
        close(directory);
        return ERROR_IO;
    }
    while (error == OK && (entry = readdir(stream)) != NULL) {
        const char *name = entry->d_name;
        unsigned char kind = kind_of(directory, entry);

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (kind == DT_DIR)
            error = look_below(walk, directory, length, name, &here);
        else if (kind == DT_REG && is_library(name))
            here = true;
        else if (kind == DT_REG && is_program(directory, name))
            error = text_list_add(&programs, name, strlen(name));
    }
    closedir(stream);
    if (error == OK)
        error = tell_all(walk, length, &programs, here);
    text_list_clear(&programs);
    *libraries |= here;
    return error;
}

enum error programs_below(const char *directory, programs_found *found, void *context)
{
    struct walk walk = {.found = found, .context = context};
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool libraries = true; /* it is for them */

    if (fd < 0)
        return errno == EACCES ? OK : ERROR_IO;
    snprintf(walk.path, sizeof(walk.path), "%s", directory);
    return look(&walk, fd, strlen(walk.path), &libraries);
}
