#include "cli/doctor/groups.h"

#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define GROUPS     "/sys/fs/cgroup"
#define GROUP_SIZE (PATH_MAX + 32)
#define PATH_SIZE  (PATH_MAX + 96)
#define LINE_SIZE  (PATH_MAX + 8)

/* The first line of a file that begins with `start`, without that and its end; false: none does. */
static bool read_line(const char *path, const char *start, char line[LINE_SIZE])
{
    FILE *file = fopen(path, "re");
    bool found = false;

    while (file != NULL && !found && fgets(line, LINE_SIZE, file) != NULL)
        found = strncmp(line, start, strlen(start)) == 0;
    if (file != NULL)
        fclose(file);
    if (found) {
        line[strcspn(line, "\n")] = '\0';
        memmove(line, line + strlen(start), strlen(line) - strlen(start) + 1);
    }
    return found;
}

static bool has_word(const char *line, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = line; (at = strstr(at, word)) != NULL; at += length) {
        if ((at == line || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* Whether who runs this may make groups below the one that it is in. */
static bool may_divide(const char group[GROUP_SIZE])
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/cgroup.subtree_control", group);
    return access(group, W_OK) == 0 && access(path, W_OK) == 0;
}

void groups_look(struct findings *findings)
{
    const char *delegate = geteuid() == 0
                               ? "run it by its unit (`systemctl enable --now sidelock`)"
                               : "run it by its unit (`systemctl --user enable --now sidelock`)";
    struct finding finding = {.area = "machine", .name = "cgroups", .state = FINDING_WARN};
    char line[LINE_SIZE], group[GROUP_SIZE], path[PATH_SIZE];
    struct statfs facts;

    if (statfs(GROUPS, &facts) < 0 || facts.f_type != CGROUP2_SUPER_MAGIC ||
        !read_line("/proc/self/cgroup", "0::", line)) {
        finding.remedy = "boot with systemd.unified_cgroup_hierarchy=1";
        findings_add(findings, &finding,
                     "there are none of version 2 at " GROUPS
                     ": memory and processes of services cannot be limited by them");
        return;
    }
    snprintf(group, sizeof(group), GROUPS "%s", strcmp(line, "/") != 0 ? line : "");
    snprintf(path, sizeof(path), "%s/cgroup.controllers", group);
    if (!read_line(path, "", line))
        line[0] = '\0';
    if (!has_word(line, "memory") || !has_word(line, "pids")) {
        finding.remedy = delegate;
        findings_add(findings, &finding, "the group of this process is not given memory and pids");
    } else if (!may_divide(group)) {
        finding.remedy = delegate;
        findings_add(findings, &finding,
                     "the group of this process is not delegated: nobody may make groups below it "
                     "for services");
    } else {
        finding.state = FINDING_OK;
        findings_add(findings, &finding, "memory and processes can be limited below %s", group);
    }
}
