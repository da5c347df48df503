#include "cli/doctor/units.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATH_SIZE (PATH_MAX + 128)

struct unit_kind {
    const char *name;
    const char *folders[4]; /* where it may be; the first is the operator's own */
    const char *wanted;     /* below which it is, enabled */
    const char *enable;
};

/* Links to units count, wherever they lead. */
static bool is_there(const char *folder, const char *below)
{
    char path[PATH_SIZE];
    struct stat facts;

    return snprintf(path, sizeof(path), "%s%s/sidelock.service", folder, below) < PATH_SIZE &&
           lstat(path, &facts) == 0;
}

static void look_at_kind(const struct unit_kind *kind, const char *own, struct findings *findings)
{
    struct finding finding = {.area = "units", .name = kind->name};
    bool enabled = is_there(own, kind->wanted);
    const char *found = is_there(own, "") ? own : NULL;

    for (size_t i = 0; i < sizeof(kind->folders) / sizeof(kind->folders[0]); i++) {
        if (found == NULL && kind->folders[i] != NULL && is_there(kind->folders[i], ""))
            found = kind->folders[i];
        enabled = enabled || (kind->folders[i] != NULL && is_there(kind->folders[i], kind->wanted));
    }
    if (found == NULL) {
        findings_add(findings, &finding, "there is none; the gate begins when somebody starts it");
        return;
    }
    if (!enabled)
        finding.remedy = kind->enable;
    findings_add(findings, &finding, "%s/sidelock.service is there, %s", found,
                 enabled ? "and enabled" : "and not enabled");
}

void units_look(struct findings *findings)
{
    static const struct unit_kind system = {
        .name = "system_unit",
        .folders = {"/run/systemd/system", "/usr/local/lib/systemd/system",
                    "/usr/lib/systemd/system", "/lib/systemd/system"},
        .wanted = "/multi-user.target.wants",
        .enable = "for a gate of the machine: `sudo systemctl enable --now sidelock`"};
    static const struct unit_kind user = {
        .name = "user_unit",
        .folders = {"/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user",
                    "/lib/systemd/user"},
        .wanted = "/default.target.wants",
        .enable = "for a gate of one's own: `systemctl --user enable --now sidelock`"};
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char own[PATH_MAX] = "/etc/systemd/user";

    if (xdg != NULL && xdg[0] == '/')
        snprintf(own, sizeof(own), "%s/systemd/user", xdg);
    else if (home != NULL && home[0] == '/')
        snprintf(own, sizeof(own), "%s/.config/systemd/user", home);
    look_at_kind(&system, "/etc/systemd/system", findings);
    look_at_kind(&user, own, findings);
}
