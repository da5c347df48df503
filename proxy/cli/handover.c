#include "cli/handover.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKS_MAX 128

/* In front of each text: the first is the configuration itself, without a name. */
struct entry_header {
    uint32_t name_bytes; /* with the NUL */
    uint32_t text_bytes;
};

static enum error write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t written = write(fd, at, length);

        if (written <= 0)
            return ERROR_IO;
        at += written;
        length -= (size_t)written;
    }
    return OK;
}

static enum error write_entry(int fd, const char *name, const char *text, size_t length)
{
    struct entry_header header = {(uint32_t)strlen(name) + 1, (uint32_t)length};
    enum error error = write_all(fd, &header, sizeof(header));

    if (error == OK)
        error = write_all(fd, name, header.name_bytes);
    if (error == OK)
        error = write_all(fd, text, length);
    return error;
}

enum error handover_write(const struct config_bundle *bundle, int *fd)
{
    static const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int memory = memfd_create("sidelock-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    enum error error;

    if (memory < 0)
        return ERROR_IO;
    error = write_entry(memory, "", bundle->text, bundle->length);
    for (size_t i = 0; error == OK && i < bundle->pack_count; i++)
        error = write_entry(memory, bundle->packs[i].name, bundle->packs[i].text,
                            bundle->packs[i].length);
    if (error == OK && fcntl(memory, F_ADD_SEALS, seals) < 0)
        error = ERROR_IO;
    if (error != OK) {
        close(memory);
        return error;
    }
    *fd = memory;
    return OK;
}

/* Steps over one entry of the mapped bytes. */
static enum error read_entry(const char *bytes, size_t length, size_t *at, struct config_pack *out)
{
    struct entry_header header;

    if (length - *at < sizeof(header))
        return ERROR_SYNTAX;
    memcpy(&header, bytes + *at, sizeof(header));
    *at += sizeof(header);
    if (header.name_bytes == 0 || header.name_bytes > length - *at ||
        header.text_bytes > length - *at - header.name_bytes ||
        bytes[*at + header.name_bytes - 1] != '\0')
        return ERROR_SYNTAX;
    *out = (struct config_pack){
        .name = bytes + *at, .text = bytes + *at + header.name_bytes, .length = header.text_bytes};
    *at += (size_t)header.name_bytes + header.text_bytes;
    return OK;
}

static enum error load(const char *bytes, size_t length, struct config **out)
{
    struct config_pack entries[PACKS_MAX + 1];
    struct json_faults *faults;
    size_t at = 0, count = 0;
    enum error error = OK;

    while (error == OK && at < length) {
        if (count == PACKS_MAX + 1)
            return ERROR_LIMIT;
        error = read_entry(bytes, length, &at, &entries[count++]);
    }
    if (error != OK || count == 0)
        return ERROR_SYNTAX;
    faults = calloc(1, sizeof(*faults));
    if (faults == NULL)
        return ERROR_MEMORY;
    error = config_load(entries[0].text, entries[0].length, entries + 1, count - 1, getuid(), out,
                        faults);
    free(faults);
    return error;
}

enum error handover_read(int fd, struct config **out)
{
    struct stat status;
    char *bytes;
    enum error error;

    if (fstat(fd, &status) < 0)
        return ERROR_IO;
    if (status.st_size <= 0 || status.st_size > HANDOVER_BYTES_MAX)
        return ERROR_LIMIT;
    bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return ERROR_IO;
    error = load(bytes, (size_t)status.st_size, out);
    munmap(bytes, (size_t)status.st_size);
    return error;
}
