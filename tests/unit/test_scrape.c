/* telemetry/scrape.c: how often a worker has the metrics counted and written. */
#include "unit.h"

#include "broker/core/tell.h"
#include "broker/telemetry/health.h"
#include "broker/telemetry/metrics.h"
#include "broker/telemetry/scrape.h"

#include <string.h>
#include <unistd.h>

static struct gate gate;
static unsigned counted, told, texts;

/* In the place of those that do the work. */
void store_session_tally(struct store *store, int64_t now, struct store_tally *out,
                         struct store_reply reply)
{
    (void)store;
    (void)now;
    out->active = 1;
    counted++;
    reply.done(reply.context, OK);
}

void metrics_write(struct buffer *out, const struct gate *of, size_t sessions_active, int64_t now)
{
    (void)of;
    (void)sessions_active;
    (void)now;
    buffer_append(out, "text\n", 5);
}

uint32_t health_look(const struct gate *of)
{
    (void)of;
    return 1;
}

void workers_answer(struct workers *workers, struct incarnation to, enum ipc_type type,
                    const void *message, int fd)
{
    const struct ipc_scraped *scraped = message;

    (void)workers;
    (void)to;
    assert_int_equal(type, IPC_SCRAPED);
    assert_int_equal(scraped->unready, 1);
    assert_int_equal(fd >= 0, scraped->bytes > 0);
    told++;
    texts += fd >= 0;
    if (fd >= 0)
        close(fd);
}

static int set_up(void **state)
{
    (void)state;
    memset(&gate, 0, sizeof(gate));
    gate.workers = (struct workers *)&gate; /* somebody */
    gate.vitals.listener_count = 1;
    counted = told = texts = 0;
    return 0;
}

TEST_BETWEEN(test_who_asks_again_at_once_has_no_text, set_up, NULL)
{
    const struct incarnation first = {.worker = 0, .generation = 3}, next = {0, 4};

    for (int i = 0; i < 4; i++) {
        assert_int_equal(scrape_take(&gate, first), OK);
        gate.vitals.told_ms = uv_hrtime() / 1000000; /* however slow this is */
    }
    assert_int_equal(told, 4);
    assert_int_equal(texts, 1);
    assert_int_equal(counted, 1);
    assert_int_equal(scrape_take(&gate, next), OK); /* it has had none */
    assert_int_equal(texts, 2);
    gate.vitals.told_ms -= 500;
    assert_int_equal(scrape_take(&gate, next), OK);
    assert_int_equal(texts, 3);
}

TEST_BETWEEN(test_who_waits_or_serves_no_page_may_not_ask, set_up, NULL)
{
    const struct incarnation from = {.worker = 0, .generation = 3}, other = {1, 4};

    gate.vitals.asked_by = from.generation;
    assert_int_equal(scrape_take(&gate, from), ERROR_SYNTAX);
    assert_int_equal(scrape_take(&gate, other), ERROR_SYNTAX);
    assert_int_equal(told, 0);
}
