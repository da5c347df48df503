/*
 * Tells, step by step, what admission says of a request, with the rule behind
 * each step. It runs the gate's own table (policy/steps.h), to its end; what only
 * a running gate can know is said to be unknown. Pure; cmd_explain.c prints.
 */
#pragma once

#include "policy/steps.h"

#define EXPLAIN_RULE_BYTES 512

struct explain_step {
    enum step_id id;
    bool unknown;       /* cannot be told from what is known here */
    enum reason reason; /* REASON_ALLOWED, or why it would be denied */
    char rule[EXPLAIN_RULE_BYTES];
};

/* A session that was looked up. */
struct explain_session {
    enum reason reason; /* whether it is good for this surface and caller */
    bool has_params;
    char rule[EXPLAIN_RULE_BYTES];
};

struct explanation {
    struct explain_step steps[STEP_COUNT];
    size_t count;
    enum reason verdict; /* of the first step that denies; REASON_ALLOWED if none does */
    char path[REQUEST_PATH_BYTES_MAX]; /* canonical; "" if it has no such form */
};

/* Whether a request for this path is most likely an upgrade: only where nothing but HTTP is there
 * is it not. */
bool explain_upgrades(const struct surface *surface, const char *raw_path);

/*
 * `raw_path` is as on the request line, without query; the request's `path` is filled. With a
 * session (NULL: none was looked up) a request without credential is taken to bring its token.
 */
void explain_run(const struct surface *surface, const char *raw_path, struct request *request,
                 struct explain_session *session, struct explanation *out);
