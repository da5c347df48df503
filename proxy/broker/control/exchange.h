/* One request to the control API on its way through its handler. For control_*.c alone. */
#ifndef SIDELOCK_BROKER_CONTROL_EXCHANGE_H
#define SIDELOCK_BROKER_CONTROL_EXCHANGE_H

#include "broker/control/routes.h"
#include "broker/operations/operation.h"

struct exchange {
    struct broker *broker;
    const struct control_request *request;
    struct control_answer *answer;
    struct operation operation;
    char name[CONTROL_PATH_BYTES_MAX]; /* what {} in the route's pattern matched */
};

/* A list of documents in the making. */
struct listing {
    struct buffer *out;
    const struct broker *broker;
    int64_t now;
    size_t count;
};

/* The answer to a failed operation. */
void control_exchange_fail(struct exchange *exchange, enum error error);
/* Begins an answer in JSON; the buffer is its body. */
struct buffer *control_exchange_begin(struct exchange *exchange, unsigned status);
/* An answer that says nothing more: {}. */
void control_exchange_no_content(struct exchange *exchange);
/* A parameter of the query; NULL if it was not given. */
const char *control_exchange_query(const struct exchange *exchange, const char *name);

#endif
