#include "setup/bundle.h"

#include "system/trusted_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    char file[BUNDLE_PATH_SIZE], why[WHY_SIZE] = "The dialect pack's path is too long.";
    int beside = name[0] == '/' ? 0 : folder_length(bundle->path);
    struct buffer text;
    enum error error = ERROR_LIMIT;

    buffer_init(&text, DIALECT_BYTES_MAX);
    if (snprintf(file, sizeof(file), "%.*s%s", beside, bundle->path, name) < BUNDLE_PATH_SIZE)
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

enum error bundle_fail(struct json_faults *faults, enum error error, const char *text)
{
    faults->items[0] = (struct json_fault){.line = 0};
    faults->count = 1;
    snprintf(faults->items[0].text, sizeof(faults->items[0].text), "%s", text);
    return error;
}

static enum error out_of_memory(struct json_faults *faults)
{
    return bundle_fail(faults, ERROR_MEMORY,
                       "There is not enough memory to load the configuration.");
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

static enum error load(struct config_bundle *bundle, struct json_faults *faults)
{
    enum error error = add_packs(bundle);

    if (error == OK)
        error = config_load(bundle->text, bundle->length, bundle->packs, bundle->pack_count,
                            geteuid(), &bundle->config, faults);
    if (error == ERROR_MEMORY)
        return out_of_memory(faults);
    return error == OK ? OK : ERROR_INVALID;
}

enum error bundle_read(const char *path, struct trust trust, const char *missing,
                       struct config_bundle *out, struct json_faults *faults)
{
    char why[WHY_SIZE];
    enum error error;

    *out = (struct config_bundle){.trust = trust};
    faults->count = 0;
    if (path == NULL)
        return bundle_fail(faults, ERROR_INVALID, missing);
    out->path = strdup(path);
    error = out->path != NULL ? read_file(out, why) : ERROR_MEMORY;
    if (error == OK)
        return load(out, faults);
    return error == ERROR_MEMORY ? out_of_memory(faults) : bundle_fail(faults, ERROR_INVALID, why);
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

void bundle_tell_fault(const struct config_bundle *bundle, const struct json_fault *fault,
                       struct buffer *out)
{
    const char *pointer, *file = fault_file(bundle, fault, &pointer);

    if (file != NULL && fault->line > 0)
        buffer_append_format(out, "%s:%u: ", file, fault->line);
    else if (file != NULL)
        buffer_append_format(out, "%s: ", file);
    buffer_append_format(out, "%s%s%s", pointer, pointer[0] != '\0' ? ": " : "", fault->text);
}

void bundle_clear(struct config_bundle *bundle)
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
    if (bundle->sealed > 0)
        close(bundle->sealed);
    *bundle = (struct config_bundle){.path = NULL};
}
