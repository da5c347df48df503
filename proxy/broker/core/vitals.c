#include "broker/core/vitals.h"

#include "base/log.h"
#include "broker/core/opener.h"
#include "broker/core/surfaces.h"

#include <stdio.h>
#include <unistd.h>

#define LAG_INTERVAL_MS 250
#define NS_PER_MS       UINT64_C(1000000)

static void on_due(uv_timer_t *timer)
{
    struct vitals *vitals = timer->data;
    uint64_t now_ns = uv_hrtime();

    histogram_note(&vitals->loop_lag,
                   now_ns > vitals->lag_due_ns ? now_ns - vitals->lag_due_ns : 0);
    vitals->lag_due_ns = now_ns + LAG_INTERVAL_MS * NS_PER_MS;
    uv_timer_start(timer, on_due, LAG_INTERVAL_MS, 0);
}

static void watch(struct vitals *vitals, uv_loop_t *loop)
{
    uv_timer_init(loop, &vitals->lag);
    vitals->lag.data = vitals;
    vitals->lag_due_ns = uv_hrtime() + LAG_INTERVAL_MS * NS_PER_MS;
    uv_timer_start(&vitals->lag, on_due, LAG_INTERVAL_MS, 0);
}

enum error vitals_open(struct vitals *vitals, const struct config *config, struct opener *opener,
                       uv_loop_t *loop)
{
    char why[WHY_SIZE];
    enum error error = opener_telemetry(opener, vitals->listeners, &vitals->listener_count, why);

    watch(vitals, loop);
    if (error != OK)
        log_error("telemetry: %s", why);
    for (size_t i = 0; error == OK && i < vitals->listener_count; i++) {
        struct listener listener = {.fd = vitals->listeners[i]};

        if (config->telemetry.socket != NULL)
            snprintf(vitals->addresses[i], VITALS_ADDRESS_SIZE, "%s", config->telemetry.socket);
        else if ((error = listener_describe(&listener)) == OK)
            surfaces_print_address(&listener, vitals->addresses[i]);
    }
    return error;
}

void vitals_close(struct vitals *vitals)
{
    for (size_t i = 0; i < vitals->listener_count; i++)
        close(vitals->listeners[i]);
    vitals->listener_count = 0;
}
