#include "cli/wrap/learnt.h"

#include "cli/wrap/policy.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAST_TURNS_MAX 64
#define ROOM_BYTES     (4 << 20) /* of records on their way; the kernel gives less where it must */

enum error learnt_open(struct learnt *learnt, int *other)
{
    int pair[2], room = ROOM_BYTES;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return ERROR_IO;
    if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
        (void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    learnt->channel = pair[0];
    *other = pair[1];
    return OK;
}

/* Files of the kernel and devices are none that a limit holds. */
static bool is_special(const char *path)
{
    return policy_is_below(path, "/proc") || policy_is_below(path, "/sys") ||
           (policy_is_below(path, "/dev") && !policy_is_below(path, "/dev/shm"));
}

/* Of what is not there any more nobody can say it. */
static bool may_write(const char *path)
{
    return !is_special(path) && (access(path, W_OK) == 0 || errno == ENOENT);
}

/* What lies in a directory that it made needs no row. */
static bool is_in_made(const struct learnt *learnt, const char *path)
{
    const struct text_list *made = &learnt->rows[RECORD_DIRECTORY];

    for (size_t i = 0; i < made->count; i++) {
        if (policy_is_below(path, made->items[i]))
            return true;
    }
    return false;
}

static bool matters(const struct learnt *learnt, const struct record *record)
{
    switch (record->kind) {
    case RECORD_CHANGE:
    case RECORD_ENTRY:
        return may_write(record->text) && !is_in_made(learnt, record->text);
    case RECORD_DIRECTORY:
    case RECORD_SPAN:
        return !is_special(record->text) && !is_in_made(learnt, record->text);
    default:
        return true;
    }
}

/* Of very many files the directories are enough. */
static void take_directory(struct learnt *learnt, const char *path)
{
    struct record record = {.kind = RECORD_ENTRY};
    const char *slash = strrchr(path, '/');

    snprintf(record.text, sizeof(record.text), "%.*s", slash > path ? (int)(slash - path) : 1,
             path);
    learnt_take(learnt, &record);
}

void learnt_take(struct learnt *learnt, const struct record *record)
{
    struct text_list *rows = &learnt->rows[record->kind];
    char port[32];
    const char *text = record->text;

    if (record->kind == RECORD_LOST) {
        learnt->lost += record->number;
        return;
    }
    if (record->kind == RECORD_BIND || record->kind == RECORD_LISTEN) {
        snprintf(port, sizeof(port), "%u/%.8s", record->number, record->text);
        text = port;
    }
    if (!matters(learnt, record) || text_list_contains(rows, span_of(text)))
        return;
    if (rows->count == LEARNT_ROWS_MAX && record->kind == RECORD_CHANGE)
        take_directory(learnt, text);
    else if (rows->count == LEARNT_ROWS_MAX || text_list_add(rows, text, strlen(text)) != OK)
        learnt->full[record->kind] = true;
}

bool learnt_hear(void *context)
{
    struct learnt *learnt = context;
    struct record record;

    for (int i = 0; i < LEARNT_RECORD_MAX; i++) {
        enum error error = record_receive(learnt->channel, &record);

        if (error == OK)
            learnt_take(learnt, &record);
        else if (error == ERROR_NOT_FOUND)
            return true;
        else if (error == ERROR_STATE)
            return false;
        else
            learnt->lost++;
    }
    return true;
}

/* More may be there than is taken in one turn. */
void learnt_end(struct learnt *learnt)
{
    struct pollfd polled = {.fd = learnt->channel, .events = POLLIN};

    for (int i = 0; i < LAST_TURNS_MAX; i++) {
        if (poll(&polled, 1, 0) != 1 || !learnt_hear(learnt))
            return;
    }
    learnt->lost++; /* one at least: somebody goes on */
}

bool learnt_is_partial(const struct learnt *learnt)
{
    bool partial = learnt->lost > 0;

    for (size_t i = 0; i < RECORD_KIND_COUNT; i++)
        partial = partial || learnt->full[i];
    return partial;
}

void learnt_clear(struct learnt *learnt)
{
    if (learnt->channel >= 0)
        close(learnt->channel);
    learnt->channel = -1;
    for (size_t i = 0; i < RECORD_KIND_COUNT; i++)
        text_list_clear(&learnt->rows[i]);
}
