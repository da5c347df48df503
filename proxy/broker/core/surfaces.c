#include "broker/core/surfaces.h"

#include "ipc/wire_format.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert(3 * TLS_FILES_BYTES_MAX + 64 < IPC_MESSAGE_BYTES_MAX,
               "a surface's files fit one message to a worker");

static void destroy(struct tls_files *files)
{
    if (files == NULL)
        return;
    tls_files_clear(files);
    free(files);
}

static enum error load_one(const struct surface *surface, struct tls_files **out, char *why,
                           size_t why_size)
{
    struct tls_files *files = calloc(1, sizeof(*files));
    struct tls_files_fault fault;
    enum error error;

    if (files == NULL)
        return ERROR_MEMORY;
    error = tls_files_read(surface->tls, broker_now(), files, &fault);
    if (error == OK) {
        *out = files;
        return OK;
    }
    if (error == ERROR_INVALID)
        snprintf(why, why_size, "surface %s: tls.%s: %s", surface->name, fault.member, fault.text);
    free(files);
    return error;
}

enum error certificates_load(struct broker *broker, char *why, size_t why_size)
{
    size_t count = broker->config->surface_count;
    struct tls_files *loaded[CONFIG_SURFACES_MAX] = {NULL};
    enum error error = OK;

    snprintf(why, why_size, "the certificates cannot be held in memory");
    for (size_t i = 0; i < count && error == OK; i++) {
        if (broker->config->surfaces[i].tls != NULL)
            error = load_one(&broker->config->surfaces[i], &loaded[i], why, why_size);
    }
    for (size_t i = 0; i < count; i++) {
        struct tls_files **held = &broker->surfaces[i].tls, *unwanted = loaded[i];

        if (error == OK) {
            unwanted = *held;
            *held = loaded[i];
        }
        destroy(unwanted);
    }
    return error;
}

void certificates_clear(struct broker *broker)
{
    for (size_t i = 0; broker->surfaces != NULL && i < broker->config->surface_count; i++) {
        destroy(broker->surfaces[i].tls);
        broker->surfaces[i].tls = NULL;
    }
}
