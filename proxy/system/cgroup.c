#include "system/cgroup.h"

#include "system/fence_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PROCESSES_FILE   "cgroup.procs"
#define CONTROLLERS_FILE "cgroup.subtree_control"
#define ROOTLESS_FILE    "cgroup.type" /* every group has it but the host's first */

static const struct {
    const char *name, *add;
    uint32_t fence;
} controllers[] = {{"memory", "+memory", FENCE(MEMORY)}, {"pids", "+pids", FENCE(PROCESSES)}};

#define CONTROLLERS (sizeof(controllers) / sizeof(controllers[0]))

/* ---- What the kernel writes ---- */

bool cgroup_read_own(const char *text, char out[CGROUP_PATH_SIZE])
{
    const char *line = text;
    size_t length;

    while (line != NULL && strncmp(line, "0::/", 4) != 0) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL)
        return false;
    line += strlen("0::");
    length = strcspn(line, "\n");
    if (length >= CGROUP_PATH_SIZE)
        return false;
    memcpy(out, line, length);
    out[length] = '\0';
    return true;
}

static bool is_octal(const char *digits)
{
    return digits[0] >= '0' && digits[0] <= '3' && digits[1] >= '0' && digits[1] <= '7' &&
           digits[2] >= '0' && digits[2] <= '7';
}

/* The word that begins at *at, which moves behind it; blanks and such are three octal digits
 * there. */
static bool take_word(const char **at, char out[CGROUP_PATH_SIZE])
{
    const char *from = *at;
    size_t length = 0;

    while (*from != '\0' && *from != ' ' && *from != '\n' && length < CGROUP_PATH_SIZE - 1) {
        if (from[0] == '\\' && is_octal(from + 1)) {
            out[length++] = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            out[length++] = *from++;
        }
    }
    out[length] = '\0';
    if (length == 0 || length == CGROUP_PATH_SIZE - 1)
        return false;
    *at = *from == ' ' ? from + 1 : from;
    return true;
}

bool cgroup_read_mount(const char *line, struct cgroup_mount *out)
{
    enum { BEFORE_ROOT = 3 }; /* its number, its parent's, the device */
    char word[CGROUP_PATH_SIZE];
    const char *at = line, *type = strstr(line, " - ");

    for (unsigned i = 0; i < BEFORE_ROOT; i++) {
        if (!take_word(&at, word))
            return false;
    }
    if (!take_word(&at, out->root) || !take_word(&at, out->path) || type == NULL || type < at - 1)
        return false;
    type += strlen(" - ");
    if (!take_word(&type, word))
        return false;
    out->unified = strcmp(word, "cgroup2") == 0;
    return out->unified || strcmp(word, "cgroup") == 0;
}

bool cgroup_place(const struct cgroup_mount *mount, const char *group, char out[CGROUP_PATH_SIZE])
{
    const size_t length = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    int written;

    if (strncmp(group, mount->root, length) != 0 ||
        (group[length] != '/' && group[length] != '\0') || strstr(group, "/..") != NULL)
        return false;
    written = snprintf(out, CGROUP_PATH_SIZE, "%s%s", mount->path, group + length);
    if (written < 0 || written >= CGROUP_PATH_SIZE)
        return false;
    if (written > 1 && out[written - 1] == '/')
        out[written - 1] = '\0';
    return true;
}

bool cgroup_has_word(const char *line, const char *word)
{
    const size_t length = strlen(word);

    for (const char *at = line; *at != '\0'; at += strspn(at, " \n")) {
        size_t found = strcspn(at, " \n");

        if (found == length && strncmp(at, word, length) == 0)
            return true;
        at += found;
    }
    return false;
}

uint64_t cgroup_count(const char *text, const char *name)
{
    const size_t length = strlen(name);

    for (const char *line = text; line != NULL;
         line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strtoull(line + length + 1, NULL, 10);
    }
    return 0;
}

/* ---- Its files ---- */

enum error cgroup_read_file(int at, const char *name, char *out, size_t size)
{
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, out, size - 1) : -1;

    if (fd >= 0)
        close(fd);
    out[length > 0 ? length : 0] = '\0';
    return length >= 0 ? OK : ERROR_IO;
}

enum error cgroup_write_file(int at, const char *name, const char *text)
{
    const size_t length = strlen(text);
    int fd = openat(at, name, O_WRONLY | O_CLOEXEC);
    ssize_t written = fd >= 0 ? write(fd, text, length) : -1;
    int error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return written == (ssize_t)length ? OK : ERROR_IO;
}

/* ---- Where the gate is ---- */

/* Where this process is, below a mount of version 2, whose length is *top. */
static bool find_own(char out[CGROUP_PATH_SIZE], size_t *top)
{
    struct cgroup_mount mount;
    char group[CGROUP_PATH_SIZE], text[CGROUP_LINE_BYTES];
    bool found = false;
    FILE *mounts;

    if (cgroup_read_file(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) != OK ||
        !cgroup_read_own(text, group))
        return false;
    mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts != NULL && !found && fgets(text, sizeof(text), mounts) != NULL)
        found = cgroup_read_mount(text, &mount) && mount.unified &&
                cgroup_place(&mount, group, out) && access(out, X_OK) == 0;
    if (mounts != NULL)
        fclose(mounts);
    *top = found ? strlen(mount.path) : 0;
    return found;
}

static bool is_marked(const char *path)
{
    static const char *const marks[] = {CGROUP_MARK, "trusted.delegate"};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        char value = '0';

        if (getxattr(path, marks[i], &value, 1) == 1 && value == '1')
            return true;
    }
    return false;
}

/* The first of a container that has hierarchies of its own is nobody else's. */
static bool is_first_of_container(const char *path, size_t top)
{
    char file[CGROUP_PATH_SIZE + sizeof("/" ROOTLESS_FILE)];

    snprintf(file, sizeof(file), "%s/" ROOTLESS_FILE, path);
    return strlen(path) <= top && access(file, F_OK) == 0;
}

/* From the group of a gate's processes to the one that is its own. */
static bool rise(char *path, size_t top)
{
    char *slash = strrchr(path, '/');

    if (slash == NULL || (size_t)(slash - path) < top || strcmp(slash + 1, CGROUP_GATE) != 0)
        return false;
    *slash = '\0';
    return true;
}

/* Of those further up that are marked, a user's whole session is one: somebody else arranges it. */
static enum error find_delegated(char out[CGROUP_PATH_SIZE])
{
    size_t top;

    if (!find_own(out, &top))
        return ERROR_NOT_FOUND;
    (void)rise(out, top);
    return is_marked(out) || is_first_of_container(out, top) ? OK : ERROR_NOT_FOUND;
}

static enum error refused(char why[WHY_SIZE], const char *path, const char *what)
{
    return error_explain(why, ERROR_IO, "%.200s, which is delegated, %s: %s", path, what,
                         errno == EBUSY ? "other processes are in it" : strerror(errno));
}

/* One that the kernel does not have here stays out of it. */
static enum error limit_in(int base, const char *path, char why[WHY_SIZE])
{
    char there[CGROUP_LINE_BYTES];

    if (cgroup_read_file(base, "cgroup.controllers", there, sizeof(there)) != OK)
        return refused(why, path, "cannot be read");
    for (size_t i = 0; i < CONTROLLERS; i++) {
        if (cgroup_has_word(there, controllers[i].name) &&
            cgroup_write_file(base, CONTROLLERS_FILE, controllers[i].add) != OK)
            return refused(why, path, "cannot be made to limit anything");
    }
    return OK;
}

enum error cgroup_prepare(char why[WHY_SIZE])
{
    char path[CGROUP_PATH_SIZE];
    enum error error = find_delegated(path);
    int base;

    why[0] = '\0';
    if (error != OK)
        return error;
    base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (base < 0)
        return refused(why, path, "cannot be opened");
    if ((mkdirat(base, CGROUP_GATE, 0755) < 0 && errno != EEXIST) ||
        cgroup_write_file(base, CGROUP_GATE "/" PROCESSES_FILE, "0") != OK)
        error = refused(why, path, "cannot be moved in");
    if (error == OK)
        error = limit_in(base, path, why);
    close(base);
    return error;
}

bool cgroup_base(char out[CGROUP_PATH_SIZE])
{
    size_t top;

    return find_own(out, &top) && rise(out, top);
}

uint32_t cgroup_fences(void)
{
    char path[CGROUP_PATH_SIZE], line[CGROUP_LINE_BYTES];
    uint32_t fences = 0;
    int base = cgroup_base(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (base < 0)
        return 0;
    if (cgroup_read_file(base, CONTROLLERS_FILE, line, sizeof(line)) == OK) {
        for (size_t i = 0; i < CONTROLLERS; i++)
            fences |= cgroup_has_word(line, controllers[i].name) ? controllers[i].fence : 0;
    }
    close(base);
    return fences;
}
