#include "setup/places.h"

#include "setup/exposure.h"
#include "setup/fences.h"
#include "setup/service.h"
#include "store/store.h"
#include "system/landlock.h"
#include "system/listener.h"
#include "system/trusted_file.h"
#include "system/trusted_socket.h"
#include "json/reader.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void check_state(struct json_reader *reader, const struct places *places)
{
    const char *path = places->bundle->config->state_dir;
    char why[WHY_SIZE];
    enum error error = trusted_path_check_private(path, why);

    if (error == OK && places->stopped)
        error = store_check(path, why);
    if (error != OK)
        json_reader_fault_at(reader, "state_dir", "%s", why);
}

/* The directory that holds it, which may be missing like those above it. */
static enum error check_socket(const char *path, char why[WHY_SIZE])
{
    struct trusted_path place;
    enum error error = trusted_path_reach(path, 0, &place, why);

    if (error != OK)
        return error;
    if (place.exists && !S_ISSOCK(place.facts.st_mode))
        error = error_explain(why, ERROR_INVALID,
                              "%.200s is not a socket: move it away, or name another place.", path);
    trusted_path_close(&place);
    return error == OK ? trusted_socket_check(path, TRUST_OWN, why) : error;
}

static void check_control(struct json_reader *reader, const struct config *config)
{
    char why[WHY_SIZE];

    if (check_socket(config->control_socket, why) != OK)
        json_reader_fault_at(reader, "control_socket", "%s", why);
}

static void check_service(struct json_reader *reader, const struct config_bundle *bundle,
                          const struct surface *surface)
{
    struct service service;
    struct service_fault fault;
    char member[64];

    if (service_find(bundle, surface, environ, &service, &fault) == OK) {
        service_clear(&service);
        return;
    }
    snprintf(member, sizeof(member), "upstream/%s", fault.member);
    json_reader_fault_at(reader, member, "%s", fault.text);
}

static void check_fences(struct json_reader *reader, const struct places *places,
                         const struct surface *surface)
{
    struct service_fault fault;
    char member[64];

    if (fences_require(&surface->command, landlock_version(), places->outside ? FENCES_USE : 0,
                       &fault) == OK)
        return;
    snprintf(member, sizeof(member), "upstream/%s", fault.member);
    json_reader_fault_at(reader, member, "%s", fault.text);
}

/* Records are put later; without a single executable none of them could run. */
static void check_records(struct json_reader *reader, const struct config_bundle *bundle,
                          const struct surface *surface)
{
    struct service_fault fault;
    char member[64];

    if (service_check_records(bundle, surface, environ, &fault) != OK) {
        snprintf(member, sizeof(member), "upstream/%s", fault.member);
        json_reader_fault_at(reader, member, "%s", fault.text);
    }
    if (bundle->config->executable_count == 0)
        json_reader_fault_at(reader, "upstream/stdio",
                             "Parameter records may name no command: list the programs that may "
                             "run in \"executables\".");
}

static void check_socket_of(struct json_reader *reader, const struct surface *surface)
{
    struct trust trust;
    char why[WHY_SIZE];

    if (trusted_upstream(surface, &trust, why) != OK)
        json_reader_fault_at(reader, "upstream/owner", "%s", why);
    else if (trusted_socket_check(surface->upstream_socket, trust, why) != OK)
        json_reader_fault_at(reader, "upstream/socket", "%s", why);
}

/* What serves at an address of loopback is a neighbour's, which is to be the gate's alone. */
static void check_address_of(struct json_reader *reader, const struct places *places,
                             const struct surface *surface)
{
    struct trust trust;
    char why[WHY_SIZE];

    if (trusted_upstream(surface, &trust, why) != OK)
        json_reader_fault_at(reader, "upstream/owner", "%s", why);
    else if (exposure_check(surface, why) != OK ||
             (places->bind && exposure_knock(places->bundle->config, surface, why) != OK))
        json_reader_fault_at(reader, "upstream/tcp", "%s", why);
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

/* ---- Addresses ---- */

static bool has(const struct places *places, const char *host, uint16_t port)
{
    char address[LISTENER_ADDRESS_SIZE + 16];

    snprintf(address, sizeof(address), strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
    return places->has_address != NULL && places->has_address(places->context, address);
}

/* Of "localhost" the gate that runs has both or neither, unless this host has no ::1. */
static bool has_all(const struct places *places, const struct listen_address *address)
{
    bool both = strcmp(address->host, LISTENER_BOTH) == 0;

    return has(places, both ? LISTENER_V4 : address->host, address->port);
}

static void check_address(struct json_reader *reader, const struct places *places,
                          const struct listen_address *address, size_t index)
{
    struct listener opened[2];
    size_t count = 0;
    char why[WHY_SIZE], place[32];

    if (has_all(places, address))
        return;
    snprintf(place, sizeof(place), "listen/%zu", index);
    if (listener_open(address->host, address->port, opened, &count, why) != OK)
        json_reader_fault_at(reader, place, "%s.", why);
    for (size_t i = 0; i < count; i++)
        listener_close(&opened[i]);
}

static void check_surface(struct json_reader *reader, const struct places *places,
                          const struct surface *surface)
{
    size_t place = json_reader_enter(reader, surface->name);

    if (surface->command.argument_count > 0)
        check_service(reader, places->bundle, surface);
    else if (surface_runs_records(surface))
        check_records(reader, places->bundle, surface);
    else if (surface->upstream_tcp.host != NULL)
        check_address_of(reader, places, surface);
    else if (surface->upstream_socket != NULL)
        check_socket_of(reader, surface);
    check_fences(reader, places, surface);
    check_tls(reader, surface);
    for (size_t i = 0; places->bind && i < surface->listen_count; i++)
        check_address(reader, places, &surface->listen[i], i);
    json_reader_leave(reader, place);
}

enum error places_check(const struct places *places, struct json_faults *faults)
{
    const struct config_bundle *bundle = places->bundle;
    struct json_reader reader = {.text = bundle->text, .length = bundle->length, .faults = faults};
    size_t surfaces, before = faults->count;

    check_state(&reader, places);
    check_control(&reader, bundle->config);
    surfaces = json_reader_enter(&reader, "surfaces");
    for (size_t i = 0; i < bundle->config->surface_count; i++)
        check_surface(&reader, places, &bundle->config->surfaces[i]);
    json_reader_leave(&reader, surfaces);
    return faults->count == before ? OK : ERROR_INVALID;
}

enum error places_deny_launching(const struct config_bundle *bundle, const char *sentence,
                                 struct json_faults *faults)
{
    struct json_reader reader = {.text = bundle->text, .length = bundle->length, .faults = faults};
    size_t surfaces = json_reader_enter(&reader, "surfaces"), before = faults->count;

    for (size_t i = 0; i < bundle->config->surface_count; i++) {
        const struct surface *surface = &bundle->config->surfaces[i];
        size_t place = json_reader_enter(&reader, surface->name);

        if (surface_is_launched(surface))
            json_reader_fault_at(&reader, "upstream", "%s", sentence);
        json_reader_leave(&reader, place);
    }
    json_reader_leave(&reader, surfaces);
    return faults->count == before ? OK : ERROR_INVALID;
}

/* ---- The clock ---- */

bool places_clock_is_back(const struct config *config, char why[WHY_SIZE])
{
    static const char *const names[] = {"audit.jsonl", "generation", "sidelock.db"};
    time_t now = time(NULL), newest = 0;
    struct stat facts;
    char path[4096], day[32], said[4096] = "the program itself";
    struct tm parts;

    if (stat("/proc/self/exe", &facts) == 0)
        newest = facts.st_mtime;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", config->state_dir, names[i]);
        if (stat(path, &facts) == 0 && facts.st_mtime > newest) {
            newest = facts.st_mtime;
            snprintf(said, sizeof(said), "%s", path);
        }
    }
    if (newest <= now + PLACES_CLOCK_BACK_S)
        return false;
    gmtime_r(&newest, &parts);
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%SZ", &parts);
    error_explain(why, ERROR_INVALID,
                  "The clock is %lld seconds behind %.200s, which was written at %s: what has "
                  "expired since lives again until the clock is set.",
                  (long long)(newest - now), said, day);
    return true;
}
