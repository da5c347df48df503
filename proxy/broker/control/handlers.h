/* What the control API can be asked, a row a method and path, and a request on its way to one. */
#pragma once

#include "broker/operations/operation.h"
#include "policy/params.h"

#define CONTROL_BODY_BYTES_MAX   (PARAMS_BYTES_MAX + 16 * 1024)
#define CONTROL_ANSWER_BYTES_MAX (16 * 1024 * 1024)
#define CONTROL_PATH_BYTES_MAX   256
#define CONTROL_QUERY_MAX        4

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
};

struct exchange {
    struct gate *gate;
    const struct control_request *request;
    struct control_answer *answer;
    struct json_t *document; /* the answer, of whoever does not write its body; NULL: no memory */
    struct operation operation;
    char name[CONTROL_PATH_BYTES_MAX]; /* what {} in the pattern matched */
};

struct control_handler {
    const char *method, *pattern; /* in which {} stands for one segment */
    enum error (*answer)(struct exchange *exchange);
    const char *query; /* the one parameter that is understood, or NULL */
    unsigned status;   /* when it succeeds */
};
/* The last one has no method. */
extern const struct control_handler control_handlers[];
