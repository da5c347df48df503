/*
 * What was read, for another process of this program, in a sealed memfd: {length, bytes} each of
 * the path, the text, the variables that the text names (NAME=value, each with a NUL behind it),
 * the uids of upstreams' owners (of each surface in its order, with a NUL behind it; "": it has
 * none), and of each pack its name, file and text.
 */
#include "setup/bundle.h"

#include "system/trusted_socket.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PACKS_MAX 128

static enum error seal(const char *name, const void *bytes, size_t length, int *fd)
{
    static const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int memory = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool written = memory >= 0 && write(memory, bytes, length) == (ssize_t)length &&
                   fcntl(memory, F_ADD_SEALS, seals) == 0;

    if (written)
        *fd = memory;
    else if (memory >= 0)
        close(memory);
    return written ? OK : ERROR_IO;
}

/* ---- Writing ---- */

static void put(struct buffer *out, const char *bytes, size_t length)
{
    uint32_t size = (uint32_t)length;

    buffer_append(out, &size, sizeof(size));
    buffer_append(out, bytes, length);
}

static void put_text(struct buffer *out, const char *text)
{
    put(out, text, text != NULL ? strlen(text) : 0);
}

/* Other processes have no environment, and must not have all of this one's. */
static void put_variables(struct buffer *out, const struct config *config)
{
    struct buffer variables;

    buffer_init(&variables, HANDOVER_BYTES_MAX);
    for (size_t i = 0; config != NULL && i < config->variables.count; i++)
        buffer_append(&variables, config->variables.items[i],
                      strlen(config->variables.items[i]) + 1);
    out->failed = out->failed || buffer_failed(&variables);
    put(out, variables.data, variables.length);
    buffer_clear(&variables);
}

/* Other processes have fences in which the names of users may not be looked up any more. One that
 * has none stays as it is, and is nobody. */
static void put_owners(struct buffer *out, const struct config *config)
{
    struct buffer owners;

    buffer_init(&owners, HANDOVER_BYTES_MAX);
    for (size_t i = 0; config != NULL && i < config->surface_count; i++) {
        const struct surface *surface = &config->surfaces[i];
        struct trust trust;
        char why[WHY_SIZE];

        if (surface->upstream_owner != NULL && trusted_upstream(surface, &trust, why) == OK)
            buffer_append_format(&owners, "%u", (unsigned)trust.also);
        buffer_append(&owners, "", 1);
    }
    out->failed = out->failed || buffer_failed(&owners);
    put(out, owners.data, owners.length);
    buffer_clear(&owners);
}

enum error bundle_seal(struct config_bundle *bundle)
{
    struct buffer document;
    enum error error;
    int memory;

    buffer_init(&document, HANDOVER_BYTES_MAX);
    put_text(&document, bundle->path);
    put(&document, bundle->text, bundle->length);
    put_variables(&document, bundle->config);
    put_owners(&document, bundle->config);
    for (size_t i = 0; i < bundle->pack_count; i++) {
        put_text(&document, bundle->packs[i].name);
        put_text(&document, i < bundle->pack_files.count ? bundle->pack_files.items[i] : NULL);
        put(&document, bundle->packs[i].text, bundle->packs[i].length);
    }
    error = buffer_failed(&document)
                ? ERROR_LIMIT
                : seal("sidelock-config", document.data, document.length, &memory);
    buffer_clear(&document);
    if (error == OK)
        bundle->sealed = memory;
    return error;
}

enum error faults_seal(const struct json_faults *faults, int *fd)
{
    return seal("sidelock-faults", faults, sizeof(*faults), fd);
}

/* ---- Reading ---- */

/* The next bytes, with a NUL behind; NULL if they are not there. */
static char *take(struct span *rest, size_t *length)
{
    uint32_t size;
    char *bytes;

    if (rest->length < sizeof(size))
        return NULL;
    memcpy(&size, rest->data, sizeof(size));
    *rest = (struct span){rest->data + sizeof(size), rest->length - sizeof(size)};
    bytes = size <= rest->length ? malloc((size_t)size + 1) : NULL;
    if (bytes == NULL)
        return NULL;
    if (size > 0)
        memcpy(bytes, rest->data, size);
    bytes[size] = '\0';
    *rest = (struct span){rest->data + size, rest->length - size};
    *length = size;
    return bytes;
}

static enum error take_pack(struct span *rest, struct config_bundle *out)
{
    struct config_pack *pack = &out->packs[out->pack_count++];
    size_t length;
    char *file;
    enum error error;

    pack->name = take(rest, &length);
    file = pack->name != NULL ? take(rest, &length) : NULL;
    if (file == NULL)
        return ERROR_SYNTAX;
    error = text_list_add(&out->pack_files, file, length);
    free(file);
    pack->text = take(rest, &pack->length);
    return pack->text != NULL ? error : ERROR_SYNTAX;
}

/* An entry each, as an environment has them. */
static enum error take_variables(struct span *rest, struct config_bundle *out)
{
    size_t length, count = 0;
    char *at = out->variables = take(rest, &length);

    if (at == NULL)
        return ERROR_SYNTAX;
    out->environment = calloc(length + 1, sizeof(*out->environment));
    if (out->environment == NULL)
        return ERROR_MEMORY;
    for (; at < out->variables + length; at += strlen(at) + 1)
        out->environment[count++] = at;
    return OK;
}

static enum error take_owners(struct span *rest, struct config_bundle *out)
{
    out->owners = take(rest, &out->owners_length);
    return out->owners != NULL ? OK : ERROR_SYNTAX;
}

static enum error take_all(struct span rest, struct config_bundle *out)
{
    enum error error;
    size_t length;

    out->path = take(&rest, &length);
    out->text = out->path != NULL ? take(&rest, &out->length) : NULL;
    error = out->text != NULL ? take_variables(&rest, out) : ERROR_SYNTAX;
    if (error == OK)
        error = take_owners(&rest, out);
    if (error != OK)
        return error;
    out->packs = calloc(PACKS_MAX, sizeof(*out->packs));
    if (out->packs == NULL)
        return ERROR_MEMORY;
    while (error == OK && rest.length > 0)
        error = out->pack_count < PACKS_MAX ? take_pack(&rest, out) : ERROR_LIMIT;
    return error;
}

/* The same configuration has the same surfaces. */
static enum error name_owners(const struct config_bundle *bundle)
{
    const struct config *config = bundle->config;
    const char *at = bundle->owners, *end = at + bundle->owners_length;

    for (size_t i = 0; i < config->surface_count; i++) {
        struct surface *surface = &config->surfaces[i];
        char *number;

        if (at >= end)
            return ERROR_SYNTAX;
        number = *at != '\0' && surface->upstream_owner != NULL ? strdup(at) : NULL;
        if (*at != '\0' && number == NULL)
            return surface->upstream_owner != NULL ? ERROR_MEMORY : ERROR_SYNTAX;
        if (number != NULL) {
            free(surface->upstream_owner);
            surface->upstream_owner = number;
        }
        at += strlen(at) + 1;
    }
    return OK;
}

static enum error load(struct config_bundle *bundle, uint32_t self_uid)
{
    struct json_faults *faults = calloc(1, sizeof(*faults));
    enum error error;

    if (faults == NULL)
        return ERROR_MEMORY;
    error = bundle_load(bundle, self_uid, bundle->environment, faults);
    free(faults);
    return error == OK ? name_owners(bundle) : error;
}

/* Mapped, not read: the processes share one place to read at. */
static enum error map(int fd, size_t bytes_max, void **bytes, size_t *length)
{
    off_t size = lseek(fd, 0, SEEK_END);

    if (size < 0)
        return ERROR_IO;
    if (size == 0 || (uintmax_t)size > bytes_max)
        return ERROR_LIMIT;
    *length = (size_t)size;
    *bytes = mmap(NULL, *length, PROT_READ, MAP_PRIVATE, fd, 0);
    return *bytes != MAP_FAILED ? OK : ERROR_IO;
}

static enum error read_back(int fd, struct config_bundle *out)
{
    size_t length;
    void *bytes;
    enum error error = map(fd, HANDOVER_BYTES_MAX, &bytes, &length);

    *out = (struct config_bundle){.trust = TRUST_OWN};
    if (error != OK)
        return error;
    error = take_all((struct span){bytes, length}, out);
    munmap(bytes, length);
    return error;
}

enum error bundle_unseal(int fd, bool faulty, struct config_bundle *out)
{
    enum error error = read_back(fd, out);

    out->sealed = fd;
    return error == OK && !faulty ? load(out, geteuid()) : error;
}

enum error handover_read(int fd, uint32_t self_uid, struct config **out)
{
    struct config_bundle bundle;
    enum error error = read_back(fd, &bundle);

    if (error == OK)
        error = load(&bundle, self_uid);
    if (error == OK) {
        *out = bundle.config;
        bundle.config = NULL;
    }
    bundle_clear(&bundle); /* its text is of no use any more */
    return error;
}

enum error faults_unseal(int fd, struct json_faults *out)
{
    bool whole = pread(fd, out, sizeof(*out), 0) == sizeof(*out);

    if (whole && out->count <= JSON_FAULTS_MAX)
        return OK;
    out->count = 0;
    return ERROR_IO;
}
