/* What is asked about a surface: its kill switch, its service. Called by its rows in routes.c. */
#include "broker/control/exchange.h"

#include "broker/control/json.h"

#include <jansson.h>
#include <string.h>

static void kill_scope(struct exchange *exchange, const char *surface)
{
    const char *rehearse = exchange_query(exchange, "rehearse");

    /* Whoever means it, and spells it otherwise, revokes nothing. */
    if (rehearse != NULL && strcmp(rehearse, "1") != 0)
        operation_end(&exchange->operation,
                      operation_fail(&exchange->operation, ERROR_SYNTAX,
                                     "a rehearsal is asked for by \"rehearse=1\""));
    else if (rehearse != NULL)
        switches_rehearse(&exchange->operation, surface);
    else
        switches_kill(&exchange->operation, surface);
}

void answer_switch_kill(struct exchange *exchange)
{
    kill_scope(exchange, exchange->name);
}

void answer_switch_kill_all(struct exchange *exchange)
{
    kill_scope(exchange, NULL);
}

void answer_switch_arm(struct exchange *exchange)
{
    switches_arm(&exchange->operation, exchange->name);
}

void answer_service_restart(struct exchange *exchange)
{
    launched_restart(&exchange->operation, exchange->name);
}

void answer_service_enter(struct exchange *exchange)
{
    launched_enter(&exchange->operation, exchange->name, &exchange->answer->descriptor);
}

enum error answer_service_entered(struct exchange *exchange)
{
    exchange->answer->brings = true;
    exchange->document = json_pack("{s:s}", "surface", exchange->name);
    return OK;
}

enum error answer_surface(struct exchange *exchange)
{
    const struct gate *gate = exchange->gate;

    exchange->document = control_json_surface(gate, surfaces_find(&gate->surfaces, exchange->name));
    return OK;
}

enum error answer_killed(struct exchange *exchange)
{
    exchange->document =
        control_json_killed(&exchange->operation, exchange_asks(exchange, "rehearse"));
    return OK;
}
