#include "cli/certs/folder.h"

#include "cli/terminal/args.h"
#include "system/trusted_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define FILE_NAME_SIZE 128
#define OTHERS         (S_IRWXG | S_IRWXO)

int certs_folder_fail(const char *path, const char *what, enum error error)
{
    if (error != ERROR_IO)
        return args_fail(EX_SOFTWARE, "%s: %s: %s", path, what, error_text(error));
    if (errno == EACCES || errno == EPERM)
        return args_fail(EX_NOPERM, "%s: %s: not permitted; run this as the user who runs Sidelock",
                         path, what);
    return args_fail(errno == ENOENT ? EX_DATAERR : EX_OSERR, "%s: %s: %s", path, what,
                     strerror(errno));
}

static int fail(const char *path, const char *what)
{
    return certs_folder_fail(path, what, ERROR_IO);
}

/* mkdir -p, each folder for its owner alone. */
static int make_folders(const char *path)
{
    char part[CERTS_PATH_BYTES_MAX];

    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(part, S_IRWXU) < 0 && errno != EEXIST)
            return fail(part, "cannot be made");
        if (slash == NULL)
            return EX_OK;
        *slash = '/';
    }
}

/* A folder that others can change could hold any key. */
static int check_folder(const struct certs_folder *folder)
{
    struct stat facts;

    if (fstat(folder->fd, &facts) < 0)
        return fail(folder->path, "cannot be examined");
    if (facts.st_uid != geteuid())
        return args_fail(EX_NOPERM, "%s: the folder belongs to uid %u; run this as that user",
                         folder->path, (unsigned)facts.st_uid);
    if ((facts.st_mode & OTHERS) != 0)
        return args_fail(EX_DATAERR, "%s: the folder is open to others; chmod 700 it",
                         folder->path);
    if (flock(folder->fd, LOCK_EX) < 0)
        return fail(folder->path, "cannot be locked");
    return EX_OK;
}

static int open_folder(struct certs_folder *folder)
{
    struct trusted_path place;
    char why[WHY_SIZE];
    enum error error = trusted_path_find(folder->path, TRUST_OWN, &place, why);

    if (error == OK) {
        error = trusted_path_open(&place, O_RDONLY | O_DIRECTORY, &folder->fd);
        trusted_path_close(&place);
    } else if (error == ERROR_DENIED) {
        return args_fail(EX_DATAERR, "%s", why);
    }
    if (error == ERROR_NOT_FOUND)
        return args_fail(EX_DATAERR,
                         "%s: there are no certificates yet; `sidelock certs init` makes them",
                         folder->path);
    return error == OK ? EX_OK : fail(folder->path, "cannot be opened");
}

int certs_folder_open(const char *path, bool make, struct certs_folder *out)
{
    struct certs_folder folder;
    int code = EX_OK;

    if (path[0] == '\0' || strlen(path) >= sizeof(folder.path))
        return args_fail(EX_DATAERR, "the name of the folder is empty or too long");
    snprintf(folder.path, sizeof(folder.path), "%s", path);
    if (make)
        code = make_folders(path);
    if (code != EX_OK)
        return code;
    code = open_folder(&folder);
    if (code != EX_OK)
        return code;
    code = check_folder(&folder);
    if (code == EX_OK)
        *out = folder;
    else
        close(folder.fd);
    return code;
}

void certs_folder_close(struct certs_folder *folder)
{
    if (folder->fd >= 0)
        close(folder->fd);
    folder->fd = -1;
}

enum error certs_folder_read_file(const struct certs_folder *folder, const char *stem,
                                  const char *ending, struct buffer *out)
{
    char name[FILE_NAME_SIZE];
    enum error error;
    int fd;

    snprintf(name, sizeof(name), "%s%s", stem, ending);
    fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
    error = buffer_append_fd(out, fd);
    close(fd);
    return error;
}

enum error certs_folder_read(const struct certs_folder *folder, const char *stem,
                             struct authority_pair *out)
{
    enum error certificate =
        certs_folder_read_file(folder, stem, CERTS_CERTIFICATE_ENDING, &out->certificate);
    enum error key = certs_folder_read_file(folder, stem, CERTS_KEY_ENDING, &out->key);

    /* One without the other is no pair. */
    if (certificate != key && (certificate == ERROR_NOT_FOUND || key == ERROR_NOT_FOUND))
        return ERROR_INVALID;
    return certificate != OK ? certificate : key;
}

static enum error write_new(int directory, const char *name, const struct buffer *text)
{
    int fd;
    bool written;

    (void)unlinkat(directory, name, 0); /* left by a crash */
    fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                S_IRUSR | S_IWUSR);
    if (fd < 0)
        return ERROR_IO;
    written = write(fd, text->data, text->length) == (ssize_t)text->length && fsync(fd) == 0;
    close(fd);
    return written ? OK : ERROR_IO;
}

enum error certs_folder_write(const struct certs_folder *folder, const char *stem,
                              const struct authority_pair *pair)
{
    static const char *const endings[] = {CERTS_KEY_ENDING, CERTS_CERTIFICATE_ENDING};
    const struct buffer *const texts[] = {&pair->key, &pair->certificate};
    char names[2][FILE_NAME_SIZE], new_names[2][FILE_NAME_SIZE];
    enum error error = OK;
    int saved;

    for (size_t i = 0; i < 2; i++) {
        snprintf(names[i], sizeof(names[i]), "%s%s", stem, endings[i]);
        snprintf(new_names[i], sizeof(new_names[i]), "%s%s.new", stem, endings[i]);
        if (error == OK)
            error = write_new(folder->fd, new_names[i], texts[i]);
    }
    for (size_t i = 0; error == OK && i < 2; i++) {
        if (renameat(folder->fd, new_names[i], folder->fd, names[i]) < 0)
            error = ERROR_IO;
    }
    if (error == OK && fsync(folder->fd) < 0)
        error = ERROR_IO;
    saved = errno;
    for (size_t i = 0; error != OK && i < 2; i++)
        (void)unlinkat(folder->fd, new_names[i], 0);
    errno = saved;
    return error;
}

static int is_client(const struct dirent *entry)
{
    const char *ending = strrchr(entry->d_name, '.');

    return strncmp(entry->d_name, CERTS_CLIENT_PREFIX, strlen(CERTS_CLIENT_PREFIX)) == 0 &&
           strlen(entry->d_name) < CERTS_STEM_BYTES_MAX && ending != NULL &&
           strcmp(ending, CERTS_CERTIFICATE_ENDING) == 0;
}

enum error certs_folder_clients(const struct certs_folder *folder, struct text_list *out)
{
    struct dirent **entries;
    enum error error = OK;
    int count = scandirat(folder->fd, ".", &entries, is_client, alphasort);

    if (count < 0)
        return ERROR_IO;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (error == OK && i < CERTS_CLIENTS_MAX)
            error = text_list_add(out, name, strlen(name) - strlen(CERTS_CERTIFICATE_ENDING));
        free(entries[i]);
    }
    free(entries);
    return error;
}
