#include "system/landlock.h"

#include "system/fence_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The rights of each version, by their numbers: the headers of Debian 12 know two versions. */
#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES                                                                                     \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define WRITES_2      (UINT64_C(1) << 13) /* to another directory */
#define TRUNCATES_3   (UINT64_C(1) << 14)
#define WRITES_5      (UINT64_C(1) << 15) /* ioctl(2) of devices */
#define TCP_BINDS_4   (UINT64_C(1) << 0)
#define TCP_DIALS_4   (UINT64_C(1) << 1)
#define ABSTRACTION_6 (UINT64_C(1) << 0)
#define SIGNALS_6     (UINT64_C(1) << 1)

static const uint64_t rights[] = {
    [LANDLOCK_MAY_KEEP] = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                          LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | TRUNCATES_3,
    [LANDLOCK_MAY_WRITE] = LANDLOCK_ACCESS_FS_WRITE_FILE,
    [LANDLOCK_MAY_EXECUTE] = LANDLOCK_ACCESS_FS_EXECUTE,
    [LANDLOCK_MAY_MOVE] = WRITES_2,
};

/* The kernel's `struct landlock_ruleset_attr`, as it has grown. */
struct ruleset {
    uint64_t files, net, scoped;
};

/* Which kind of thing each fence refuses, and from which version on. */
static const struct {
    enum fence_kind fence;
    unsigned since;
    struct ruleset refuses;
} rows[] = {
    {FENCE_READ, 1, {.files = READS}},
    {FENCE_WRITE, 1, {.files = WRITES}},
    {FENCE_EXECUTE, 1, {.files = LANDLOCK_ACCESS_FS_EXECUTE}},
    {FENCE_WRITE, 2, {.files = WRITES_2}},
    {FENCE_TRUNCATE, 3, {.files = TRUNCATES_3}},
    {FENCE_TCP_BIND, 4, {.net = TCP_BINDS_4}},
    {FENCE_TCP_CONNECT, 4, {.net = TCP_DIALS_4}},
    {FENCE_WRITE, 5, {.files = WRITES_5}},
    {FENCE_ABSTRACT, 6, {.scoped = ABSTRACTION_6}},
    {FENCE_SIGNALS, 6, {.scoped = SIGNALS_6}},
};

unsigned landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return version > 0 ? (unsigned)version : 0;
}

/* An older kernel is shown no more than it knows. */
static size_t size_for(unsigned version)
{
    if (version < 4)
        return sizeof(uint64_t);
    return version < 6 ? 2 * sizeof(uint64_t) : sizeof(struct ruleset);
}

static enum error add_place(int rules, uint64_t handled, const struct landlock_place *place)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights[place->may] & handled};
    enum error error = OK;

    if (rule.allowed_access == 0)
        return OK;
    rule.parent_fd = open(place->path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return ERROR_IO;
    /* EBADFD: of no file system that has names, as pipes are; then it is open to all. */
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 &&
        errno != EBADFD)
        error = ERROR_IO;
    close(rule.parent_fd);
    return error;
}

/* What is refused but for the places. */
static struct ruleset find_handled(uint32_t fences, unsigned version,
                                   const struct landlock_place *places, size_t count)
{
    struct ruleset handled = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (version < rows[i].since || (fences & UINT32_C(1) << rows[i].fence) == 0)
            continue;
        handled.files |= rows[i].refuses.files;
        handled.net |= rows[i].refuses.net;
        handled.scoped |= rows[i].refuses.scoped;
    }
    for (size_t i = 0; i < count; i++) {
        if (places[i].may == LANDLOCK_MAY_MOVE && version >= LANDLOCK_MOVES)
            handled.files |= WRITES_2;
    }
    return handled;
}

enum error landlock_hold(uint32_t fences, const struct landlock_place *places, size_t count)
{
    unsigned version = landlock_version();
    struct ruleset handled = find_handled(fences, version, places, count);
    enum error error = OK;
    int rules;

    if (handled.files == 0 && handled.net == 0 && handled.scoped == 0)
        return OK;
    rules = (int)syscall(SYS_landlock_create_ruleset, &handled, size_for(version), 0);
    if (rules < 0)
        return ERROR_IO;
    for (size_t i = 0; i < count && error == OK; i++)
        error = add_place(rules, handled.files, &places[i]);
    if (error == OK && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                        syscall(SYS_landlock_restrict_self, rules, 0) < 0))
        error = ERROR_IO;
    close(rules);
    return error;
}
