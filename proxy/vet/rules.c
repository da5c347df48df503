#include "vet/rules.h"

struct vet_rules vet_rules_of(const struct surface *surface, const struct vocabulary *vocabulary)
{
    return (struct vet_rules){
        .vocabulary = vocabulary,
        .verbs = surface->allow_verbs_set ? &surface->allow_verbs : NULL,
        .targets = surface->allow_targets_set ? &surface->allow_targets : NULL,
        .server_verbs = surface->allow_server_verbs_set ? &surface->allow_server_verbs : NULL,
        .limits = surface->json_limits,
        .observe = surface->mode == MODE_OBSERVE,
        .close_on_refusal = surface->on_refusal == ON_REFUSAL_CLOSE,
    };
}
