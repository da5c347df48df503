/* The link to a service that is launched, which the launcher makes. Called by upstream.c. */
#pragma once

#include "broker/admission/question.h"

/*
 * What follows once there is a link. `reached` is called with it, the callee's then, in this call
 * or later, when the question has been judged once more; `question` is then the one that goes on.
 * Or it is refused, or dies with its worker, and `let_go` (NULL: nothing is held) is called.
 */
struct reach {
    void (*reached)(struct question *question, int fd, void *work);
    void (*let_go)(void *work);
    void *work;
};

/* Takes over what the question owns (it is empty on return). */
void link_wait(struct question *question, struct reach reach);
