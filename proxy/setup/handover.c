/* The configuration's bytes for another process, which is cmd_worker.c. */
#include "setup/bundle.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PACKS_MAX 128

/* {"text", "packs": [{"name", "text"}]}; NULL without memory. */
static char *document_of(const struct config_bundle *bundle)
{
    json_t *packs = json_array(), *root;
    char *document;

    for (size_t i = 0; i < bundle->pack_count; i++)
        json_array_append_new(packs, json_pack("{s:s, s:s%}", "name", bundle->packs[i].name, "text",
                                               bundle->packs[i].text, bundle->packs[i].length));
    root = json_pack("{s:s%, s:o}", "text", bundle->text, bundle->length, "packs", packs);
    document = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return document;
}

enum error bundle_seal(struct config_bundle *bundle)
{
    static const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    char *document = document_of(bundle);
    int memory = memfd_create("sidelock-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool written = memory >= 0 && document != NULL &&
                   write(memory, document, strlen(document)) == (ssize_t)strlen(document) &&
                   fcntl(memory, F_ADD_SEALS, seals) == 0;

    free(document);
    if (written)
        bundle->sealed = memory;
    else if (memory >= 0)
        close(memory);
    return written ? OK : ERROR_IO;
}

static enum error load(json_t *root, uint32_t self_uid, struct config **out)
{
    const json_t *text = json_object_get(root, "text"), *list = json_object_get(root, "packs");
    struct config_pack packs[PACKS_MAX];
    struct json_faults *faults;
    size_t count = json_array_size(list);
    enum error error;

    if (!json_is_string(text) || count > PACKS_MAX)
        return ERROR_SYNTAX;
    for (size_t i = 0; i < count; i++) {
        packs[i] = (struct config_pack){.name = NULL};
        if (json_unpack(json_array_get(list, i), "{s:s, s:s%}", "name", &packs[i].name, "text",
                        &packs[i].text, &packs[i].length) != 0)
            return ERROR_SYNTAX;
    }
    faults = calloc(1, sizeof(*faults));
    if (faults == NULL)
        return ERROR_MEMORY;
    error = config_load(json_string_value(text), json_string_length(text), packs, count, self_uid,
                        out, faults);
    free(faults);
    return error;
}

/* Mapped, not read: the workers share one place to read at. */
enum error handover_read(int fd, uint32_t self_uid, struct config **out)
{
    off_t size = lseek(fd, 0, SEEK_END);
    enum error error;
    json_t *root;
    void *bytes;

    if (size < 0)
        return ERROR_IO;
    if (size == 0 || size > HANDOVER_BYTES_MAX)
        return ERROR_LIMIT;
    bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return ERROR_IO;
    root = json_loadb(bytes, (size_t)size, 0, NULL);
    munmap(bytes, (size_t)size);
    error = root != NULL ? load(root, self_uid, out) : ERROR_SYNTAX;
    json_decref(root);
    return error;
}
