/*
 * Questions for which the calling program is looked for (core/looks.h). Called by admit.c.
 */
#include "broker/admission/waiting.h"

#include "broker/core/looks.h"

#include <stdio.h>
#include <stdlib.h>

struct look {
    struct looks_wait wait;
    struct looks *looks;
    struct waiting *waiting;
    const char *program; /* while its question goes on; NULL: not known */
    void (*then)(struct question *question);
};

static void abandon(void *work)
{
    struct look *look = work;

    looks_forget(look->looks, &look->wait);
    free(look);
}

static void go_on(struct question *question, void *work)
{
    const struct look *look = work;

    question->program_looked = true;
    if (look->program != NULL)
        snprintf(question->program, sizeof(question->program), "%s", look->program);
    look->then(question);
}

static void on_found(struct looks_wait *wait, const char *program)
{
    struct look *look = wait->context;

    look->program = program;
    waiting_finish(look->waiting, go_on, look);
    free(look);
}

void program_wait(struct question *question, void (*then)(struct question *question))
{
    struct look *look = malloc(sizeof(*look));

    if (look == NULL) {
        question_refuse(question, REASON_OUT_OF_MEMORY);
        return;
    }
    *look = (struct look){.wait = {.uid = question->caller_uid,
                                   .inode = question->caller_inode,
                                   .found = on_found,
                                   .context = look},
                          .looks = question->gate->looks,
                          .then = then};
    look->waiting = waiting_keep(question, abandon, look);
    if (look->waiting == NULL) {
        free(look);
        question_refuse(question, waiting_refusal(question));
        return;
    }
    looks_find(look->looks, &look->wait);
}
