#include "broker/core/opener.h"

#include "setup/places.h"

#include <stdlib.h>

struct opener {
    const struct config_bundle *bundle; /* in force */
};

enum error opener_create(const struct config_bundle *bundle, struct opener **out)
{
    struct opener *opener = calloc(1, sizeof(*opener));

    if (opener == NULL)
        return ERROR_MEMORY;
    opener->bundle = bundle;
    *out = opener;
    return OK;
}

void opener_destroy(struct opener *opener)
{
    free(opener);
}

enum error opener_read(struct opener *opener, struct config_bundle *out, struct json_faults *faults)
{
    const struct config_bundle *before = opener->bundle;
    enum error error = bundle_read(before->path, before->trust, "", out, faults);

    if (error == OK)
        error = places_check(&(struct places){.bundle = out}, faults);
    if (error == OK && bundle_seal(out) != OK)
        error = bundle_fail(faults, ERROR_IO, "The configuration cannot be handed to the workers.");
    return error;
}

void opener_keep(struct opener *opener, const struct config_bundle *bundle)
{
    opener->bundle = bundle;
}

enum error opener_listen(struct opener *opener, const struct surface *surface, size_t index,
                         struct listener out[2], size_t *count, char why[WHY_SIZE])
{
    const struct listen_address *address = &surface->listen[index];

    (void)opener;
    return listener_open(address->host, address->port, out, count, why);
}

enum error opener_listen_missing(struct opener *opener, const struct surface *surface,
                                 uint16_t port, struct listener *out, char why[WHY_SIZE])
{
    (void)opener;
    (void)surface;
    return listener_open_missing(port, out, why);
}

enum error opener_read_tls(struct opener *opener, const struct surface *surface, int64_t now,
                           struct tls_files *out, struct tls_files_fault *fault)
{
    (void)opener;
    return tls_files_read(surface->tls, now, out, fault);
}
