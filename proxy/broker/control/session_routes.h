/* The part of the control API below /v1/sessions. */
#ifndef SIDELOCK_BROKER_CONTROL_SESSION_ROUTES_H
#define SIDELOCK_BROKER_CONTROL_SESSION_ROUTES_H

#include "broker/control/exchange.h"

enum error session_routes_list(struct exchange *exchange) MUST_CHECK;
enum error session_routes_create(struct exchange *exchange) MUST_CHECK;
enum error session_routes_renew(struct exchange *exchange) MUST_CHECK;
enum error session_routes_show(struct exchange *exchange) MUST_CHECK;
enum error session_routes_revoke(struct exchange *exchange) MUST_CHECK;
enum error session_routes_revoke_all(struct exchange *exchange) MUST_CHECK;
enum error session_routes_ticket(struct exchange *exchange) MUST_CHECK;
enum error session_routes_login(struct exchange *exchange) MUST_CHECK;

#endif
