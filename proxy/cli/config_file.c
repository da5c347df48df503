#include "cli/config_file.h"

#include "cli/terminal/shown.h"
#include "system/trusted_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define SYSTEM_CONFIG "/etc/sidelock/sidelock.json"

/* ---- Which configuration ---- */

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

/* The path to read, or NULL if there is none to be found; `room` may hold it. */
static const char *find_config(const char *named, char room[CONFIG_FILE_PATH_SIZE])
{
    const char *variable = getenv("SIDELOCK_CONFIG");

    if (named != NULL)
        return named;
    if (variable != NULL && variable[0] != '\0')
        return variable;
    if (config_file_user_path("sidelock.json", room) && present(room))
        return room;
    return present(SYSTEM_CONFIG) ? SYSTEM_CONFIG : NULL;
}

/* ---- Packs ---- */

/* The folder of a path, with its slash: "" for a bare name. */
static int folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? (int)(slash + 1 - path) : 0;
}

/*
 * Reads a pack whose path is relative to the configuration's folder. One that
 * cannot be used is kept with the reason: the loader says where it is named.
 */
static enum error add_pack(struct config_bundle *bundle, const char *name)
{
    struct config_pack *pack = &bundle->packs[bundle->pack_count];
    char file[CONFIG_FILE_PATH_SIZE], why[WHY_SIZE] = "The dialect pack's path is too long.";
    int beside = name[0] == '/' ? 0 : folder_length(bundle->path);
    struct buffer text;
    enum error error = ERROR_LIMIT;

    buffer_init(&text, DIALECT_BYTES_MAX);
    if (snprintf(file, sizeof(file), "%.*s%s", beside, bundle->path, name) < CONFIG_FILE_PATH_SIZE)
        error = trusted_file_read(file, TRUSTED_FILE_POLICY, bundle->trust, &text, why);
    bundle->pack_count++;
    pack->name = strdup(name);
    if (error == OK) {
        pack->text = text.data; /* its bytes are the pack's now */
        pack->length = text.length;
    } else {
        pack->why = strdup(why);
        buffer_clear(&text);
    }
    if (pack->name == NULL || (pack->text == NULL && pack->why == NULL))
        return ERROR_MEMORY;
    return text_list_add(&bundle->pack_files, file, strlen(file));
}

static enum error add_packs(struct config_bundle *bundle)
{
    struct text_list names = {0};
    enum error error = config_list_packs(bundle->text, bundle->length, &names);

    if (error == ERROR_SYNTAX) /* the loader says where */
        return OK;
    if (error != OK)
        return error;
    if (names.count > 0 && (bundle->packs = calloc(names.count, sizeof(*bundle->packs))) == NULL)
        error = ERROR_MEMORY;
    for (size_t i = 0; i < names.count && error == OK; i++)
        error = add_pack(bundle, names.items[i]);
    text_list_clear(&names);
    return error;
}

/* ---- The whole ---- */

/* A fault of no place. */
static int add_fault(struct json_faults *faults, int code, const char *text)
{
    faults->items[0] = (struct json_fault){.line = 0};
    faults->count = 1;
    snprintf(faults->items[0].text, sizeof(faults->items[0].text), "%s", text);
    return code;
}

/* The bytes of the file; `why` says what is wrong with it. */
static enum error read_file(struct config_bundle *bundle, char why[WHY_SIZE])
{
    struct buffer text;
    enum error error;

    buffer_init(&text, CONFIG_BYTES_MAX);
    error = trusted_file_read(bundle->path, TRUSTED_FILE_POLICY, bundle->trust, &text, why);
    bundle->text = text.data; /* its bytes are the bundle's now */
    bundle->length = text.length;
    return error;
}

static int load(struct config_bundle *bundle, struct json_faults *faults)
{
    enum error error = add_packs(bundle);

    if (error == OK)
        error = config_load(bundle->text, bundle->length, bundle->packs, bundle->pack_count,
                            geteuid(), &bundle->config, faults);
    if (error == ERROR_MEMORY)
        return add_fault(faults, EX_OSERR, "There is not enough memory to load the configuration.");
    return error == OK ? EX_OK : EX_CONFIG;
}

int config_file_read(const char *path, struct trust trust, struct config_bundle *out,
                     struct json_faults *faults)
{
    char room[CONFIG_FILE_PATH_SIZE], why[WHY_SIZE];
    const char *found = find_config(path, room);
    enum error error;

    *out = (struct config_bundle){.trust = trust};
    faults->count = 0;
    if (found == NULL)
        return add_fault(faults, EX_CONFIG,
                         "There is no configuration; name one with -c FILE or in SIDELOCK_CONFIG, "
                         "or write " SYSTEM_CONFIG ".");
    out->path = strdup(found);
    error = out->path != NULL ? read_file(out, why) : ERROR_MEMORY;
    if (error == OK)
        return load(out, faults);
    if (error != ERROR_MEMORY)
        return add_fault(faults, EX_CONFIG, why);
    return add_fault(faults, EX_OSERR, "There is not enough memory to load the configuration.");
}

/* The pack's file and pointer for a fault within one; else the configuration's. */
static const char *fault_file(const struct config_bundle *bundle, const struct json_fault *fault,
                              const char **pointer)
{
    *pointer = fault->pointer;
    for (size_t i = 0; i < bundle->pack_count; i++) {
        size_t length = strlen(bundle->packs[i].name);

        if (strncmp(fault->pointer, bundle->packs[i].name, length) == 0 &&
            fault->pointer[length] == '#') {
            *pointer = fault->pointer + length + 1;
            return bundle->pack_files.items[i];
        }
    }
    return bundle->path;
}

void config_file_print_faults(const struct config_bundle *bundle, const struct json_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct json_fault *fault = &faults->items[i];
        const char *pointer, *file = fault_file(bundle, fault, &pointer);

        fprintf(stderr, "sidelock: ");
        if (file != NULL && fault->line > 0)
            fprintf(stderr, "%s:%u: ", file, fault->line);
        else if (file != NULL)
            fprintf(stderr, "%s: ", file);
        shown_text(stderr, pointer);
        fputs(pointer[0] != '\0' ? ": " : "", stderr);
        shown_text(stderr, fault->text);
        fputc('\n', stderr);
    }
}

int config_file_bundle(const char *path, struct trust trust, struct config_bundle *out)
{
    struct json_faults faults;
    int code = config_file_read(path, trust, out, &faults);

    if (code != EX_OK) {
        config_file_print_faults(out, &faults);
        config_bundle_clear(out);
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
    config_bundle_clear(&bundle);
    return EX_OK;
}

void config_bundle_clear(struct config_bundle *bundle)
{
    free(bundle->path);
    free(bundle->text);
    for (size_t i = 0; i < bundle->pack_count; i++) {
        free((char *)(uintptr_t)bundle->packs[i].name);
        free((char *)(uintptr_t)bundle->packs[i].text);
        free((char *)(uintptr_t)bundle->packs[i].why);
    }
    free(bundle->packs);
    text_list_clear(&bundle->pack_files);
    config_destroy(bundle->config);
    *bundle = (struct config_bundle){.path = NULL};
}
