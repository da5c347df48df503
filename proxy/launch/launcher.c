#include "launch/launcher.h"

#include "launch/common/passing.h"
#include "launch/keeper/spawner.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct launcher {
    uv_poll_t poll; /* of the spawner's channel */
    int channel;
    bool lost; /* the spawner has gone */
    uint32_t numbers;
    struct trees trees;
};

static void on_spawner(uv_poll_t *poll, int status, int events)
{
    struct launcher *launcher = poll->data;
    struct spawner_word word;
    int given[TREE_DESCRIPTORS] = {-1, -1};
    size_t count = TREE_DESCRIPTORS;
    enum error error = ERROR_IO;

    (void)events;
    if (status == 0)
        error = passing_receive(launcher->channel, &word, sizeof(word), given, &count);
    if (error == ERROR_STATE)
        return;
    if (error != OK) {
        uv_poll_stop(&launcher->poll);
        launcher->lost = true; /* the descriptor stays until its handle is closed */
        trees_lost(&launcher->trees);
        return;
    }
    trees_made(&launcher->trees, word.number, given, word.error);
}

enum error launcher_create(uv_loop_t *loop, int channel, struct launcher **out)
{
    struct launcher *launcher = calloc(1, sizeof(*launcher));

    if (launcher == NULL)
        return ERROR_MEMORY;
    if (uv_poll_init(loop, &launcher->poll, channel) != 0) {
        free(launcher);
        return ERROR_IO;
    }
    launcher->channel = launcher->trees.spawner = channel;
    launcher->poll.data = launcher;
    uv_poll_start(&launcher->poll, UV_READABLE, on_spawner);
    *out = launcher;
    return OK;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void launcher_destroy(struct launcher *launcher)
{
    if (launcher == NULL)
        return;
    trees_forget(&launcher->trees);
    uv_close((uv_handle_t *)&launcher->poll, on_closed);
    passing_close(&launcher->channel);
}

/* `given` is command and channel; the others follow. */
static enum error ask_spawner(struct launcher *launcher, const struct tree_options *options,
                              const int given[2], uint32_t number)
{
    struct spawner_ask ask = {.type = SPAWNER_MAKE,
                              .number = number,
                              .relay = options->relay,
                              .record = options->record != NULL && *options->record >= 0,
                              .memory_mib = options->command.memory_mib,
                              .processes = options->command.processes};
    int descriptors[2 + STANDARD_COUNT + 1] = {given[0], given[1]};
    size_t count = 2;

    for (int i = 0; i < STANDARD_COUNT; i++) {
        if (options->standard[i] < 0)
            continue;
        ask.standard |= 1u << i;
        descriptors[count++] = options->standard[i];
    }
    if (ask.record != 0)
        descriptors[count++] = *options->record;
    return passing_send(launcher->channel, &ask, sizeof(ask), descriptors, count);
}

enum error launcher_start(struct launcher *launcher, const struct tree_options *options,
                          struct tree **out)
{
    int pair[2] = {-1, -1}, command = -1;
    uint32_t number = launcher->numbers + 1;
    enum error error;

    if (launcher->lost)
        return ERROR_NOT_FOUND;
    if (launcher->trees.count == LAUNCHER_TREES_MAX)
        return ERROR_LIMIT;
    error = command_pack(&options->command, &command);
    if (error == OK)
        error = passing_pair(pair, 1);
    if (error == OK)
        error = ask_spawner(launcher, options, (int[]){command, pair[1]}, number);
    if (error == OK)
        error = trees_add(&launcher->trees, launcher->poll.loop, options, number, pair[0], out);
    passing_close(&command);
    passing_close(&pair[1]);
    if (error != OK) {
        passing_close(&pair[0]);
        return error;
    }
    launcher->numbers = number;
    return OK;
}
