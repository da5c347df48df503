/* The part of the control API below /v1/sessions. */
#ifndef SIDELOCK_BROKER_CONTROL_SESSIONS_H
#define SIDELOCK_BROKER_CONTROL_SESSIONS_H

struct exchange;

void control_sessions_list(struct exchange *exchange);
void control_sessions_create(struct exchange *exchange);
void control_sessions_renew(struct exchange *exchange);
void control_sessions_show(struct exchange *exchange);
void control_sessions_revoke(struct exchange *exchange);
void control_sessions_revoke_all(struct exchange *exchange);
void control_sessions_ticket(struct exchange *exchange);
void control_sessions_login(struct exchange *exchange);

#endif
