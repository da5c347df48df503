/*
 * What the configuration names in the file system: whether `serve` can use it. Called by
 * cmd_check.c and cmd_serve.c.
 */
#include "cli/config_file.h"

#include "system/trusted_file.h"
#include "system/trusted_socket.h"
#include "json/reader.h"

#include <sysexits.h>
#include <time.h>

/* Sidelock's own: what it keeps, and where it is spoken to. */
static void check_own(struct json_reader *reader, const struct config *config)
{
    char why[WHY_SIZE];
    enum error error = trusted_path_check_private(config->state_dir, why);

    if (error != OK && error != ERROR_NOT_FOUND)
        json_reader_fault_at(reader, "state_dir", "%s", why);
    else if (trusted_socket_check(config->control_socket, TRUST_OWN, why) != OK)
        json_reader_fault_at(reader, "control_socket", "%s", why);
}

static void check_upstream(struct json_reader *reader, const struct surface *surface)
{
    struct trust trust;
    char why[WHY_SIZE];

    if (trusted_upstream(surface, &trust, why) != OK)
        json_reader_fault_at(reader, "upstream/owner", "%s", why);
    else if (trusted_socket_check(surface->upstream_socket, trust, why) != OK)
        json_reader_fault_at(reader, "upstream/socket", "%s", why);
}

static void check_tls(struct json_reader *reader, const struct surface *surface)
{
    struct tls_files_fault fault = {"certificate", "There is not enough memory to read it."};
    struct tls_files files;
    size_t place;

    if (surface->tls == NULL)
        return;
    if (tls_files_read(surface->tls, (int64_t)time(NULL), &files, &fault) == OK) {
        tls_files_clear(&files);
        return;
    }
    place = json_reader_enter(reader, "tls");
    json_reader_fault_at(reader, fault.member, "%s", fault.text);
    json_reader_leave(reader, place);
}

int config_places_check(const struct config_bundle *bundle, struct json_faults *faults)
{
    struct json_reader reader = {.text = bundle->text, .length = bundle->length, .faults = faults};
    const struct config *config = bundle->config;
    size_t surfaces, before = faults->count;

    check_own(&reader, config);
    surfaces = json_reader_enter(&reader, "surfaces");
    for (size_t i = 0; i < config->surface_count; i++) {
        size_t place = json_reader_enter(&reader, config->surfaces[i].name);

        check_upstream(&reader, &config->surfaces[i]);
        check_tls(&reader, &config->surfaces[i]);
        json_reader_leave(&reader, place);
    }
    json_reader_leave(&reader, surfaces);
    return faults->count == before ? EX_OK : EX_CONFIG;
}
