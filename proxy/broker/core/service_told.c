#include "broker/core/service_told.h"

#include "broker/core/service_log.h"

enum error service_told(struct gate *gate, struct surface_state *surface,
                        const struct errand *errand)
{
    switch (errand->kind) {
    case ERRAND_EXITED:
        service_log_end(gate, surface, (int)errand->number, errand->text);
        surface->service.pid = 0;
        proven_drop(&surface->service.program);
        return OK;
    case ERRAND_PROCESSES:
        surface->service.processes = errand->number;
        return OK;
    case ERRAND_SIGHT:
        if (errand->number >= SIGHT_COUNT)
            return ERROR_SYNTAX;
        surface->service.sight = (enum service_sight)errand->number;
        return OK;
    case ERRAND_REFUSED:
        service_log_execution(gate, surface, errand->text);
        return OK;
    case ERRAND_LIMIT:
        if (errand->number >= SERVICE_LIMIT_COUNT)
            return ERROR_SYNTAX;
        service_log_limit(gate, surface, (enum service_limit)errand->number);
        return OK;
    case ERRAND_UNREACHED:
        service_log_connection(gate, surface, errand->text, errand->number);
        return OK;
    default:
        return ERROR_SYNTAX;
    }
}
