/*
 * A request of an operator on its way through the control API: for the files that answer, each by
 * functions that the table in routes.c names.
 */
#pragma once

#include "broker/operations/operation.h"
#include "policy/params.h"

#define CONTROL_BODY_BYTES_MAX   (PARAMS_BYTES_MAX + 16 * 1024)
#define CONTROL_ANSWER_BYTES_MAX (16 * 1024 * 1024)
#define CONTROL_PATH_BYTES_MAX   256
#define CONTROL_QUERY_MAX        4
#define CONTROL_PAGE_ROWS        100 /* in a list, unless "limit" says otherwise */
#define CONTROL_PAGE_ROWS_MAX    200
#define CONTROL_PAGE_BYTES       (128 * 1024) /* after which a page ends early */
#define CONTROL_CURSOR_SIZE      128          /* of "next" */

struct control_request {
    uint32_t uid; /* the operator's */
    const char *method;
    char path[CONTROL_PATH_BYTES_MAX]; /* decoded, without query */
    struct {
        char name[32];
        char value[128];
    } query[CONTROL_QUERY_MAX];
    size_t query_count;
    struct span body;
};

/* `body` is initialised by the caller and wiped after use: it may hold a token. */
struct control_answer {
    unsigned status;
    const char *content_type; /* static */
    struct buffer body;
    bool brings; /* `descriptor`, which goes with the first byte and is the answer's until then */
    int descriptor;
};

struct json_t;
struct control_handler;

struct exchange {
    struct gate *gate;
    const struct control_request *request;
    struct control_answer *answer;
    void (*done)(void *context);
    void *context;
    const struct control_handler *handler;
    struct json_t *document; /* the answer, of whoever does not write its body; NULL: no memory */
    struct operation operation;
    char name[CONTROL_PATH_BYTES_MAX]; /* what {} in the pattern matched */
    /* What one that ends later gives. */
    struct session session;
    char *token;
    struct store_params stored;
    size_t count;
    struct store_tally tally;
};

/* A parameter of the query; NULL if it was not given. */
const char *exchange_query(const struct exchange *exchange, const char *name);
/* Whether one is given as 1. */
bool exchange_asks(const struct exchange *exchange, const char *name);
/* Begins an answer that is not a document. */
struct buffer *exchange_write(struct exchange *exchange, const char *content_type);

/* Before an answer: what must end first. They end the operation, now or later. */
typedef void exchange_begin(struct exchange *exchange);
/* The answer, of an operation that went well. */
typedef enum error exchange_answer(struct exchange *exchange);

/* lists.c: a page of each */
exchange_answer lists_params MUST_CHECK, lists_sessions MUST_CHECK;

/* records.c */
exchange_begin answer_put, answer_remove;
exchange_answer answer_record MUST_CHECK, answer_stored MUST_CHECK;

/* sessions.c */
exchange_begin answer_create, answer_renew, answer_revoke, answer_revoke_all;
exchange_answer answer_token MUST_CHECK, answer_session MUST_CHECK, answer_count MUST_CHECK,
    answer_ticket MUST_CHECK, answer_login MUST_CHECK;

/* surfaces.c */
exchange_begin answer_switch_kill, answer_switch_kill_all, answer_switch_arm,
    answer_service_restart, answer_service_enter;
exchange_answer answer_surface MUST_CHECK, answer_killed MUST_CHECK,
    answer_service_entered MUST_CHECK;
