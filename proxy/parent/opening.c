#include "parent/opening.h"

#include "setup/places.h"
#include "system/trusted_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct opening {
    struct config_bundle in_force;
    struct config_bundle last; /* that was read since; no config: none, or it has faults */
    int held[2];               /* listeners that are there already */
    size_t held_count;
    const struct telemetry *telemetry; /* NULL: none */
};

enum error opening_create(struct config_bundle *bundle, struct opening **out)
{
    struct opening *opening = calloc(1, sizeof(*opening));

    if (opening == NULL)
        return ERROR_MEMORY;
    opening->in_force = *bundle;
    *bundle = (struct config_bundle){.path = NULL};
    *out = opening;
    return OK;
}

void opening_destroy(struct opening *opening)
{
    if (opening == NULL)
        return;
    bundle_clear(&opening->in_force);
    bundle_clear(&opening->last);
    for (size_t i = 0; i < opening->held_count; i++)
        close(opening->held[i]);
    free(opening);
}

void opening_hold(struct opening *opening, struct listener held[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        opening->held[i] = held[i].fd;
        held[i].fd = -1;
    }
    opening->held_count = count;
}

void opening_lend(struct opening *opening, const struct telemetry *telemetry)
{
    opening->telemetry = telemetry;
}

int opening_sealed(const struct opening *opening)
{
    return opening->in_force.sealed;
}

const struct config_bundle *opening_in_force(const struct opening *opening)
{
    return &opening->in_force;
}

static enum error give(struct opening_answer *out, int fd)
{
    if (fd < 0)
        return ERROR_IO;
    out->descriptors[out->count++] = fd;
    return OK;
}

/* ---- The configuration ---- */

static enum error give_faults(const struct json_faults *faults, struct opening_answer *out)
{
    int fd;
    enum error error = faults_seal(faults, &fd);

    return error == OK ? give(out, fd) : error;
}

static enum error read_anew(struct opening *opening, const struct errand *errand,
                            struct opening_answer *out)
{
    struct config_bundle *last = &opening->last;
    struct json_faults *faults = malloc(sizeof(*faults));
    enum error given;

    (void)errand;
    bundle_clear(last);
    if (faults == NULL)
        return out->error = ERROR_MEMORY, OK;
    out->error = bundle_read(opening->in_force.path, opening->in_force.trust, "", last, faults);
    if (out->error == OK)
        out->error = places_check(&(struct places){.bundle = last}, faults);
    given = bundle_seal(last);
    if (given == OK)
        given = give(out, fcntl(last->sealed, F_DUPFD_CLOEXEC, 0));
    if (given == OK && out->error != OK)
        given = give_faults(faults, out);
    free(faults);
    if (out->error == OK)
        out->error = given;
    if (out->error != OK)
        bundle_clear(last);
    return OK;
}

static enum error keep(struct opening *opening, const struct errand *errand,
                       struct opening_answer *out)
{
    (void)errand;
    (void)out;
    if (opening->last.config == NULL)
        return ERROR_SYNTAX;
    bundle_clear(&opening->in_force);
    opening->in_force = opening->last;
    opening->last = (struct config_bundle){.path = NULL};
    return OK;
}

/* ---- What surfaces name ---- */

/* Of the two: what was read last, or what is in force; NULL if neither has it. */
static const struct surface *find(const struct config_bundle *bundle, const char *name)
{
    return bundle->config != NULL ? config_surface(bundle->config, name) : NULL;
}

static const struct surface *find_last(const struct opening *opening, const char *name)
{
    const struct surface *surface = find(&opening->last, name);

    return surface != NULL ? surface : find(&opening->in_force, name);
}

static enum error open_listener(struct opening *opening, const struct errand *errand,
                                struct opening_answer *out)
{
    const struct surface *surface = find_last(opening, errand->text);
    struct listener opened[2];
    size_t count = 0;

    if (surface == NULL || errand->number >= surface->listen_count)
        return ERROR_SYNTAX;
    if (opening->held_count > 0) {
        memcpy(out->descriptors, opening->held, sizeof(opening->held));
        out->count = opening->held_count;
        opening->held_count = 0;
        return OK;
    }
    out->error = listener_open(surface->listen[errand->number].host,
                               surface->listen[errand->number].port, opened, &count, out->why);
    for (size_t i = 0; i < count; i++)
        out->descriptors[out->count++] = opened[i].fd;
    return OK;
}

/* Whether the surface listens on "localhost", and there on this port or on any. */
static bool has_port(const struct surface *surface, uint32_t port)
{
    for (size_t i = 0; surface != NULL && i < surface->listen_count; i++) {
        const struct listen_address *address = &surface->listen[i];

        if (strcmp(address->host, LISTENER_BOTH) == 0 &&
            (address->port == 0 || address->port == port))
            return true;
    }
    return false;
}

static enum error open_missing(struct opening *opening, const struct errand *errand,
                               struct opening_answer *out)
{
    struct listener opened;

    if (errand->number == 0 || errand->number > UINT16_MAX ||
        !(has_port(find(&opening->last, errand->text), errand->number) ||
          has_port(find(&opening->in_force, errand->text), errand->number)))
        return ERROR_SYNTAX;
    out->error = listener_open_missing((uint16_t)errand->number, &opened, out->why);
    return out->error == OK ? give(out, opened.fd) : OK;
}

static enum error open_tls(struct opening *opening, const struct errand *errand,
                           struct opening_answer *out)
{
    const struct surface *surface = find_last(opening, errand->text);
    int fd = -1;

    if (surface == NULL || surface->tls == NULL ||
        tls_files_path(surface->tls, errand->number) == NULL)
        return ERROR_SYNTAX;
    out->error = tls_files_open(surface->tls, (enum certificate_part)errand->number, &fd, out->why);
    return out->error == OK ? give(out, fd) : OK;
}

static enum error lend_telemetry(struct opening *opening, const struct errand *errand,
                                 struct opening_answer *out)
{
    const struct telemetry *telemetry = opening->telemetry;

    (void)errand;
    for (size_t i = 0; telemetry != NULL && i < telemetry->count && out->error == OK; i++)
        out->error = give(out, fcntl(telemetry->listeners[i], F_DUPFD_CLOEXEC, 0));
    return OK;
}

static enum error (*const handlers[ERRAND_KIND_COUNT])(struct opening *opening,
                                                       const struct errand *errand,
                                                       struct opening_answer *out) = {
    [ERRAND_READ] = read_anew,       [ERRAND_KEEP] = keep,    [ERRAND_LISTEN] = open_listener,
    [ERRAND_MISSING] = open_missing, [ERRAND_TLS] = open_tls, [ERRAND_TELEMETRY] = lend_telemetry,
};

enum error opening_take(struct opening *opening, const struct errand *errand,
                        struct opening_answer *out)
{
    *out = (struct opening_answer){.error = OK};
    if (handlers[errand->kind] == NULL)
        return ERROR_SYNTAX;
    return handlers[errand->kind](opening, errand, out);
}
