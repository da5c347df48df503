#include "broker/core/looks.h"

#include "broker/core/launcher_line.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct looks {
    uv_loop_t *loop;
    uv_timer_t patience;
    struct launcher_line *line; /* to the looker; NULL: there is none */
    struct proven *looker;
    struct looks_wait *first, **end;
    bool asked;               /* and not answered yet: */
    uint32_t uid, inode;      /* about this */
    struct looks_wait *asker; /* NULL: he waits no longer */
};

/* ---- Who waits ---- */

static void put_on(struct looks *looks, struct looks_wait *wait)
{
    wait->next = NULL;
    wait->at = looks->end;
    *looks->end = wait;
    looks->end = &wait->next;
}

static void take_off(struct looks *looks, struct looks_wait *wait)
{
    *wait->at = wait->next;
    if (wait->next != NULL)
        wait->next->at = wait->at;
    else
        looks->end = wait->at;
    wait->at = NULL;
    if (looks->asker == wait)
        looks->asker = NULL;
}

static void on_patience(uv_timer_t *timer);

/* They came one after the other, and all have the same patience. */
static void set_patience(struct looks *looks)
{
    uint64_t now = uv_now(looks->loop), due;

    if (looks->first == NULL) {
        uv_timer_stop(&looks->patience);
        return;
    }
    due = looks->first->since + LOOKS_PATIENCE_MS;
    (void)uv_timer_start(&looks->patience, on_patience, due > now ? due - now : 0, 0);
}

static void on_patience(uv_timer_t *timer)
{
    struct looks *looks = timer->data;
    uint64_t now = uv_now(looks->loop);

    for (unsigned i = 0; i < LOOKS_TOLD_PER_TURN && looks->first != NULL &&
                         looks->first->since + LOOKS_PATIENCE_MS <= now;
         i++) {
        struct looks_wait *wait = looks->first;

        take_off(looks, wait);
        wait->found(wait, NULL);
    }
    set_patience(looks);
}

/* ---- The looker ---- */

static void ask(struct looks *looks)
{
    if (looks->line == NULL || looks->asked || looks->first == NULL)
        return;
    looks->asked = true;
    looks->asker = looks->first;
    looks->uid = looks->asker->uid;
    looks->inode = looks->asker->inode;
    launcher_line_say(
        looks->line,
        &(struct errand){.kind = ERRAND_CALLER, .place = looks->uid, .number = looks->inode});
}

static enum error take_program(struct looks *looks, const struct errand *errand)
{
    struct looks_wait *asker = looks->asker;

    if (!looks->asked || errand->place != looks->uid || errand->number != looks->inode ||
        strlen(errand->text) >= CALLER_PROGRAM_SIZE)
        return ERROR_SYNTAX;
    looks->asked = false;
    if (asker != NULL)
        take_off(looks, asker);
    ask(looks);
    if (asker != NULL)
        asker->found(asker, errand->text[0] != '\0' ? errand->text : NULL);
    set_patience(looks);
    return OK;
}

static enum error take_proof(struct looks *looks, const struct errand *errand, int fd)
{
    const struct proof proof = {.status = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1,
                                .landlock = errand->place,
                                .tried = errand->number >> 16,
                                .refused = errand->number & UINT16_MAX};

    if (looks->looker->proof.tried == 0 && proof.tried != 0 && (fd < 0 || proof_is_status(fd))) {
        proven_take(looks->looker, &proof);
        return OK;
    }
    if (proof.status >= 0)
        close(proof.status);
    return ERROR_SYNTAX;
}

static enum error on_word(void *context, const struct errand *errand, int fd)
{
    enum error error = ERROR_SYNTAX;

    if (errand->kind == ERRAND_PROOF)
        error = take_proof(context, errand, fd);
    else if (errand->kind == ERRAND_PROGRAM && fd < 0)
        error = take_program(context, errand);
    if (fd >= 0)
        close(fd);
    return error;
}

/* Whoever waits is asked about again when there is another one. */
static void forget_looker(struct looks *looks)
{
    looks->line = NULL;
    looks->asked = false;
    looks->asker = NULL;
    proven_drop(looks->looker);
}

static void on_lost(void *context)
{
    forget_looker(context);
}

void looks_take_looker(struct looks *looks, int fd, pid_t pid)
{
    if (looks->line != NULL) {
        launcher_line_close(looks->line);
        forget_looker(looks);
    }
    looks->line = launcher_line_open(
        looks->loop, fd, &(struct launcher_listener){"looker", on_word, on_lost, looks});
    looks->looker->pid = pid;
    ask(looks);
}

/* ---- The whole ---- */

enum error looks_create(uv_loop_t *loop, struct proven *looker, struct looks **out)
{
    struct looks *looks = calloc(1, sizeof(*looks));

    if (looks == NULL)
        return ERROR_MEMORY;
    looks->loop = loop;
    looks->end = &looks->first;
    looks->looker = looker;
    (void)uv_timer_init(loop, &looks->patience); /* which never fails */
    looks->patience.data = looks;
    *out = looks;
    return OK;
}

void looks_destroy(struct looks *looks)
{
    if (looks == NULL)
        return;
    launcher_line_destroy(looks->line);
    forget_looker(looks);
    free(looks);
}

void looks_find(struct looks *looks, struct looks_wait *wait)
{
    wait->since = uv_now(looks->loop);
    put_on(looks, wait);
    ask(looks);
    set_patience(looks);
}

void looks_forget(struct looks *looks, struct looks_wait *wait)
{
    if (wait->at != NULL)
        take_off(looks, wait);
}
