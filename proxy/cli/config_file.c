#include "cli/config_file.h"

#include "cli/terminal/shown.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

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
    return present(CONFIG_FILE_SYSTEM) ? CONFIG_FILE_SYSTEM : NULL;
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

bool config_file_folder(const char *path, char folder[CONFIG_FILE_PATH_SIZE])
{
    char here[CONFIG_FILE_PATH_SIZE] = "", *slash, *resolved;
    int length;

    if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
        return false;
    length = snprintf(folder, CONFIG_FILE_PATH_SIZE, "%s/%s", here, path + (path[0] == '/'));
    slash = strrchr(folder, '/');
    if (length >= CONFIG_FILE_PATH_SIZE || slash == NULL)
        return false;
    slash[slash == folder] = '\0';
    resolved = realpath(folder, NULL);
    if (resolved != NULL)
        snprintf(folder, CONFIG_FILE_PATH_SIZE, "%s", resolved);
    free(resolved);
    return true;
}

/* Below a directory whose name has so many bytes, or that directory. */
static bool is_below(const char *path, const char *directory, size_t length)
{
    return length > 0 && strncmp(path, directory, length) == 0 &&
           (path[length] == '/' || path[length] == '\0');
}

/* The bytes of HOME without '/' at its end; 0: there is none, or the configuration is not there. */
static size_t home_of(const char *home, const char *config)
{
    size_t length = home != NULL && home[0] == '/' ? strlen(home) : 0;
    char folder[CONFIG_FILE_PATH_SIZE], *resolved;
    bool there;

    while (length > 0 && home[length - 1] == '/')
        length--;
    if (length == 0 || !config_file_folder(config, folder))
        return 0;
    resolved = realpath(home, NULL);
    there = is_below(folder, home, length) ||
            (resolved != NULL && is_below(folder, resolved, strlen(resolved)));
    free(resolved);
    return there ? length : 0;
}

char *config_file_path(const char *path, const char *config)
{
    const char *home = getenv("HOME");
    size_t length = home_of(home, config);
    struct buffer text;

    buffer_init(&text, 2 * CONFIG_FILE_PATH_SIZE);
    if (is_below(path, home, length)) {
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

void config_file_append_option(const char *named, struct buffer *out)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    const char *path = name_config(named), *at;

    if (path == NULL)
        return;
    buffer_append_text(out, " -c ");
    if (path[0] != '\0' && path[strspn(path, plain)] == '\0') {
        buffer_append_text(out, path);
        return;
    }
    buffer_append_text(out, "'");
    for (at = path; *at != '\0'; at++)
        buffer_append(out, *at == '\'' ? "'\\''" : at, *at == '\'' ? 4 : 1);
    buffer_append_text(out, "'");
}

void config_file_print_option(const char *named)
{
    struct buffer text;

    buffer_init(&text, 4 * CONFIG_FILE_PATH_SIZE);
    config_file_append_option(named, &text);
    if (text.length > 0)
        shown_text(stdout, !buffer_failed(&text) ? text.data : " -c FILE");
    buffer_clear(&text);
}
