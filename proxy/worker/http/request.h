/* The request: judged under its grant, its head composed anew, its body held or streamed. */
#pragma once

#include "worker/http/exchange.h"

/* What the request is, and whether the grant reaches that far. */
enum reason request_judge(struct exchange *exchange, const struct head *head);
/* Its head towards the service; of a body that is held, the length is known later. */
enum reason request_compose(struct exchange *exchange, const struct head *head, bool held);
/* Writes the head to the link, and the body if that was held. False: the link is dead. */
bool request_write(struct exchange *exchange);
/* The client is ready: writes to it, and reads of its request what may be read. */
enum reason request_receive(struct exchange *exchange, int events);
