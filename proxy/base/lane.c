#include "base/lane.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    struct lane_job *first, **end;
};

struct lane {
    pthread_t thread;
    const char *name;
    pthread_mutex_t lock; /* of what follows, to `stop` */
    pthread_cond_t given;
    struct queue todo, finished;
    bool stop;
    int fd;             /* an eventfd */
    size_t outstanding; /* the owner's: given, and `done` not called yet */
};

static void queue_init(struct queue *queue)
{
    *queue = (struct queue){NULL, &queue->first};
}

static void push(struct queue *queue, struct lane_job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
}

static struct lane_job *pop(struct queue *queue)
{
    struct lane_job *job = queue->first;

    if (job != NULL && (queue->first = job->next) == NULL)
        queue->end = &queue->first;
    return job;
}

/* An eventfd's write fails only where its count would overflow; then it is readable anyway. */
static void wake(const struct lane *lane)
{
    const uint64_t one = 1;

    (void)!write(lane->fd, &one, sizeof(one));
}

static void *run(void *context)
{
    struct lane *lane = context;
    struct lane_job *job;

    /* Of itself: to name another thread, a file is written (proc(5), comm). */
    (void)pthread_setname_np(pthread_self(), lane->name);
    pthread_mutex_lock(&lane->lock);
    for (;;) {
        while (lane->todo.first == NULL && !lane->stop)
            pthread_cond_wait(&lane->given, &lane->lock);
        job = pop(&lane->todo);
        if (job == NULL)
            break;
        pthread_mutex_unlock(&lane->lock);
        job->work(job);
        pthread_mutex_lock(&lane->lock);
        push(&lane->finished, job);
        wake(lane);
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

/* A signal is for the loop, which has it in a descriptor. */
static bool start(struct lane *lane)
{
    sigset_t all, before;
    bool started;

    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    started = pthread_create(&lane->thread, NULL, run, lane) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

enum error lane_create(const char *name, struct lane **out)
{
    struct lane *lane = calloc(1, sizeof(*lane));

    if (lane == NULL)
        return ERROR_MEMORY;
    lane->name = name;
    queue_init(&lane->todo);
    queue_init(&lane->finished);
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->given, NULL);
    lane->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lane->fd < 0 || !start(lane)) {
        if (lane->fd >= 0)
            close(lane->fd);
        free(lane);
        return ERROR_IO;
    }
    *out = lane;
    return OK;
}

void lane_give(struct lane *lane, struct lane_job *job)
{
    lane->outstanding++;
    pthread_mutex_lock(&lane->lock);
    push(&lane->todo, job);
    pthread_cond_signal(&lane->given);
    pthread_mutex_unlock(&lane->lock);
}

int lane_fd(const struct lane *lane)
{
    return lane->fd;
}

static struct lane_job *take_finished(struct lane *lane)
{
    struct lane_job *job;

    pthread_mutex_lock(&lane->lock);
    job = pop(&lane->finished);
    pthread_mutex_unlock(&lane->lock);
    return job;
}

void lane_reap(struct lane *lane)
{
    struct lane_job *job;
    uint64_t count;

    (void)!read(lane->fd, &count, sizeof(count));
    for (size_t i = 0; i < LANE_TURN_JOBS; i++) {
        job = take_finished(lane);
        if (job == NULL)
            return;
        lane->outstanding--;
        job->done(job);
    }
    wake(lane); /* there may be more */
}

void lane_finish(struct lane *lane)
{
    struct pollfd ready = {.fd = lane->fd, .events = POLLIN};

    while (lane->outstanding > 0) {
        if (poll(&ready, 1, -1) > 0)
            lane_reap(lane);
    }
}

void lane_destroy(struct lane *lane)
{
    if (lane == NULL)
        return;
    lane_finish(lane);
    pthread_mutex_lock(&lane->lock);
    lane->stop = true;
    pthread_cond_signal(&lane->given);
    pthread_mutex_unlock(&lane->lock);
    pthread_join(lane->thread, NULL);
    pthread_cond_destroy(&lane->given);
    pthread_mutex_destroy(&lane->lock);
    close(lane->fd);
    free(lane);
}

void lane_leave(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    queue_init(&lane->todo);
    lane->stop = true;
    pthread_cond_signal(&lane->given);
    pthread_mutex_unlock(&lane->lock);
    pthread_detach(lane->thread);
}
