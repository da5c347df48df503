#include "system/user_groups.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/types.h>

#define FEW             64          /* groups, of nearly everybody */
#define MOST            65536       /* NGROUPS_MAX */
#define ENTRY_BYTES_MAX (64 * 1024) /* of one user */

_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "a list of gid_t is one of uint32_t");

static enum error list(const char *name, gid_t own, struct user_groups *out)
{
    int count = FEW;
    gid_t *gids = NULL;

    for (;;) {
        gid_t *more = realloc(gids, (size_t)count * sizeof(*more));
        int room = count;

        if (more == NULL) {
            free(gids);
            return ERROR_MEMORY;
        }
        gids = more;
        if (getgrouplist(name, own, gids, &count) >= 0)
            break;
        if (count <= room || count > MOST) { /* it has failed, and wants no more room */
            free(gids);
            return ERROR_IO;
        }
    }
    *out = (struct user_groups){gids, (size_t)count};
    return OK;
}

enum error user_groups_find(uint32_t uid, struct user_groups *out)
{
    char *names = malloc(ENTRY_BYTES_MAX);
    struct passwd entry, *found = NULL;
    enum error error = ERROR_MEMORY;
    int failed;

    if (names == NULL)
        return ERROR_MEMORY;
    do
        failed = getpwuid_r(uid, &entry, names, ENTRY_BYTES_MAX, &found);
    while (failed == EINTR);
    if (found != NULL) {
        error = list(entry.pw_name, entry.pw_gid, out);
    } else if (failed == 0 || failed == ENOENT || failed == ESRCH) {
        *out = (struct user_groups){malloc(sizeof(*out->gids)), 0};
        error = out->gids != NULL ? OK : ERROR_MEMORY;
    } else {
        error = ERROR_IO;
    }
    free(names);
    return error;
}

void user_groups_clear(struct user_groups *groups)
{
    free(groups->gids);
    *groups = (struct user_groups){NULL, 0};
}

/* Nobody's name: every source that the database has is asked. */
void user_groups_load(void)
{
    gid_t gids[FEW];
    int count = FEW;

    (void)getpwuid((uid_t)-2);
    (void)getgrouplist("", (gid_t)-2, gids, &count);
}
