#include "broker/core/anchoring.h"

#include "base/log.h"

static void on_anchored(void *context, enum error error)
{
    struct anchoring *anchoring = context;

    anchoring->under_way = false;
    if (error != OK) {
        anchoring->anchored = 0; /* again, when the timer says so */
        log_error("the end of the audit log could not be anchored: %s", error_text(error));
    }
}

static void anchor(struct anchoring *anchoring)
{
    const struct audit *audit = anchoring->gate->audit;
    const struct audit_anchor head = audit_head(audit);

    if (anchoring->under_way || head.sequence == anchoring->anchored)
        return;
    anchoring->under_way = true;
    anchoring->anchored = head.sequence;
    store_audit_anchor_put(anchoring->gate->store, &head, audit_descriptor(audit),
                           (struct store_reply){on_anchored, anchoring});
}

static void on_timer(uv_timer_t *timer)
{
    anchor(timer->data);
}

/* Each turn of the loop. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct anchoring *anchoring = prepare->data;

    if (anchoring->anchored > 0 &&
        audit_sequence(anchoring->gate->audit) - anchoring->anchored >= AUDIT_ANCHOR_LINES)
        anchor(anchoring);
}

void anchoring_start(struct anchoring *anchoring, struct gate *gate)
{
    *anchoring = (struct anchoring){.gate = gate};
    uv_timer_init(&gate->loop, &anchoring->timer);
    uv_prepare_init(&gate->loop, &anchoring->prepare);
    anchoring->timer.data = anchoring->prepare.data = anchoring;
    uv_timer_start(&anchoring->timer, on_timer, 0, (uint64_t)AUDIT_ANCHOR_SECONDS * 1000);
    uv_prepare_start(&anchoring->prepare, on_prepare);
}

void anchoring_now(struct gate *gate)
{
    const struct audit_anchor head = audit_head(gate->audit);

    store_audit_anchor_put(gate->store, &head, audit_descriptor(gate->audit),
                           (struct store_reply){NULL, NULL});
}
