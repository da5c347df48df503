#include "cli/edit/file.h"

#include "config/load.h"
#include "system/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES   100
#define LOCK_WAIT_NS (20L * 1000 * 1000)
#define NAME_SIZE    (NAME_MAX + 1)

/* ---- Reading ---- */

static bool same_file(const struct stat *left, const struct stat *right)
{
    return left->st_dev == right->st_dev && left->st_ino == right->st_ino;
}

/* Whether the path still leads to the file that is open. */
static bool is_in_place(const struct edit_file *file)
{
    struct stat facts;

    return fstatat(file->place.directory, file->place.name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
           same_file(&facts, &file->facts);
}

static enum error open_once(const char *path, struct edit_file *out, char why[WHY_SIZE])
{
    enum error error = trusted_path_find(path, TRUST_OWN, &out->place, why);

    if (error != OK)
        return error;
    if (!out->place.exists)
        error = error_explain(why, ERROR_NOT_FOUND,
                              "There is no file %.300s; `sidelock init` makes one.", path);
    else if (faccessat(out->place.directory, out->place.name, W_OK, AT_EACCESS) != 0)
        error = error_explain(why, ERROR_DENIED, "%.300s cannot be written: %s.", path,
                              strerror(errno));
    if (error == OK && trusted_path_open(&out->place, O_RDONLY | O_NONBLOCK, &out->fd) != OK)
        error = error_explain(why, ERROR_IO, "%.300s cannot be read: %s.", path, strerror(errno));
    if (error != OK) {
        trusted_path_close(&out->place);
        return error;
    }
    error = trusted_file_check(out->fd, path, TRUSTED_FILE_POLICY, why);
    if (error == OK && fstat(out->fd, &out->facts) != 0)
        error = error_explain(why, ERROR_IO, "%.300s cannot be read: %s.", path, strerror(errno));
    if (error != OK)
        edit_file_close(out);
    return error;
}

/* Whoever had the lock before has put another file there: then that is to be opened. */
static enum error open_locked(const char *path, struct edit_file *out, char why[WHY_SIZE])
{
    const struct timespec wait = {.tv_nsec = LOCK_WAIT_NS};

    for (unsigned try = 0; try < LOCK_TRIES; try++) {
        enum error error = open_once(path, out, why);

        if (error != OK)
            return error;
        if (flock(out->fd, LOCK_EX | LOCK_NB) == 0 && is_in_place(out))
            return OK;
        edit_file_close(out);
        nanosleep(&wait, NULL);
    }
    return error_explain(why, ERROR_TIMEOUT,
                         "Somebody else holds a lock on %.300s: try again when that has ended.",
                         path);
}

enum error edit_file_open(const char *path, struct edit_file *out, char why[WHY_SIZE])
{
    enum error error;

    *out = (struct edit_file){.fd = -1};
    buffer_init(&out->text, CONFIG_BYTES_MAX);
    error = open_locked(path, out, why);
    if (error != OK)
        return error;
    error = buffer_append_fd(&out->text, out->fd);
    if (error == ERROR_IO)
        error_explain(why, error, "%.300s cannot be read: %s.", path, strerror(errno));
    else if (error != OK)
        error_explain(why, error, "%.300s is larger than %zu bytes.", path, CONFIG_BYTES_MAX);
    if (error != OK)
        edit_file_close(out);
    return error;
}

void edit_file_close(struct edit_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    trusted_path_close(&file->place);
    buffer_clear(&file->text);
}

/* ---- Writing ---- */

/* A name beside the file's, which nobody has; a killed one of ours is left for people to find. */
static bool choose_name(const char *name, char out[NAME_SIZE])
{
    unsigned number;

    return getrandom(&number, sizeof(number), 0) == sizeof(number) &&
           snprintf(out, NAME_SIZE, ".%.200s.%08x", name, number) > 0;
}

static bool write_all(int fd, struct span text)
{
    while (text.length > 0) {
        ssize_t written = write(fd, text.data, text.length);

        if (written < 0 && errno != EINTR)
            return false;
        text.data += written > 0 ? written : 0;
        text.length -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* With the owner and mode of another, or our own and 0600. */
static bool fill(int fd, struct span text, const struct stat *like)
{
    struct stat own;

    if (fstat(fd, &own) != 0)
        return false;
    if (like != NULL && (like->st_uid != own.st_uid || like->st_gid != own.st_gid) &&
        fchown(fd, like->st_uid, like->st_gid) != 0)
        return false;
    if (like != NULL && fchmod(fd, like->st_mode & ALLPERMS) != 0)
        return false;
    return write_all(fd, text) && fsync(fd) == 0;
}

static enum error kind_of(int number)
{
    return number == EACCES || number == EPERM || number == EROFS ? ERROR_DENIED : ERROR_IO;
}

/* A whole file beside the place, or none: then errno says why. */
static bool put_beside(const struct trusted_path *place, struct span text, const struct stat *like,
                       char name[NAME_SIZE])
{
    int fd, saved;
    bool filled;

    if (!choose_name(place->name, name))
        return false;
    fd = openat(place->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    filled = fill(fd, text, like);
    saved = errno;
    if (close(fd) != 0 && filled) {
        filled = false;
        saved = errno;
    }
    if (!filled)
        unlinkat(place->directory, name, 0);
    errno = saved;
    return filled;
}

/* So that the name is as lasting as the bytes. */
static void settle(const struct trusted_path *place)
{
    int fd = openat(place->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
}

/* Whether it is what was read, to the byte; editors write in place, too. */
static bool is_unchanged(const struct edit_file *file)
{
    struct buffer now;
    bool same;

    if (!is_in_place(file) || lseek(file->fd, 0, SEEK_SET) != 0)
        return false;
    buffer_init(&now, CONFIG_BYTES_MAX);
    same = buffer_append_fd(&now, file->fd) == OK && now.length == file->text.length &&
           (now.length == 0 || memcmp(now.data, file->text.data, now.length) == 0);
    buffer_clear(&now);
    return same;
}

enum error edit_file_save(const struct edit_file *file, struct span text, char why[WHY_SIZE])
{
    const struct trusted_path *place = &file->place;
    char name[NAME_SIZE];
    bool moved;

    if (!put_beside(place, text, &file->facts, name))
        return error_explain(why, kind_of(errno), "%.300s cannot be written anew: %s.",
                             place->resolved, strerror(errno));
    if (!is_unchanged(file)) {
        unlinkat(place->directory, name, 0);
        return error_explain(why, ERROR_STATE,
                             "%.300s was changed by somebody else meanwhile, and stays as it is "
                             "now: try again.",
                             place->resolved);
    }
    moved = renameat(place->directory, name, place->directory, place->name) == 0;
    if (!moved) {
        error_explain(why, ERROR_IO, "%.300s cannot be put in its place: %s.", place->resolved,
                      strerror(errno));
        unlinkat(place->directory, name, 0);
        return ERROR_IO;
    }
    settle(place);
    return OK;
}

static enum error make_at(const struct trusted_path *place, mode_t mode, struct span text,
                          char why[WHY_SIZE])
{
    enum error error = OK;
    char name[NAME_SIZE];

    if (!put_beside(place, text, NULL, name))
        return error_explain(why, kind_of(errno), "%.300s cannot be written: %s.", place->resolved,
                             strerror(errno));
    if (fchmodat(place->directory, name, mode, 0) != 0 ||
        linkat(place->directory, name, place->directory, place->name, 0) != 0)
        error = error_explain(why, errno == EEXIST ? ERROR_EXISTS : ERROR_IO,
                              "%.300s cannot be made: %s.", place->resolved, strerror(errno));
    unlinkat(place->directory, name, 0);
    if (error == OK)
        settle(place);
    return error;
}

enum error edit_file_make(const char *path, mode_t mode, struct span text, char why[WHY_SIZE])
{
    const mode_t enter = (mode & (S_IRUSR | S_IRGRP | S_IROTH)) >> 2;
    struct trusted_path place;
    enum error error = trusted_path_reach(path, mode | enter, &place, why);

    if (error != OK)
        return error;
    if (place.exists)
        error = error_explain(why, ERROR_EXISTS, "%.300s is there already.", path);
    else
        error = make_at(&place, mode, text, why);
    trusted_path_close(&place);
    return error;
}
