/*
 * One request to the control API, decoded, on its way through its handler, and
 * its answer. Knows HTTP's words but no sockets.
 */
#ifndef SIDELOCK_BROKER_CONTROL_EXCHANGE_H
#define SIDELOCK_BROKER_CONTROL_EXCHANGE_H

#include "broker/operations/operation.h"
#include "policy/params.h"

#define CONTROL_BODY_BYTES_MAX   (PARAMS_BYTES_MAX + 16 * 1024)
#define CONTROL_ANSWER_BYTES_MAX (16 * 1024 * 1024)
#define CONTROL_PATH_BYTES_MAX   256
#define CONTROL_QUERY_MAX        4

struct control_query {
    char name[32];
    char value[128];
};

struct control_request {
    uint32_t uid; /* the operator's */
    const char *method;
    char path[CONTROL_PATH_BYTES_MAX]; /* decoded, without query */
    struct control_query query[CONTROL_QUERY_MAX];
    size_t query_count;
    struct span body;
};

/* `body` is initialised by the caller and wiped after use: it may hold a token. */
struct control_answer {
    unsigned status;
    const char *content_type; /* static */
    struct buffer body;
};

struct exchange {
    struct gate *gate;
    const struct control_request *request;
    struct control_answer *answer;
    struct operation operation;
    char name[CONTROL_PATH_BYTES_MAX]; /* what {} in the route's pattern matched */
};

/* Answers with a document, which it takes over; NULL (memory has run out) is ERROR_MEMORY. */
struct json_t;
enum error control_exchange_answer(struct exchange *exchange, unsigned status,
                                   struct json_t *document) MUST_CHECK;
/* An answer that says nothing more: {}. */
enum error control_exchange_no_content(struct exchange *exchange) MUST_CHECK;
/* The answer to an operation that failed. */
void control_exchange_fail(struct exchange *exchange, enum error error);
/* A parameter of the query; NULL if it was not given. */
const char *control_exchange_query(const struct exchange *exchange, const char *name);

/* Appends a document, compact; takes it over. */
enum error control_exchange_append(struct buffer *out, struct json_t *document) MUST_CHECK;
/* Makes the answer a problem document; `reason` REASON_INTERNAL: none is named. */
void control_exchange_problem(struct control_answer *answer, unsigned status, enum reason reason,
                              const char *detail);

#endif
