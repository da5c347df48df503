#include "cli/config_file.h"

#include "cli/terminal/shown.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define SYSTEM_CONFIG   "/etc/sidelock/sidelock.json"
#define FAULT_BYTES_MAX 8192

/* Whether there is something at a path, even if it cannot be read. */
static bool present(const char *path)
{
    return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool config_file_user_path(const char *name, char path[CONFIG_FILE_PATH_SIZE])
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int length = CONFIG_FILE_PATH_SIZE;

    if (xdg != NULL && xdg[0] == '/') /* a relative one is to be ignored */
        length = snprintf(path, CONFIG_FILE_PATH_SIZE, "%s/sidelock/%s", xdg, name);
    else if (home != NULL && home[0] == '/')
        length = snprintf(path, CONFIG_FILE_PATH_SIZE, "%s/.config/sidelock/%s", home, name);
    return length < CONFIG_FILE_PATH_SIZE;
}

/* The one that -c or the environment names; NULL: none. */
static const char *name_config(const char *named)
{
    const char *variable = getenv("SIDELOCK_CONFIG");

    if (named != NULL)
        return named;
    return variable != NULL && variable[0] != '\0' ? variable : NULL;
}

const char *config_file_find(const char *named, char room[CONFIG_FILE_PATH_SIZE])
{
    const char *path = name_config(named);

    if (path != NULL)
        return path;
    if (config_file_user_path("sidelock.json", room) && present(room))
        return room;
    return present(SYSTEM_CONFIG) ? SYSTEM_CONFIG : NULL;
}

const char *config_file_wanted(const char *named, char room[CONFIG_FILE_PATH_SIZE])
{
    const char *path = name_config(named);

    if (path != NULL)
        return path;
    return config_file_user_path("sidelock.json", room) ? room : NULL;
}

int config_file_read(const char *path, struct trust trust, struct config_bundle *out,
                     struct json_faults *faults)
{
    char room[CONFIG_FILE_PATH_SIZE];
    enum error error =
        bundle_read(config_file_find(path, room), trust, CONFIG_FILE_MISSING, out, faults);

    if (error == OK)
        return EX_OK;
    return error == ERROR_MEMORY ? EX_OSERR : EX_CONFIG;
}

void config_file_print_faults(const struct config_bundle *bundle, const struct json_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        struct buffer line;

        buffer_init(&line, FAULT_BYTES_MAX);
        bundle_tell_fault(bundle, &faults->items[i], &line);
        fputs("sidelock: ", stderr);
        shown_text(stderr, line.length > 0 ? line.data : "");
        fputc('\n', stderr);
        buffer_clear(&line);
    }
}

int config_file_bundle(const char *path, struct trust trust, struct config_bundle *out)
{
    struct json_faults faults;
    int code = config_file_read(path, trust, out, &faults);

    if (code != EX_OK) {
        config_file_print_faults(out, &faults);
        bundle_clear(out);
    }
    return code;
}

int config_file_load(const char *path, struct config **out)
{
    struct config_bundle bundle;
    int code = config_file_bundle(path, TRUST_GIVEN, &bundle);

    if (code != EX_OK)
        return code;
    *out = bundle.config;
    bundle.config = NULL;
    bundle_clear(&bundle);
    return EX_OK;
}

char *config_file_path(const char *path)
{
    const char *home = getenv("HOME");
    size_t length = home != NULL && home[0] == '/' ? strlen(home) : 0;
    struct buffer text;

    while (length > 0 && home[length - 1] == '/')
        length--;
    buffer_init(&text, 2 * CONFIG_FILE_PATH_SIZE);
    if (length > 0 && strncmp(path, home, length) == 0 &&
        (path[length] == '/' || path[length] == '\0')) {
        buffer_append_text(&text, "~");
        path += length;
    }
    for (; *path != '\0'; path++)
        buffer_append(&text, *path == '$' ? "$$" : path, *path == '$' ? 2 : 1);
    if (!buffer_failed(&text))
        return text.data; /* its bytes are the caller's now */
    buffer_clear(&text);
    return NULL;
}
