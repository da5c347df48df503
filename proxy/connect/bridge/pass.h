/*
 * The session for the gate, and where the gate is: asked for on a thread of its own,
 * renewed in time, given back at the end.
 */
#pragma once

#include "connect/bridge/control.h"

#include <uv.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   5000

/*
 * How long to wait before trying again: longer each time, up to a limit, and not all at once.
 * All zero is one that has not waited yet; set it to that again after a success.
 */
struct backoff {
    unsigned failures;
};

/* The next wait: between half and all of BACKOFF_FIRST_MS * 2^failures, at most BACKOFF_MAX_MS. */
uint64_t backoff_next_ms(struct backoff *backoff, uint32_t random);
/* The same with a random number of its own. */
uint64_t backoff_draw_ms(struct backoff *backoff);

/* What is wanted of the control socket. */
enum { WANT_PLACE = 1, WANT_RENEWAL = 2, WANT_CREATION = 4 };

/* One question to it, which the thread works on alone. */
struct errand {
    uv_work_t work;
    const struct connect_control *control;
    unsigned wants;
    enum connect_answer answer;
    struct connect_pass pass;
    struct connect_place place;
};

/* Embedded by its user, who calls pass_stop when the loop has ended. */
struct pass {
    uv_loop_t *loop;
    struct connect_pass current;
    struct connect_place place;
    struct errand errand;
    bool errand_out, ended;
    unsigned wanted; /* when the errand is back */
    uv_timer_t renewal;
    struct backoff backoff;
    /* An errand is back; after CONNECT_LATER it will be asked again. */
    void (*told)(void *context, enum connect_answer answer);
    void *context;
};

/* Asks and waits; `told` (to be set before) is not called for this. */
enum connect_answer pass_start(struct pass *pass, uv_loop_t *loop,
                               const struct connect_control *control);
/* Asks for it soon. */
void pass_want(struct pass *pass, unsigned wants);
/* What to ask for when the gate denies the pass for this reason; 0: nothing can help. */
unsigned pass_remedy(struct span reason);
/* Asks for nothing more and tells nothing more. */
void pass_end(struct pass *pass);
/* Gives the session back and wipes it. */
void pass_stop(struct pass *pass);
