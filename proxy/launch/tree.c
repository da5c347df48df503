#include "launch/launcher_tree.h"

#include "launch/keeper.h"
#include "launch/passing.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static void on_started(struct tree *tree, const struct keeper_word *word, int *descriptor)
{
    (void)word;
    (void)descriptor;
    if (tree->events.started != NULL)
        tree->events.started(tree->data);
}

static void explain(struct tree *tree, uint32_t step, int error)
{
    const char *remedy = step_remedy(step);

    (void)!error_explain(tree->why, ERROR_IO, "%s: %s%s%s", step_what(step), strerror(error),
                         remedy[0] != '\0' ? "; " : "", remedy);
}

static void on_failed(struct tree *tree, const struct keeper_word *word, int *descriptor)
{
    (void)descriptor;
    explain(tree, word->step, word->value);
}

static void on_port(struct tree *tree, const struct keeper_word *word, int *descriptor)
{
    (void)descriptor;
    if (tree->events.port != NULL)
        tree->events.port(tree->data, &word->port);
}

static void on_refused(struct tree *tree, const struct keeper_word *word, int *descriptor)
{
    (void)descriptor;
    if (tree->events.refused != NULL)
        tree->events.refused(tree->data, &word->refusal);
}

static void on_listed(struct tree *tree, const struct keeper_word *word, int *descriptor)
{
    (void)word;
    (void)descriptor;
    if (tree->events.listed != NULL)
        tree->events.listed(tree->data);
}

static void on_exited(struct tree *tree, const struct keeper_word *word, int *descriptor)
{
    (void)descriptor;
    tree->status = word->value;
}

static void on_dialed(struct tree *tree, const struct keeper_word *word, int *descriptor)
{
    for (size_t i = 0; i < tree->dial_count; i++) {
        tree_dialed *done = tree->dials[i].done;
        void *data = tree->dials[i].data;
        int socket = *descriptor;

        if (tree->dials[i].number != word->number)
            continue;
        tree->dials[i] = tree->dials[--tree->dial_count];
        *descriptor = -1;
        done(data, socket, socket >= 0 ? 0 : word->value);
        return;
    }
}

static void (*const handlers[])(struct tree *, const struct keeper_word *, int *) = {
    [KEEPER_STARTED] = on_started, [KEEPER_FAILED] = on_failed, [KEEPER_PORT] = on_port,
    [KEEPER_REFUSED] = on_refused, [KEEPER_DIALED] = on_dialed, [KEEPER_LISTED] = on_listed,
    [KEEPER_EXITED] = on_exited,
};

/* Takes one word, if there is one. What the keeper says is checked for its form alone: it speaks
 * of its own tree. */
static bool take_word(struct tree *tree)
{
    struct keeper_word word;
    int descriptor = -1;
    size_t count = 1;
    enum error error =
        passing_receive(tree->channel, &word, sizeof(word), &descriptor, &count);

    if (error == ERROR_STATE)
        return false;
    if (error != OK || word.type == 0 || word.type >= sizeof(handlers) / sizeof(handlers[0])) {
        passing_close(&descriptor);
        tree_kill(tree);
        return false;
    }
    word.port.program[PORT_PROGRAM_SIZE - 1] = '\0';
    word.refusal.program[PORT_PROGRAM_SIZE - 1] = '\0';
    handlers[word.type](tree, &word, &descriptor);
    passing_close(&descriptor);
    return true;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status != 0)
        tree_kill(poll->data);
    else
        (void)take_word(poll->data);
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
    tree_end(tree);
}

enum error tree_create(uv_loop_t *loop, const struct tree_options *options, int channel,
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
    tree->status = SIGKILL;
    tree->events = options->events;
    tree->data = options->data;
    tree->channel_poll.data = tree->pidfd_poll.data = tree;
    uv_poll_start(&tree->channel_poll, UV_READABLE, on_channel);
    *out = tree;
    return OK;
}

void tree_list_add(struct tree_list *list, struct tree *tree)
{
    tree->list = list;
    tree->next = list->first;
    list->first = tree;
    list->count++;
}

static void leave_list(struct tree *tree)
{
    struct tree **at = &tree->list->first;

    while (*at != tree)
        at = &(*at)->next;
    *at = tree->next;
    tree->list->count--;
}

void tree_never_made(struct tree *tree, int error)
{
    explain(tree, STEP_CLONE, error);
    tree_end(tree);
}

void tree_made(struct tree *tree, int pidfd)
{
    tree->pidfd = pidfd;
    if (tree->killed)
        tree_kill(tree);
    if (uv_poll_init(tree->channel_poll.loop, &tree->pidfd_poll, pidfd) != 0) {
        tree_kill(tree);
        passing_close(&tree->pidfd);
        tree_end(tree);
        return;
    }
    tree->holders++;
    uv_poll_start(&tree->pidfd_poll, UV_READABLE, on_pidfd);
}

static void fail_dials(struct tree *tree)
{
    while (tree->dial_count > 0) {
        tree->dial_count--;
        tree->dials[tree->dial_count].done(tree->dials[tree->dial_count].data, -1, ECONNRESET);
    }
}

void tree_end(struct tree *tree)
{
    if (tree->ended)
        return;
    tree->ended = true;
    close_channel(tree);
    if (tree->pidfd >= 0) {
        uv_close((uv_handle_t *)&tree->pidfd_poll, on_closed);
        passing_close(&tree->pidfd);
    }
    leave_list(tree);
    fail_dials(tree);
    if (tree->events.ended != NULL)
        tree->events.ended(tree->data, tree->status, tree->why);
    release(tree);
}

void tree_kill(struct tree *tree)
{
    tree->killed = true;
    if (tree->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, tree->pidfd, SIGKILL, NULL, 0);
    close_channel(tree); /* which the keeper takes for its parent's end */
}

void tree_forget(struct tree *tree)
{
    tree->events = (struct tree_events){0};
    tree->dial_count = 0;
    tree_kill(tree);
    tree_end(tree);
}

static enum error ask(struct tree *tree, uint32_t type, uint32_t value)
{
    struct keeper_ask question = {.type = type, .number = ++tree->asked, .value = value};

    if (tree->channel < 0)
        return ERROR_STATE;
    return passing_send(tree->channel, &question, sizeof(question), NULL, 0);
}

enum error tree_dial(struct tree *tree, uint16_t port, tree_dialed *done, void *data)
{
    enum error error;

    if (tree->dial_count == TREE_DIALS_MAX)
        return ERROR_LIMIT;
    error = ask(tree, KEEPER_DIAL, port);
    if (error != OK)
        return error;
    tree->dials[tree->dial_count].number = tree->asked;
    tree->dials[tree->dial_count].done = done;
    tree->dials[tree->dial_count++].data = data;
    return OK;
}

enum error tree_list(struct tree *tree)
{
    return ask(tree, KEEPER_LIST, 0);
}

enum error tree_signal(struct tree *tree, int number)
{
    return ask(tree, KEEPER_SIGNAL, (uint32_t)number);
}
