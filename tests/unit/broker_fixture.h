/*
 * A broker without workers, for the tests of what operators can do: real
 * configuration, store and audit log in a directory of its own. Takes the place
 * of core/clock.c, core/opener.c and core/workers.c, so that a test sees what workers would be told
 * and sets the time. Include it in one file of a test program only.
 */
#pragma once

#include "broker/admission/question.h"
#include "broker/core/executables.h"
#include "broker/core/journal.h"
#include "broker/core/opener.h"
#include "broker/operations/operation.h"
#include "config/load.h"
#include "kept.h"
#include "temporary.h"
#include "unit.h"

#include <unistd.h>

#define FIXTURE_NOW   1800000000
#define FIXTURE_BYTES (256 * 1024)

/* More keys for surface 0, each with a comma before it. */
#ifndef FIXTURE_STUDIO_KEYS
#define FIXTURE_STUDIO_KEYS ""
#endif

/* FIXTURE_REAL_WORKERS: core/workers.c is what is tested. */

/* The users who may call surface 0. */
#ifndef FIXTURE_CALLERS
#define FIXTURE_CALLERS "1000"
#endif

#define BROKER_TEST(test) TEST_BETWEEN(test, broker_fixture_make, broker_fixture_drop)

struct broker_fixture {
    char root[TEMPORARY_PATH_SIZE];
    struct gate gate;
    struct config *config;
};

static int64_t fixture_now;
static const struct surfaces *fixture_surfaces;
static char fixture_told[4096]; /* what the workers were told, a line each */

int64_t clock_now(void)
{
    return fixture_now;
}

/* There is no parent: what is opened, is opened here. */
enum error opener_read(struct opener *opener, struct config_bundle *out, struct json_faults *faults)
{
    (void)opener;
    *out = (struct config_bundle){.path = NULL};
    return bundle_fail(faults, ERROR_IO, "There is no file.");
}

void opener_keep(struct opener *opener)
{
    (void)opener;
}

enum error opener_listen(struct opener *opener, const struct surface *surface, size_t index,
                         struct listener out[2], size_t *count, char why[WHY_SIZE])
{
    (void)opener;
    return listener_open(surface->listen[index].host, surface->listen[index].port, out, count, why);
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

#ifndef FIXTURE_REAL_WORKERS
static void fixture_tell(const char *what, const char *whom, enum reason reason)
{
    size_t used = strlen(fixture_told);

    snprintf(fixture_told + used, sizeof(fixture_told) - used, "%s %s %s\n", what, whom,
             reason_info(reason)->code);
}

void workers_cut_session(struct workers *workers, const char *session_id, enum reason reason)
{
    (void)workers;
    fixture_tell("session", session_id != NULL ? session_id : "*", reason);
}

void workers_extend_session(struct workers *workers, const char *session_id, int64_t expires_at)
{
    (void)workers;
    (void)expires_at;
    fixture_tell("extend", session_id, REASON_ALLOWED);
}

void workers_cut_surface(struct workers *workers, const struct surface_state *surface,
                         enum reason reason)
{
    char index[8];

    (void)workers;
    snprintf(index, sizeof(index), "%zu", (size_t)(surface - fixture_surfaces->items));
    fixture_tell("surface", index, reason);
}

void workers_end_holders(struct workers *workers, uint32_t places, const char *why)
{
    char bits[12];

    (void)workers;
    (void)why;
    snprintf(bits, sizeof(bits), "%u", (unsigned)places);
    fixture_tell("end", bits, REASON_ALLOWED);
}

/* In these tests no worker has said anything about itself. */
const struct proof *workers_proof(const struct workers *workers, unsigned worker, pid_t *pid)
{
    (void)workers;
    (void)worker;
    *pid = 0;
    return NULL;
}

uint64_t workers_restarts(const struct workers *workers)
{
    (void)workers;
    return 0;
}

void workers_send_certificates(struct workers *workers)
{
    (void)workers;
    fixture_tell("certificates", "*", REASON_ALLOWED);
}
#endif

static inline size_t fixture_read(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t length = 0;

    if (file != NULL) {
        length = fread(out, 1, size - 1, file);
        fclose(file);
    }
    out[length] = '\0';
    return length;
}

/* Surface 0 is "studio", 1 is "tools"; only /bin/true may be a command. */
static inline int fixture_load_config(struct broker_fixture *fixture)
{
    static struct json_faults faults;
    char text[4096];

    snprintf(text, sizeof(text),
             "{\"state_dir\":\"%s/state\",\"control_socket\":\"%s/control/control.sock\","
             "\"executables\":[\"/bin/true\"],\"surfaces\":{"
             "\"studio\":{\"why\":\"Testing | it\",\"can_do\":\"Start <things>\","
             "\"listen\":[\"localhost:8081\"],\"upstream\":{\"socket\":\"%s/studio.sock\"},"
             "\"dialect\":\"opaque\",\"callers\":{\"uids\":[" FIXTURE_CALLERS
             "]}" FIXTURE_STUDIO_KEYS "},"
             "\"tools\":{\"listen\":[\"localhost:8082\"],"
             "\"upstream\":{\"socket\":\"%s/nowhere/tools.sock\"},\"dialect\":\"opaque\"}}}",
             fixture->root, fixture->root, fixture->root, fixture->root);
    memset(&faults, 0, sizeof(faults));
    if (config_load(text, strlen(text), NULL, 0, getuid(), &fixture->config, &faults) != OK) {
        print_error("%s: %s\n", faults.items[0].pointer, faults.items[0].text);
        return -1;
    }
    return 0;
}

static inline int broker_fixture_make(void **state)
{
    struct broker_fixture *fixture = calloc(1, sizeof(*fixture));
    struct gate *gate;
    char why[WHY_SIZE] = "";

    if (fixture == NULL || temporary_make(fixture->root) == NULL ||
        fixture_load_config(fixture) != 0)
        return -1;
    gate = &fixture->gate;
    snprintf(gate->audit_path, sizeof(gate->audit_path), "%s/audit.jsonl", fixture->root);
    gate->started_at = FIXTURE_NOW;
    fixture_now = FIXTURE_NOW;
    fixture_surfaces = &fixture->gate.surfaces;
    fixture_told[0] = '\0';
    if (store_open(fixture->config->state_dir, &gate->store, why) != OK) {
        print_error("%s\n", why);
        return -1;
    }
    if (executables_create(&gate->executables) != OK ||
        surfaces_create(fixture->config, &fixture->gate.surfaces) != OK ||
        quotas_create(CONFIG_SLOTS_MAX, &gate->quotas) != OK ||
        audit_open(gate->audit_path, &gate->audit) != OK)
        return -1;
    for (size_t i = 0; i < fixture->config->surface_count; i++) {
        free(gate->surfaces.items[i].listeners);
        gate->surfaces.items[i].listeners = NULL;
    }
    tickets_init(&gate->tickets, gate->quotas, QUOTA_TICKETS);
    tickets_init(&gate->login_codes, gate->quotas, QUOTA_LOGIN_CODES);
    *state = fixture;
    return 0;
}

static inline int broker_fixture_drop(void **state)
{
    struct broker_fixture *fixture = *state;

    tickets_clear(&fixture->gate.tickets);
    tickets_clear(&fixture->gate.login_codes);
    connections_clear(&fixture->gate.connections);
    verified_clear(&fixture->gate.verified);
    quotas_destroy(fixture->gate.quotas);
    executables_stop(fixture->gate.executables);
    store_finish(fixture->gate.store);
    audit_close(fixture->gate.audit);
    executables_destroy(fixture->gate.executables);
    store_close(fixture->gate.store);
    for (size_t i = 0; i < fixture->config->surface_count; i++) {
        fixture->gate.surfaces.items[i].listener_count = 0; /* a test's own, and not open */
        fixture->gate.surfaces.items[i].listeners = NULL;
    }
    surfaces_clear(&fixture->gate.surfaces);
    config_destroy(fixture->config);
    temporary_remove(fixture->root);
    free(fixture);
    return 0;
}

/* All that was asked for is done and told. */
static inline void fixture_finish(const struct broker_fixture *fixture)
{
    lane_finish(executables_lane(fixture->gate.executables));
    store_finish(fixture->gate.store);
}

/* The whole audit log, in static memory. */
static inline const char *fixture_audit(const struct broker_fixture *fixture)
{
    static char text[FIXTURE_BYTES];

    fixture_read(fixture->gate.audit_path, text, sizeof(text));
    return text;
}
