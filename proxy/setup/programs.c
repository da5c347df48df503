#include "setup/programs.h"

#include "launch/common/command.h"
#include "system/trusted_path.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_SIZE   256 /* what the kernel reads of a program to see what it is */
#define DEPTH_MAX   5   /* interpreters of interpreters; the kernel's limit */
#define HEADERS_MAX 64  /* of an ELF program; a dozen is usual */

struct search {
    struct programs *found;
    const struct environment *environment;
    struct service_fault *fault;
    const char *member; /* which member of "upstream" it is about */
};

static enum error add_program(const struct search *search, const char *path, unsigned depth);

static enum error add_once(struct text_list *list, const char *path)
{
    struct span span = span_of(path);

    if (text_list_contains(list, span))
        return OK;
    return list->count < COMMAND_EXECUTABLES_MAX ? text_list_add(list, path, span.length)
                                                 : ERROR_LIMIT;
}

static enum error add_way(struct programs *found, const char *path)
{
    struct span span = span_of(path);

    return text_list_contains(&found->ways, span) ? OK
                                                  : text_list_add(&found->ways, path, span.length);
}

/* ---- Where code is loaded from ---- */

static bool is_directory(const char *path)
{
    struct stat facts;

    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static enum error add_directory(struct programs *found, const char *path)
{
    char *real = is_directory(path) ? realpath(path, NULL) : NULL;
    enum error error = real != NULL ? add_once(&found->libraries, real) : OK;

    free(real);
    return error;
}

/* Of PREFIX/bin/PROGRAM, as virtual environments and other installations of one's own have it. */
static enum error add_beside(struct programs *found, const char *path)
{
    static const char *const names[] = {"lib", "lib64"};
    const char *name = strrchr(path, '/');
    size_t length = (size_t)(name - path);
    enum error error = OK;

    if (length < strlen("/bin") || strncmp(name - strlen("/bin"), "/bin", strlen("/bin")) != 0)
        return OK;
    length -= strlen("/bin");
    for (size_t i = 0; error == OK && i < sizeof(names) / sizeof(names[0]); i++) {
        char directory[PATH_MAX];

        if (snprintf(directory, sizeof(directory), "%.*s/%s", (int)length, path, names[i]) <
            (int)sizeof(directory))
            error = add_directory(found, directory);
    }
    return error;
}

static enum error add_libraries(const struct surface_command *from, const struct search *search)
{
    enum error error = OK;

    for (size_t i = 0; error == OK && i < from->libraries.count; i++) {
        const char *path = from->libraries.items[i];
        struct trusted_path place;
        bool changeable = false, there;
        char member[48];

        snprintf(member, sizeof(member), "libraries/%zu", i);
        there = trusted_path_survey(path, &place, &changeable);
        if (there)
            trusted_path_close(&place);
        if (!there || !is_directory(path))
            return program_fault(search->fault, member, "%.200s is no directory.", path);
        if (changeable)
            return program_fault(search->fault, member,
                                 "Others than root and the user who runs Sidelock can change "
                                 "%.200s, or the way to it.",
                                 path);
        error = add_directory(search->found, path);
        if (error == OK)
            error = add_way(search->found, path);
    }
    return error;
}

/* ---- What a program needs ---- */

/* `env [-S] [NAME=VALUE…] PROGRAM …`, which looks in PATH for what it starts. */
static enum error add_of_env(const struct search *search, struct span rest, unsigned depth)
{
    while (rest.length > 0) {
        struct span word = span_split(&rest, ' ');
        char name[HEAD_SIZE], path[PATH_MAX];

        if (word.length == 0 || word.data[0] == '-' || memchr(word.data, '=', word.length) != NULL)
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)word.length, word.data);
        if (name[0] == '/')
            return add_program(search, name, depth + 1);
        search->found->looked_up = true;
        if (!program_look(name, search->environment, path))
            return program_fault(search->fault, search->member,
                                 "It begins with \"#!\" and env, and there is no program \"%.64s\" "
                                 "in the service's PATH.",
                                 name);
        return add_program(search, path, depth + 1);
    }
    return OK;
}

/* "#!INTERPRETER argument" */
static enum error add_interpreter(const struct search *search, struct span line, unsigned depth)
{
    struct span rest = span_trim(line), word;
    char path[HEAD_SIZE];
    const char *name;
    enum error error;

    word = span_split(&rest, ' ');
    snprintf(path, sizeof(path), "%.*s", (int)word.length, word.data);
    if (path[0] != '/' || depth >= DEPTH_MAX)
        return program_fault(search->fault, search->member,
                             "It begins with \"#!%.64s\", which is no interpreter.", path);
    error = add_program(search, path, depth + 1);
    name = strrchr(path, '/') + 1;
    if (error == OK && strcmp(name, "env") == 0)
        error = add_of_env(search, rest, depth);
    return error;
}

/* The program's own word of which loader is to load it; "" if it needs none. */
static bool read_loader(int fd, const Elf64_Ehdr *elf, char out[PATH_MAX])
{
    Elf64_Phdr headers[HEADERS_MAX];
    size_t size = elf->e_phnum * sizeof(headers[0]);

    out[0] = '\0';
    if (elf->e_phentsize != sizeof(headers[0]) || elf->e_phnum > HEADERS_MAX ||
        pread(fd, headers, size, (off_t)elf->e_phoff) != (ssize_t)size)
        return false;
    for (size_t i = 0; i < elf->e_phnum; i++) {
        const Elf64_Phdr *header = &headers[i];

        if (header->p_type != PT_INTERP)
            continue;
        if (header->p_filesz < 2 || header->p_filesz > PATH_MAX ||
            pread(fd, out, header->p_filesz, (off_t)header->p_offset) != (ssize_t)header->p_filesz)
            return false;
        return out[header->p_filesz - 1] == '\0' && out[0] == '/';
    }
    return true;
}

static enum error add_needed(const struct search *search, const char *path, int fd, unsigned depth)
{
    char head[HEAD_SIZE], loader[PATH_MAX];
    ssize_t length = pread(fd, head, sizeof(head), 0);
    struct span rest = {head, length > 0 ? (size_t)length : 0}, line;
    Elf64_Ehdr elf;

    if (length > 2 && memcmp(head, "#!", 2) == 0) {
        line = span_split(&rest, '\n');
        return add_interpreter(search, (struct span){line.data + 2, line.length - 2}, depth);
    }
    if ((size_t)(length > 0 ? length : 0) < sizeof(elf) || memcmp(head, ELFMAG, SELFMAG) != 0 ||
        head[EI_CLASS] != ELFCLASS64)
        return program_fault(search->fault, search->member,
                             "%.200s is neither a program of this machine nor begins with \"#!\".",
                             path);
    memcpy(&elf, head, sizeof(elf));
    if (!read_loader(fd, &elf, loader))
        return program_fault(search->fault, search->member, "%.200s is a program with a fault.",
                             path);
    return loader[0] != '\0' ? add_program(search, loader, depth + 1) : OK;
}

static enum error add_program(const struct search *search, const char *path, unsigned depth)
{
    char *real = realpath(path, NULL);
    enum error error;
    int fd;

    if (real == NULL)
        return program_fault(search->fault, search->member, "%.200s: %s.", path, strerror(errno));
    error = add_way(search->found, path);
    if (error == OK)
        error = add_beside(search->found, path);
    if (error != OK || text_list_contains(&search->found->executables, span_of(real))) {
        free(real);
        return error;
    }
    error = program_judge(path, search->member, search->fault);
    if (error == OK)
        error = add_beside(search->found, real);
    if (error == OK)
        error = add_once(&search->found->executables, real);
    fd = error == OK ? open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd >= 0)
        error = add_needed(search, real, fd, depth);
    else if (error == OK)
        error = program_fault(search->fault, search->member, "%.200s: %s.", real, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(real);
    return error;
}

enum error programs_find(const struct surface_command *from, const char *program,
                         const struct environment *environment, struct programs *out,
                         struct service_fault *fault)
{
    char member[48] = "command/0";
    struct search search = {
        .found = out, .environment = environment, .fault = fault, .member = member};
    enum error error = program != NULL ? add_program(&search, program, 0) : OK;

    for (size_t i = 0; error == OK && i < from->executables.count; i++) {
        snprintf(member, sizeof(member), "executables/%zu", i);
        error = add_program(&search, from->executables.items[i], 0);
    }
    return error == OK ? add_libraries(from, &search) : error;
}

enum error programs_name(const struct surface_command *from, struct programs *out)
{
    const char *first = from->argument_count > 0 ? from->arguments[0] : "/";
    enum error error = OK;

    out->looked_up |= first[0] != '/';
    if (from->argument_count > 0 && first[0] == '/')
        error = add_way(out, first);
    for (size_t i = 0; error == OK && i < from->executables.count; i++)
        error = add_way(out, from->executables.items[i]);
    for (size_t i = 0; error == OK && i < from->libraries.count; i++)
        error = add_way(out, from->libraries.items[i]);
    return error;
}

void programs_clear(struct programs *programs)
{
    text_list_clear(&programs->executables);
    text_list_clear(&programs->libraries);
    text_list_clear(&programs->ways);
}
