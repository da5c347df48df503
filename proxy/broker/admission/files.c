/* Questions whose record names a file that is being looked at. Called by admit.c and dial.c. */
#include "broker/admission/waiting.h"

#include <stdlib.h>

struct files {
    struct executables_wait wait;
    struct waiting *waiting;
    void (*then)(struct question *question);
};

static void abandon(void *work)
{
    struct files *files = work;

    executables_forget(&files->wait);
    free(files);
}

static void go_on(struct question *question, void *work)
{
    const struct files *files = work;

    files->then(question);
}

static void on_known(struct executables_wait *wait)
{
    struct files *files = wait->context;

    waiting_settle(files->waiting, REASON_ALLOWED, go_on, files);
    free(files);
}

static struct files *create(struct question *question, void (*then)(struct question *question))
{
    struct files *files =
        ++question->looks <= EXECUTABLES_LOOKS_MAX ? malloc(sizeof(*files)) : NULL;

    if (files == NULL)
        return NULL;
    *files = (struct files){.wait = {.known = on_known, .context = files}, .then = then};
    files->waiting = waiting_keep(question, abandon, files);
    if (files->waiting != NULL)
        return files;
    free(files);
    return NULL;
}

void files_wait(struct question *question, void (*then)(struct question *question))
{
    struct files *files = create(question, then);
    bool unknown;

    if (files == NULL) {
        question_refuse(question, waiting_refusal(question));
        return;
    }
    (void)authenticate_files(waiting_question(files->waiting), &files->wait, &unknown);
    if (!unknown)
        on_known(&files->wait);
}
