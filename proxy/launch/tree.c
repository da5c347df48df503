#include "launch/tree.h"

#include "launch/common/passing.h"
#include "launch/dials.h"
#include "launch/keeper/keeper.h"
#include "launch/keeper/spawner.h"
#include "launch/strain.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct tree {
    struct trees *trees; /* that it is among */
    struct tree *next;
    uint32_t number;
    struct tree_events events;
    void *data;
    uv_poll_t channel_poll, pidfd_poll;
    int channel, pidfd; /* -1: not, or not yet */
    unsigned holders;   /* its handles that are not closed yet, and its end that is to come */
    bool started, killed, ended;
    int status;
    char why[WHY_SIZE];
    uint32_t asked; /* the number of the last question */
    struct dials dials;
    struct strain strain;
};

static void release(struct tree *tree)
{
    if (--tree->holders == 0)
        free(tree);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void close_channel(struct tree *tree)
{
    if (tree->channel < 0)
        return;
    uv_close((uv_handle_t *)&tree->channel_poll, on_closed);
    passing_close(&tree->channel);
}

static void explain(struct tree *tree, uint32_t step, int error)
{
    const char *remedy = step_remedy(step);

    (void)!error_explain(tree->why, ERROR_IO, "%s: %s%s%s", step_what(step), strerror(error),
                         remedy[0] != '\0' ? "; " : "", remedy);
}

/* What the keeper says is checked for its form alone: it speaks of its own tree. */
static enum error hear(struct tree *tree, const struct keeper_word *word)
{
    const struct tree_events *events = &tree->events;

    switch (word->type) {
    case KEEPER_FAILED:
        explain(tree, word->step, word->value);
        return OK;
    case KEEPER_PORT:
        if (events->port != NULL)
            events->port(tree->data, &word->port);
        return OK;
    case KEEPER_REFUSED:
        if (events->refused != NULL)
            events->refused(tree->data, &word->refusal);
        return OK;
    case KEEPER_LISTED:
        if (events->listed != NULL)
            events->listed(tree->data);
        return OK;
    case KEEPER_EXITED:
        tree->status = word->value;
        return OK;
    default:
        return ERROR_INVALID;
    }
}

/* Once, of a process: whoever has the word keeps its descriptor. */
static enum error hear_start(struct tree *tree, const struct keeper_word *word, int *status)
{
    struct proof proof = word->proof;

    if (tree->started || word->value <= 0)
        return ERROR_INVALID;
    tree->started = true;
    proof.status = *status;
    *status = -1;
    if (tree->events.started != NULL)
        tree->events.started(tree->data, &proof, word->value);
    else
        passing_close(&proof.status);
    return OK;
}

/* Takes one word, if there is one. */
static bool take_word(struct tree *tree)
{
    struct keeper_word word;
    int descriptor = -1;
    size_t count = 1;
    enum error error = passing_receive(tree->channel, &word, sizeof(word), &descriptor, &count);

    if (error == ERROR_STATE)
        return false;
    if (error == OK && word.type == KEEPER_DIALED) {
        dials_answer(&tree->dials, word.number, descriptor, word.value);
        return true;
    }
    if (error == OK && word.type == KEEPER_STARTED && hear_start(tree, &word, &descriptor) == OK)
        return true;
    passing_close(&descriptor);
    word.port.program[PORT_PROGRAM_SIZE - 1] = '\0';
    word.refusal.program[PORT_PROGRAM_SIZE - 1] = '\0';
    word.refusal.path[EXECUTION_SHOWN_SIZE - 1] = '\0';
    word.refusal.limit = LIMIT_NONE;
    if (error == OK && hear(tree, &word) == OK)
        return true;
    tree_kill(tree);
    return false;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status != 0)
        tree_kill(poll->data);
    else
        (void)take_word(poll->data);
}

static void leave(struct trees *trees, const struct tree *tree)
{
    struct tree **at = &trees->first;

    while (*at != tree)
        at = &(*at)->next;
    *at = tree->next;
    trees->count--;
}

static void on_strain(void *data, enum refusal_limit limit)
{
    const struct tree *tree = data;
    const struct refusal refusal = {.limit = limit};

    if (tree->events.refused != NULL)
        tree->events.refused(tree->data, &refusal);
}

/* One that cannot be told now removes it when it starts again. */
static void leave_group(struct tree *tree)
{
    const struct spawner_ask ask = {.type = SPAWNER_FORGET, .number = tree->number};

    if (strain_end(&tree->strain, on_closed))
        (void)!passing_send(tree->trees->spawner, &ask, sizeof(ask), NULL, 0);
}

/* Nothing of it is left, or nothing ever was. */
static void end(struct tree *tree)
{
    if (tree->ended)
        return;
    tree->ended = true;
    close_channel(tree);
    if (tree->pidfd >= 0) {
        uv_close((uv_handle_t *)&tree->pidfd_poll, on_closed);
        passing_close(&tree->pidfd);
    }
    leave_group(tree);
    leave(tree->trees, tree);
    dials_fail(&tree->dials, ECONNRESET);
    if (tree->events.ended != NULL)
        tree->events.ended(tree->data, tree->status, tree->why);
    release(tree);
}

/* The keeper has ended, which the kernel lets it do after everybody else of its PID namespace.
 * What it said before is still to be read. */
static void on_pidfd(uv_poll_t *poll, int status, int events)
{
    struct tree *tree = poll->data;

    (void)status;
    (void)events;
    while (tree->channel >= 0 && take_word(tree))
        ;
    end(tree);
}

static enum error create(uv_loop_t *loop, const struct tree_options *options, int channel,
                         struct tree **out)
{
    struct tree *tree = calloc(1, sizeof(*tree));

    if (tree == NULL)
        return ERROR_MEMORY;
    if (uv_poll_init(loop, &tree->channel_poll, channel) != 0) {
        free(tree);
        return ERROR_IO;
    }
    tree->holders = 2; /* the loop's handle, and whoever is to be told of its end */
    tree->channel = channel;
    tree->pidfd = -1;
    strain_init(&tree->strain, tree, on_strain);
    tree->status = SIGKILL;
    tree->events = options->events;
    tree->data = options->data;
    tree->channel_poll.data = tree->pidfd_poll.data = tree;
    *out = tree;
    return OK;
}

enum error trees_add(struct trees *trees, uv_loop_t *loop, const struct tree_options *options,
                     uint32_t number, int channel, struct tree **out)
{
    struct tree *tree;
    enum error error = create(loop, options, channel, &tree);

    if (error != OK)
        return error;
    tree->number = number;
    tree->trees = trees;
    tree->next = trees->first;
    trees->first = tree;
    trees->count++;
    *out = tree;
    return OK;
}

void tree_kill(struct tree *tree)
{
    tree->killed = true;
    if (tree->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, tree->pidfd, SIGKILL, NULL, 0);
    close_channel(tree); /* which the keeper takes for its parent's end */
}

/* proc(5) says it of a pidfd. */
pid_t tree_pid(const struct tree *tree)
{
    char path[64], line[128];
    long pid = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", tree->pidfd);
    file = tree->pidfd >= 0 ? fopen(path, "re") : NULL;
    while (file != NULL && pid == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "Pid:", 4) == 0)
            pid = strtol(line + 4, NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return pid > 0 ? (pid_t)pid : 0;
}

/* Only now its keeper is heard: nothing is told of a tree that has no number yet. */
static void watch(struct tree *tree, const int given[TREE_DESCRIPTORS])
{
    tree->pidfd = given[TREE_PIDFD];
    tree->holders += strain_begin(&tree->strain, tree->channel_poll.loop, given[TREE_GROUP]);
    if (tree->killed)
        tree_kill(tree);
    if (uv_poll_init(tree->channel_poll.loop, &tree->pidfd_poll, tree->pidfd) != 0) {
        tree_kill(tree);
        passing_close(&tree->pidfd);
        end(tree);
        return;
    }
    tree->holders++;
    uv_poll_start(&tree->pidfd_poll, UV_READABLE, on_pidfd);
    if (tree->channel >= 0)
        uv_poll_start(&tree->channel_poll, UV_READABLE, on_channel);
}

void trees_made(struct trees *trees, uint32_t number, int given[TREE_DESCRIPTORS], int error)
{
    struct tree *tree = trees->first;

    while (tree != NULL && tree->number != number)
        tree = tree->next;
    if (tree == NULL || tree->pidfd >= 0) {
        passing_close(
            &given[TREE_PIDFD]); /* forgotten meanwhile: its channel was closed; or made */
        passing_close(&given[TREE_GROUP]);
    } else if (given[TREE_PIDFD] >= 0) {
        watch(tree, given);
    } else {
        explain(tree, STEP_CLONE, error);
        end(tree);
    }
}

void trees_lost(struct trees *trees)
{
    struct tree *next;

    for (struct tree *tree = trees->first; tree != NULL; tree = next) {
        next = tree->next;
        tree_kill(tree);
        if (tree->pidfd < 0)
            end(tree);
    }
}

void trees_forget(struct trees *trees)
{
    struct tree *next;

    for (struct tree *tree = trees->first; tree != NULL; tree = next) {
        next = tree->next;
        tree->events = (struct tree_events){0};
        tree->dials.count = 0;
        tree_kill(tree);
        end(tree);
    }
}

static enum error ask(struct tree *tree, uint32_t type, uint32_t value)
{
    struct keeper_ask question = {.type = type, .number = ++tree->asked, .value = value};

    if (tree->channel < 0)
        return ERROR_STATE;
    return passing_send(tree->channel, &question, sizeof(question), NULL, 0);
}

static enum error ask_descriptor(struct tree *tree, uint32_t type, uint32_t value, dial_done *done,
                                 void *data)
{
    enum error error;

    if (tree->dials.count == DIALS_MAX)
        return ERROR_LIMIT;
    error = ask(tree, type, value);
    if (error != OK)
        return error;
    dials_add(&tree->dials, tree->asked, done, data);
    return OK;
}

enum error tree_dial(struct tree *tree, uint16_t port, dial_done *done, void *data)
{
    return ask_descriptor(tree, KEEPER_DIAL, port, done, data);
}

enum error tree_enter(struct tree *tree, dial_done *done, void *data)
{
    return ask_descriptor(tree, KEEPER_ENTER, 0, done, data);
}

enum error tree_list(struct tree *tree)
{
    return ask(tree, KEEPER_LIST, 0);
}

enum error tree_signal(struct tree *tree, int number)
{
    return ask(tree, KEEPER_SIGNAL, (uint32_t)number);
}
