#include "system/mount_points.h"

#include <mntent.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 8192

static bool is_below(const char *path, const char *directory)
{
    const size_t length = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

    return strncmp(path, directory, length) == 0 && path[length] == '/' && path[length + 1] != '\0';
}

enum error mount_points_below(const char *directory, struct text_list *out)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    char line[LINE_BYTES];
    struct mntent row;
    enum error error = OK;

    if (mounts == NULL)
        return OK;
    while (error == OK && getmntent_r(mounts, &row, line, sizeof(line)) != NULL) {
        if (!is_below(row.mnt_dir, directory))
            continue;
        error = out->count < MOUNT_POINTS_MAX ? text_list_add(out, row.mnt_dir, strlen(row.mnt_dir))
                                              : ERROR_LIMIT;
    }
    endmntent(mounts);
    return error;
}
