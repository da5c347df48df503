#include "broker/admission/waiting.h"

#include "base/secret.h"

#include <stdlib.h>

/* Whose it is: a session's, or the calling user's as long as there is none. */
struct place {
    enum quota row, of_surface;
    struct quota_holder holder;
};

struct waiting {
    struct waiting *next, **at; /* what points to it */
    struct hash_entry asked;    /* of gate->asked */
    struct question question;
    waiting_abandon *abandon;
    void *work;
    struct place place;
    union {
        struct ipc_admit admit;
        struct ipc_dial dial;
    } message; /* its texts point into `bytes` */
    size_t length;
    unsigned char bytes[]; /* what the worker said, encoded once more */
};

/* Its bytes hold credentials. */
static void discard(struct waiting *waiting)
{
    secret_wipe(waiting->bytes, waiting->length);
    free(waiting);
}

static struct place place_of(const struct question *question)
{
    uint32_t surface = surfaces_index(&question->gate->surfaces, question->surface);

    if (question->session.id[0] != '\0')
        return (struct place){QUOTA_QUESTIONS, QUOTA_SURFACE_QUESTIONS,
                              quota_session(surface, question->session.id)};
    return (struct place){QUOTA_CALLER_QUESTIONS, QUOTA_SURFACE_QUESTIONS,
                          quota_caller(surface, question->caller_uid)};
}

static struct place place_of_link(const struct question *question)
{
    uint32_t surface = surfaces_index(&question->gate->surfaces, question->surface);

    return (struct place){QUOTA_LINKS, QUOTA_SURFACE_LINKS,
                          quota_session(surface, question->session.id)};
}

static uint64_t hash_of(struct incarnation worker, uint64_t connection)
{
    return hash_bytes(worker.generation, &connection, sizeof(connection));
}

/* Whose request it was; of a link, whose it is to be. */
static uint64_t connection_of(const struct question *question)
{
    return question->message != NULL ? question->message->connection : question->dial->connection;
}

/* A place of its own, and one of the surface's. */
static bool take_place(struct quotas *quotas, struct place place)
{
    if (!reason_allows(quota_take(quotas, place.row, place.holder)))
        return false;
    if (reason_allows(quota_take(quotas, place.of_surface, quota_surface(place.holder.surface))))
        return true;
    quota_give(quotas, place.row, place.holder);
    return false;
}

static void give_place(struct quotas *quotas, struct place place)
{
    quota_give(quotas, place.row, place.holder);
    quota_give(quotas, place.of_surface, quota_surface(place.holder.surface));
}

static bool is_full(const struct quotas *quotas, struct place place)
{
    return quota_is_full(quotas, place.row, place.holder) ||
           quota_is_full(quotas, place.of_surface, quota_surface(place.holder.surface));
}

enum reason waiting_refusal(const struct question *question)
{
    const struct quotas *quotas = question->gate->quotas;
    bool full = is_full(quotas, place_of(question)) || is_full(quotas, place_of_link(question));

    return full ? REASON_QUOTA_QUESTIONS : REASON_OUT_OF_MEMORY;
}

/* The message's own structure, its texts in memory that stays. */
static enum error keep_message(struct waiting *waiting, enum ipc_type type)
{
    struct question *question = &waiting->question;

    question->message = NULL;
    question->dial = NULL;
    if (ipc_decode(type, waiting->bytes, waiting->length, &waiting->message) != OK)
        return ERROR_SYNTAX;
    if (type == IPC_ADMIT)
        question->message = &waiting->message.admit;
    else
        question->dial = &waiting->message.dial;
    question_read_request(question);
    return OK;
}

/* A copy of the question, which owns nothing yet. */
static struct waiting *copy(const struct question *question)
{
    enum ipc_type type = question->message != NULL ? IPC_ADMIT : IPC_DIAL;
    struct waiting *waiting = malloc(sizeof(*waiting) + IPC_MESSAGE_BYTES_MAX), *fitting;
    struct ipc_writer writer;

    if (waiting == NULL)
        return NULL;
    writer = (struct ipc_writer){.bytes = waiting->bytes};
    ipc_encode(&writer, type, type == IPC_ADMIT ? (const void *)question->message : question->dial);
    fitting = realloc(waiting, sizeof(*waiting) + writer.length);
    waiting = fitting != NULL ? fitting : waiting;
    waiting->length = writer.length;
    waiting->question = *question;
    if (!writer.failed && keep_message(waiting, type) == OK)
        return waiting;
    discard(waiting);
    return NULL;
}

static struct waiting *keep(struct question *question, struct place place, waiting_abandon *abandon,
                            void *work)
{
    struct gate *gate = question->gate;
    struct waiting *waiting;

    if (!take_place(gate->quotas, place))
        return NULL;
    waiting = copy(question);
    if (waiting == NULL) {
        give_place(gate->quotas, place);
        return NULL;
    }
    waiting->place = place;
    waiting->abandon = abandon;
    waiting->work = work;
    waiting->next = gate->waiting;
    waiting->at = &gate->waiting;
    if (waiting->next != NULL)
        waiting->next->at = &waiting->next;
    gate->waiting = waiting;
    hash_add(&gate->asked, &waiting->asked,
             hash_of(waiting->question.from, connection_of(&waiting->question)));
    question_disown(question);
    return waiting;
}

struct waiting *waiting_keep(struct question *question, waiting_abandon *abandon, void *work)
{
    return keep(question, place_of(question), abandon, work);
}

struct waiting *waiting_keep_for_link(struct question *question, waiting_abandon *abandon,
                                      void *work)
{
    return keep(question, place_of_link(question), abandon, work);
}

bool waiting_for(const struct gate *gate, struct incarnation worker, uint64_t connection)
{
    struct hash_entry *entry = hash_first(&gate->asked, hash_of(worker, connection));

    for (; entry != NULL; entry = hash_next(entry)) {
        const struct question *question = &HASH_OWNER(entry, struct waiting, asked)->question;

        if (question->from.generation == worker.generation && question->message != NULL &&
            question->message->connection == connection)
            return true;
    }
    return false;
}

struct question *waiting_question(struct waiting *waiting)
{
    return &waiting->question;
}

static void take_off(struct waiting *waiting)
{
    hash_remove(&waiting->question.gate->asked, &waiting->asked);
    *waiting->at = waiting->next;
    if (waiting->next != NULL)
        waiting->next->at = waiting->at;
    give_place(waiting->question.gate->quotas, waiting->place);
}

static void destroy(struct waiting *waiting)
{
    question_clear(&waiting->question);
    discard(waiting);
}

void waiting_settle(struct waiting *waiting, enum reason reason, waiting_resume *resume, void *work)
{
    struct question *question = &waiting->question;

    take_off(waiting);
    if (reason_allows(reason))
        reason = authenticate_again(question);
    if (reason_allows(reason))
        resume(question, work);
    else
        question_refuse(question, reason);
    destroy(waiting);
}

void waiting_finish(struct waiting *waiting, waiting_resume *resume, void *work)
{
    take_off(waiting);
    resume(&waiting->question, work);
    destroy(waiting);
}

static void abandon(struct waiting *waiting)
{
    take_off(waiting);
    waiting->abandon(waiting->work);
    destroy(waiting);
}

void waiting_forget(struct gate *gate, struct incarnation worker)
{
    struct waiting *next;

    for (struct waiting *waiting = gate->waiting; waiting != NULL; waiting = next) {
        next = waiting->next;
        if (waiting->question.from.generation == worker.generation)
            abandon(waiting);
    }
}

void waiting_stop(struct gate *gate)
{
    struct waiting *next;

    for (struct waiting *waiting = gate->waiting; waiting != NULL; waiting = next) {
        next = waiting->next;
        abandon(waiting);
    }
    hash_clear(&gate->asked);
}
