#include "broker/telemetry/scrape.h"

#include "broker/core/journal.h"
#include "broker/core/tell.h"
#include "broker/telemetry/health.h"
#include "broker/telemetry/metrics.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define AGAIN_AFTER_MS 250 /* a worker asks again when its text is twice as old */
#define NS_PER_MS      UINT64_C(1000000)

struct scrape {
    struct gate *gate;
    struct incarnation from;
    struct store_tally tally;
};

static uint64_t now_ms(void)
{
    return uv_hrtime() / NS_PER_MS;
}

/* It may be larger than a message. -1: it cannot be had. */
static int write_all(const struct scrape *scrape, uint64_t *bytes)
{
    struct buffer text;
    int fd = -1;

    buffer_init(&text, SCRAPE_BYTES_MAX);
    metrics_write(&text, scrape->gate, scrape->tally.active, clock_now());
    if (!buffer_failed(&text))
        fd = memfd_create("telemetry", MFD_CLOEXEC);
    if (fd >= 0 && (write(fd, text.data, text.length) != (ssize_t)text.length ||
                    lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        fd = -1;
    }
    *bytes = fd >= 0 ? text.length : 0;
    buffer_clear(&text);
    return fd;
}

/* While the store cannot count its sessions, there is no text, but it is said whether all is well.
 */
static void on_counted(void *context, enum error error)
{
    struct scrape *scrape = context;
    struct gate *gate = scrape->gate;
    struct ipc_scraped scraped = {.bytes = 0};
    int fd;

    if (gate->workers == NULL) { /* nobody is left who could be told */
        free(scrape);
        return;
    }
    scraped.unready = health_look(gate);
    fd = error == OK ? write_all(scrape, &scraped.bytes) : -1;
    if (gate->vitals.asked_by == scrape->from.generation)
        gate->vitals.asked_by = 0;
    gate->vitals.told = scrape->from.generation;
    gate->vitals.told_ms = now_ms();
    workers_answer(gate->workers, scrape->from, IPC_SCRAPED, &scraped, fd);
    free(scrape);
}

/* Its last text is not old yet: one whose loop stood still may ask so soon, or one that was taken
 * over. */
static bool asks_too_soon(const struct vitals *vitals, struct incarnation from)
{
    return vitals->told == from.generation && now_ms() - vitals->told_ms < AGAIN_AFTER_MS;
}

/* Nothing is counted and written for it. */
static void answer_shortly(struct gate *gate, struct incarnation from)
{
    const struct ipc_scraped scraped = {.unready = health_look(gate)};

    workers_answer(gate->workers, from, IPC_SCRAPED, &scraped, -1);
}

enum error scrape_take(struct gate *gate, struct incarnation from)
{
    struct scrape *scrape;

    if (!vitals_may_ask(&gate->vitals, from.worker) || gate->vitals.asked_by == from.generation)
        return ERROR_SYNTAX;
    if (asks_too_soon(&gate->vitals, from)) {
        answer_shortly(gate, from);
        return OK;
    }
    scrape = calloc(1, sizeof(*scrape));
    if (scrape == NULL)
        return ERROR_MEMORY;
    *scrape = (struct scrape){.gate = gate, .from = from};
    gate->vitals.asked_by = from.generation;
    store_session_tally(gate->store, clock_now(), &scrape->tally,
                        (struct store_reply){on_counted, scrape});
    return OK;
}

void scrape_take_vitals(struct gate *gate, struct incarnation from, const struct ipc_vitals *vitals)
{
    struct worker_vitals *known = &gate->vitals.workers[from.worker];

    known->cpu_us = vitals->cpu_us;
    known->strays += vitals->strays;
    histogram_add(&known->loop_lag, &vitals->loop_lag);
}
