/* The request: judged under its grant, its head composed anew. */
#pragma once

#include "worker/http/exchange.h"

/* What the request is, and whether the grant reaches that far. */
enum reason request_judge(struct exchange *exchange, const struct head *head);
/* Its head towards the service; of a body that is held, the length is known later. */
enum reason request_compose(struct exchange *exchange, const struct head *head, bool held);
/* The question for a link that carries it. */
struct ipc_dial request_dial(const struct exchange *exchange);
/* Writes the head to the link, and the body if that was held. False: the link is dead. */
bool request_write(struct exchange *exchange);
