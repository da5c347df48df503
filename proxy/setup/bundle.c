#include "setup/bundle.h"

#include "config/variable.h"
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

/* Its path, in which variables are as in every path of the configuration. */
static enum error find_pack(const struct config_bundle *bundle, const char *name,
                            char file[BUNDLE_PATH_SIZE], char why[WHY_SIZE])
{
    struct text_list used = {0}; /* its bytes are handed over, not its path */
    char *path = NULL;
    enum error error = config_expand(name, &(struct config_variables){environ, &used}, &path, why);
    int beside = error != OK || path[0] == '/' ? 0 : folder_length(bundle->path);

    if (error == ERROR_MEMORY)
        snprintf(why, WHY_SIZE, "There is not enough memory to find it.");
    if (error == OK &&
        snprintf(file, BUNDLE_PATH_SIZE, "%.*s%s", beside, bundle->path, path) >= BUNDLE_PATH_SIZE)
        error = error_explain(why, ERROR_LIMIT, "The dialect pack's path is too long.");
    free(path);
    text_list_clear(&used);
    return error;
}

/*
 * Reads a pack whose path is relative to the configuration's folder. One that
 * cannot be used is kept with the reason: the loader says where it is named.
 */
static enum error add_pack(struct config_bundle *bundle, const char *name)
{
    struct config_pack *pack = &bundle->packs[bundle->pack_count];
    char file[BUNDLE_PATH_SIZE] = "", why[WHY_SIZE];
    struct buffer text;
    enum error error = find_pack(bundle, name, file, why);

    buffer_init(&text, DIALECT_BYTES_MAX);
    if (error == OK)
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

enum error bundle_load(struct config_bundle *bundle, uint32_t self_uid, char *const *environment,
                       struct json_faults *faults)
{
    const struct config_source source = {.text = bundle->text,
                                         .length = bundle->length,
                                         .packs = bundle->packs,
                                         .pack_count = bundle->pack_count,
                                         .self_uid = self_uid,
                                         .environment = environment};

    return config_load_from(&source, &bundle->config, faults);
}

static enum error load(struct config_bundle *bundle, struct json_faults *faults)
{
    enum error error = add_packs(bundle);

    if (error == OK)
        error = bundle_load(bundle, geteuid(), environ, faults);
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

enum error bundle_take(const char *path, struct trust trust, struct buffer *text,
                       struct config_bundle *out, struct json_faults *faults)
{
    *out = (struct config_bundle){.trust = trust, .path = strdup(path)};
    faults->count = 0;
    out->text = text->data;
    out->length = text->length;
    buffer_init(text, text->max_bytes);
    return out->path != NULL ? load(out, faults) : out_of_memory(faults);
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
    free(bundle->variables);
    free(bundle->environment);
    free(bundle->owners);
    if (bundle->sealed > 0)
        close(bundle->sealed);
    *bundle = (struct config_bundle){.path = NULL};
}
