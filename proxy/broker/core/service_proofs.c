#include "broker/core/service_proofs.h"

#include "broker/core/launcher_line.h"

void service_proofs_init(struct service_proofs *proofs, uv_loop_t *loop, struct surfaces *surfaces)
{
    *proofs = (struct service_proofs){.surfaces = surfaces};
    uv_timer_init(loop, &proofs->patience);
    proofs->patience.data = proofs;
}

/* Those that wait for nothing any more. From the first again: who is told may ask for another. */
static void tell(struct service_proofs *proofs)
{
    struct services_proof **at = &proofs->first;

    while (*at != NULL) {
        struct services_proof *one = *at;

        if (one->waiting > 0) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        one->done(one);
        at = &proofs->first;
    }
    if (proofs->first == NULL)
        uv_timer_stop(&proofs->patience);
}

void service_proofs_pass(struct service_proofs *proofs, const struct surface_state *surface)
{
    uint32_t slot = surfaces_index(proofs->surfaces, surface);

    for (struct services_proof *one = proofs->first; one != NULL; one = one->next) {
        if (one->slots[slot])
            one->waiting--;
        one->slots[slot] = false;
    }
    tell(proofs);
}

void service_proofs_stop(struct service_proofs *proofs)
{
    for (struct services_proof *one = proofs->first; one != NULL; one = one->next) {
        for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
            if (one->slots[i])
                proofs->surfaces->items[i].service.proven_at = 0;
            one->slots[i] = false;
        }
        one->waiting = 0;
    }
    tell(proofs);
}

/* What is not known by now is not proven any more. */
static void on_patience(uv_timer_t *timer)
{
    service_proofs_stop(timer->data);
}

/* A stdio service has no port that could be asked. */
static bool is_served(const struct surface_state *surface)
{
    const struct surface_service *service = &surface->service;

    return service->asked && !surface->config->upstream_stdio && !service->ending &&
           service->state == SERVICE_READY;
}

void service_proofs_add(struct service_proofs *proofs, struct services_proof *one)
{
    one->waiting = 0;
    one->next = proofs->first;
    proofs->first = one;
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        one->slots[i] = proofs->line != NULL && is_served(&proofs->surfaces->items[i]);
        if (!one->slots[i])
            continue;
        one->waiting++;
        launcher_line_say(proofs->line,
                          &(struct errand){.kind = ERRAND_PROVE, .place = (uint32_t)i});
    }
    uv_timer_start(&proofs->patience, on_patience, SERVICES_PROOF_MS, 0);
    tell(proofs);
}
