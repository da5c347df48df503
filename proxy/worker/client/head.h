/*
 * A request's head as the client sent it, and what it asks for. It is there from the
 * first byte until nobody needs it any more; what a denial needs stays (struct asker).
 */
#pragma once

#include "policy/login_cookie.h"
#include "wire/http_head.h"
#include "wire/ws_frame.h"
#include "worker/client/connection.h"

#define REQUEST_ID_SIZE IPC_REQUEST_ID_SIZE

struct head {
    size_t length;                     /* of `bytes`: the head, and what came with it */
    struct http_request request;       /* spans into `bytes` */
    struct ipc_admit asked;            /* by head_read; strings in here */
    const struct route *route;         /* that the path leads to; NULL: none, */
    enum reason route_fault;           /* and why */
    const char *body;                  /* of a request to the gate's own paths; NULL: none */
    enum reason path_fault;            /* why the path is not valid */
    char path[REQUEST_PATH_BYTES_MAX]; /* decoded; "": not valid */
    char key[WS_KEY_SIZE];             /* the client's Sec-WebSocket-Key */
    char ticket_subprotocol[64];       /* the ticket's subprotocol, if one was offered */
    struct buffer cookies;             /* the login cookie's values */
    struct buffer strays;              /* values that may hold a credential of ours */
    char bytes[HTTP_HEAD_BYTES_MAX];
};

/* Who is answered, and how, once the head is gone. */
struct asker {
    char request_id[REQUEST_ID_SIZE];
    bool head_only, page;
    const char *path;     /* NULL: not known */
    const char *raw_path; /* of a request that was read; NULL: of none */
    /* NULL: not known, or in the head. Set by whoever keeps them when it is forgotten. */
    const char *method, *host;
};

#define HEAD_HOST_BYTES_MAX 255

/* What the log is told of a request: texts within it, or the asker's. NULL: not known. */
struct head_told {
    const char *method, *path, *host;
    char method_bytes[REQUEST_METHOD_BYTES_MAX + 1], host_bytes[HEAD_HOST_BYTES_MAX + 1];
    char path_bytes[REQUEST_PATH_BYTES_MAX]; /* as sent, if it is not valid */
};

struct head *head_create(void);
/* Wipes and frees it: it held the client's credential. */
void head_destroy(struct head *head);
/* Begins anew with these bytes, which may lie in it. */
void head_replace(struct head *head, const void *bytes, size_t length);
/* NUL-terminates a span in the head, where a delimiter follows every span; NULL if it is absent. */
const char *head_terminate(struct head *head, struct span span);
/*
 * What is asked for, as sent, if a credential of ours may stand in it (policy/stray.h); else NULL.
 * Of a head that is none it is the first line. For a request that is over.
 */
const char *head_stray_target(struct head *head);
/* At most so many bytes of a text for the log, which would not know a credential of ours by the
 * half that was kept: then none. */
struct span head_shown(struct span text, size_t bytes_max);
/* What is known of a request, however far its head (NULL: forgotten) could be read. */
void head_tell(const struct head *head, const struct asker *asker, struct head_told *out);
/* What in the head is wrong, if this is the reason: a header's value, or the name of one that was
 * repeated. Absent where nothing can be shown. */
struct span head_seen(const struct head *head, enum reason reason);
/*
 * Goes on with a request whose head is complete: to one of the gate's own
 * paths, its body must be there too, at most OWN_PATH_BODY_BYTES_MAX of it.
 */
enum http_progress head_read_body(struct head *head, enum reason *reason);
/*
 * Reads what a head that is complete, its path decoded, asks for: what the broker is
 * asked, or what a grant may cover. Once a request.
 */
enum reason head_read(struct head *head, const struct connection *connection,
                      const struct asker *asker);
