/*
 * Questions for which the groups of the calling user are needed and not known yet. Called by
 * admit.c.
 */
#include "broker/admission/waiting.h"

#include "broker/core/groups.h"

#include <stdlib.h>

#define LOOKS_MAX 8 /* of one question: more means that what is known is gone at once */

struct look {
    struct groups_wait wait;
    struct waiting *waiting;
    void (*then)(struct question *question);
};

void callers_look(struct question *question)
{
    const struct surface *surface = question->surface->config;
    const struct user_groups *groups;
    enum error error;

    question->groups_awaited = false;
    if (surface->caller_gid_count == 0 || !question->caller_known ||
        admission_caller_named(surface, question->caller_uid))
        return;
    error = groups_find(question->gate->groups, question->caller_uid, NULL, &groups);
    question->groups_awaited = error == ERROR_STATE;
    if (error != OK)
        return;
    question->request.caller_gids = groups->gids;
    question->request.caller_gid_count = groups->count;
    question->caller_in_group =
        admission_caller_group(surface, groups->gids, groups->count, &question->caller_gid);
}

static void abandon(void *work)
{
    struct look *look = work;

    groups_forget(&look->wait);
    free(look);
}

static void go_on(struct question *question, void *work)
{
    const struct look *look = work;

    look->then(question);
}

static void on_known(struct groups_wait *wait)
{
    struct look *look = wait->context;

    waiting_finish(look->waiting, go_on, look);
    free(look);
}

static struct look *create(struct question *question, void (*then)(struct question *question))
{
    struct look *look = ++question->looks <= LOOKS_MAX ? malloc(sizeof(*look)) : NULL;

    if (look == NULL)
        return NULL;
    *look = (struct look){.wait = {.known = on_known, .context = look}, .then = then};
    look->waiting = waiting_keep(question, abandon, look);
    if (look->waiting != NULL)
        return look;
    free(look);
    return NULL;
}

void callers_wait(struct question *question, void (*then)(struct question *question))
{
    struct look *look = create(question, then);
    const struct user_groups *groups;
    struct question *kept;

    if (look == NULL) {
        question_refuse(question, waiting_refusal(question));
        return;
    }
    kept = waiting_question(look->waiting);
    if (groups_find(kept->gate->groups, kept->caller_uid, &look->wait, &groups) != ERROR_STATE)
        on_known(&look->wait);
}
