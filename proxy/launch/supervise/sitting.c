#include "launch/supervise/sitting.h"

#include "base/log.h"
#include "launch/common/passing.h"
#include "launch/relay/words.h"
#include "setup/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEND_BUFFER_BYTES (512 * 1024) /* a request with a large stored record in one go */

static const struct surface *surface_of(const struct sitting *sitting)
{
    return config_surface(sitting->rooms->lives->bundle->config, sitting->rooms->name);
}

/* ---- The end ---- */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Nothing is said any more. The descriptor stays until its handle is closed, which would take
 * whoever has its number by then out of the loop. */
static void hang_up(struct sitting *sitting)
{
    if (sitting->hung_up)
        return;
    sitting->hung_up = true;
    uv_poll_stop(&sitting->poll);
}

static void forget(struct sitting *sitting)
{
    output_end(sitting->output);
    sitting->output = NULL;
    record_clear(&sitting->recorded);
    sitting->freeing = true;
    uv_close((uv_handle_t *)&sitting->poll, on_closed);
    passing_close(&sitting->channel);
}

static void look_whether_over(struct sitting *sitting)
{
    if (sitting->relay != NULL || sitting->processes != NULL || sitting->freeing)
        return;
    sitting->freeing = true;
    sitting->rooms->over(sitting->rooms->context, sitting);
    forget(sitting);
}

void sitting_end(struct sitting *sitting, bool now)
{
    sitting->ending = true;
    hang_up(sitting);
    if (sitting->relay != NULL)
        tree_kill(sitting->relay);
    for (struct process *process = sitting->processes; now && process != NULL;
         process = process->next)
        tree_kill(process->tree);
    look_whether_over(sitting);
}

void sitting_drop(struct sitting *sitting)
{
    struct process *process = sitting->processes, *next;

    for (; process != NULL; process = next) {
        next = process->next;
        output_end(process->output);
        free(process);
    }
    forget(sitting);
}

/* ---- What the relay is told ---- */

/* One that does not hear is ended: it is there to hear. */
static void tell(struct sitting *sitting, const struct relay_word *word, const int *fds,
                 size_t count)
{
    if (sitting->hung_up || passing_send(sitting->channel, word, sizeof(*word), fds, count) == OK)
        return;
    if (!sitting->ending)
        log_error("surface %s: a relay does not hear; it is ended", sitting->rooms->name);
    sitting_end(sitting, true);
}

static void tell_refused(struct sitting *sitting, uint32_t number, enum reason reason)
{
    tell(sitting,
         &(struct relay_word){.type = RELAY_REFUSED, .number = number, .value = (int32_t)reason},
         NULL, 0);
}

/* ---- Processes ---- */

static void take_in(struct process *process)
{
    struct sitting *sitting = process->sitting;

    process->next = sitting->processes;
    sitting->processes = process;
    sitting->process_count++;
    sitting->rooms->process_count++;
    sitting->rooms->counted(sitting->rooms->context);
}

static void take_out(struct process *process)
{
    struct sitting *sitting = process->sitting;
    struct process **at = &sitting->processes;

    while (*at != process)
        at = &(*at)->next;
    *at = process->next;
    sitting->process_count--;
    sitting->rooms->process_count--;
    sitting->rooms->counted(sitting->rooms->context);
}

static void tell_end(const struct process *process, int status, const char *failed)
{
    const struct sitting *sitting = process->sitting;

    if (failed[0] != '\0')
        log_error("surface %s: a process of it cannot be started: %s", sitting->rooms->name,
                  failed);
    else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        log_warning("surface %s: a process of it ended with exit code %d", sitting->rooms->name,
                    WEXITSTATUS(status));
    else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM)
        log_warning("surface %s: a process of it was ended by signal %d", sitting->rooms->name,
                    WTERMSIG(status));
}

/* Nothing of it is left. */
static void on_process_ended(void *data, int status, const char *failed)
{
    struct process *process = data;
    struct sitting *sitting = process->sitting;
    const struct relay_word word = {
        .type = RELAY_ENDED, .number = process->number, .value = status};

    tell_end(process, status, failed);
    take_out(process);
    output_end(process->output);
    free(process);
    if (sitting->ending)
        look_whether_over(sitting);
    else
        tell(sitting, &word, NULL, 0);
}

static void on_process_refused(void *data, const struct refusal *refusal)
{
    struct sitting *sitting = ((struct process *)data)->sitting;
    const struct stdio_rooms *rooms = sitting->rooms;

    refusal = refusals_tell(&sitting->refusals, rooms->name, rooms->lives->at_terminal, refusal);
    if (refusal != NULL)
        rooms->lives->refused(rooms->lives->context, rooms->slot, refusal);
}

struct ends {
    int input[2], output[2], errors; /* 0: the reader's, 1: the writer's */
};

static void close_ends(struct ends *ends)
{
    passing_close(&ends->input[0]);
    passing_close(&ends->input[1]);
    passing_close(&ends->output[0]);
    passing_close(&ends->output[1]);
    passing_close(&ends->errors);
}

static enum error open_ends(struct process *process, struct ends *ends)
{
    struct stdio_rooms *rooms = process->sitting->rooms;

    if (pipe2(ends->input, O_CLOEXEC) < 0 || pipe2(ends->output, O_CLOEXEC) < 0)
        return ERROR_IO;
    return output_open(rooms->lives->loop, rooms->name, &rooms->ration, &process->output,
                       &ends->errors);
}

static enum error launch(struct process *process, const struct command *command, struct ends *ends)
{
    struct tree_options options = {
        .command = *command,
        .standard = {ends->input[0], ends->output[1], ends->errors},
        .events = {.refused = on_process_refused, .ended = on_process_ended},
        .data = process};

    return launcher_start(process->sitting->rooms->lives->launcher, &options, &process->tree);
}

/* It is among the sitting's once it is started. */
static enum error start(struct sitting *sitting, uint32_t number, const struct command *command,
                        struct ends *ends)
{
    struct process *process = calloc(1, sizeof(*process));
    enum error error;

    if (process == NULL)
        return ERROR_MEMORY;
    process->sitting = sitting;
    process->number = number;
    error = open_ends(process, ends);
    if (error == OK)
        error = launch(process, command, ends);
    if (error != OK) {
        output_end(process->output);
        free(process);
        return error;
    }
    take_in(process);
    return OK;
}

static enum error find_and_start(struct sitting *sitting, uint32_t number, struct ends *ends)
{
    const struct surface *surface = surface_of(sitting);
    const struct surface_command *command = &sitting->recorded.command;
    struct service service;
    struct service_fault fault = {.text = "the configuration has no such surface any more"};
    enum error error = ERROR_INVALID;

    if (surface != NULL && surface->upstream_stdio)
        error = service_find_other(sitting->rooms->lives->bundle, surface,
                                   command->argument_count > 0 ? command : &surface->command,
                                   environ, &service, &fault);
    if (error != OK) {
        log_error("surface %s: a process of it cannot be started: %s", sitting->rooms->name,
                  fault.text);
        return error;
    }
    error = start(sitting, number, &service.command, ends);
    service_clear(&service);
    if (error != OK)
        log_error("surface %s: a process of it cannot be started: %s", sitting->rooms->name,
                  error_text(error));
    return error;
}

/* How many there may be, and how often; QUOTA_COUNT: one more is fine. */
static enum quota full(struct sitting *sitting)
{
    struct stdio_rooms *rooms = sitting->rooms;

    if (sitting->process_count >= quota_info(QUOTA_PROCESSES)->limit)
        return QUOTA_PROCESSES;
    if (rooms->process_count >= quota_info(QUOTA_SURFACE_PROCESSES)->limit)
        return QUOTA_SURFACE_PROCESSES;
    return quota_spend(&rooms->launches, QUOTA_LAUNCHES, uv_now(rooms->lives->loop))
               ? QUOTA_COUNT
               : QUOTA_LAUNCHES;
}

static void take_start(struct sitting *sitting, uint32_t number)
{
    struct ends ends = {{-1, -1}, {-1, -1}, -1};
    enum quota row = full(sitting);
    enum error error;

    if (row != QUOTA_COUNT) {
        sitting->rooms->refused(sitting->rooms->context, sitting, row);
        tell_refused(sitting, number, quota_info(row)->reason);
        return;
    }
    error = find_and_start(sitting, number, &ends);
    if (error == OK)
        tell(sitting, &(struct relay_word){.type = RELAY_STARTED, .number = number},
             (int[]){ends.input[1], ends.output[0]}, 2);
    else if (error == ERROR_NOT_FOUND)
        sitting->rooms->lives->lost(sitting->rooms->lives->context);
    else
        tell_refused(sitting, number, REASON_SERVICE_DOWN);
    close_ends(&ends);
}

/* ---- What the relay says ---- */

static enum error take(struct sitting *sitting, const struct relay_word *word)
{
    struct process *process = sitting->processes;

    while (process != NULL && process->number != word->number)
        process = process->next;
    if (word->type == RELAY_START && process == NULL)
        return take_start(sitting, word->number), OK;
    if (word->type == RELAY_REST) {
        if (word->number == sitting->links) /* else somebody has come meanwhile */
            sitting_end(sitting, true);
        return OK;
    }
    if (word->type != RELAY_STOP)
        return ERROR_SYNTAX;
    if (process != NULL) /* else it has ended meanwhile */
        tree_kill(process->tree);
    return OK;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct sitting *sitting = poll->data;
    struct relay_word word;
    int fds[1];
    size_t count = 0;
    enum error error = passing_receive(sitting->channel, &word, sizeof(word), fds, &count);

    (void)status; /* whatever it was: receiving tells */
    (void)events;
    if (error == OK)
        error = take(sitting, &word);
    if (error == OK || error == ERROR_STATE)
        return;
    if (error != ERROR_NOT_FOUND) /* it has gone: on_relay_ended() says so */
        log_error("surface %s: a relay says what none of ours says; it is ended",
                  sitting->rooms->name);
    sitting_end(sitting, true);
}

/* ---- The relay ---- */

static void on_relay_ended(void *data, int status, const char *failed)
{
    struct sitting *sitting = data;

    sitting->relay = NULL;
    output_end(sitting->output);
    sitting->output = NULL;
    if (!sitting->ending) {
        log_error("surface %s: a relay has ended (%s, status %d), and with it its session's "
                  "processes",
                  sitting->rooms->name, failed[0] != '\0' ? failed : "by itself", status);
        sitting_end(sitting, true);
    } else {
        look_whether_over(sitting);
    }
}

static enum error start_relay(struct sitting *sitting, int channel)
{
    static char name[] = "relay", *arguments[] = {name, NULL}, *nothing[] = {NULL};
    struct stdio_rooms *rooms = sitting->rooms;
    struct tree_options options = {.command = {.arguments = arguments,
                                               .environment = nothing,
                                               .directory = "/",
                                               .hidden = nothing,
                                               .uid = geteuid(),
                                               .gid = getegid()},
                                   .relay = true,
                                   .standard = {channel, -1, -1},
                                   .events = {.ended = on_relay_ended},
                                   .data = sitting};
    int writes;
    enum error error =
        output_open(rooms->lives->loop, rooms->name, &rooms->ration, &sitting->output, &writes);

    if (error != OK)
        return error;
    options.standard[STDERR_FILENO] = writes;
    error = launcher_start(rooms->lives->launcher, &options, &sitting->relay);
    close(writes);
    return error;
}

/* Its handle is there from then on: forget() lets go of it. */
static enum error open_channel(struct sitting *sitting, int *theirs)
{
    int pair[2];

    if (passing_pair(pair, 1) != OK)
        return ERROR_IO;
    if (uv_poll_init(sitting->rooms->lives->loop, &sitting->poll, pair[0]) != 0) {
        close(pair[0]);
        close(pair[1]);
        return ERROR_IO;
    }
    sitting->channel = pair[0];
    sitting->poll.data = sitting;
    uv_poll_start(&sitting->poll, UV_READABLE, on_channel);
    *theirs = pair[1];
    return OK;
}

/* Once its relay is started the sitting is that one's: if it does not hear, it ends like others. */
static enum error begin(struct sitting *sitting, const struct surface_limits *limits, int theirs)
{
    const struct relay_word word = {
        .type = RELAY_BEGIN,
        .max_message_bytes = limits->max_message_bytes,
        .max_answer_bytes = limits->max_answer_bytes,
        .idle_ms = limits->idle_timeout_ms != 0 ? limits->idle_timeout_ms : SITTING_IDLE_MS};
    enum error error = start_relay(sitting, theirs);

    close(theirs);
    if (error == OK)
        tell(sitting, &word, NULL, 0);
    return error;
}

/* Its command, unless the surface has its own. */
static enum error read_record(struct sitting *sitting, const struct surface *surface, int record)
{
    char why[WHY_SIZE];
    enum error error;

    if (surface->command.argument_count > 0)
        return OK;
    if (record < 0)
        return ERROR_NOT_FOUND;
    error = record_read(sitting->rooms->lives->bundle->config, record, &sitting->recorded, why);
    if (error != OK)
        log_error("surface %s: a process of it cannot be started: %s", sitting->rooms->name, why);
    return error;
}

enum error sitting_begin(struct stdio_rooms *rooms, const char *session, int record,
                         struct sitting **out)
{
    struct sitting *sitting = calloc(1, sizeof(*sitting));
    const struct surface *surface;
    int theirs = -1;
    enum error error;

    if (sitting == NULL)
        return ERROR_MEMORY;
    sitting->rooms = rooms;
    sitting->channel = -1;
    snprintf(sitting->session, sizeof(sitting->session), "%s", session);
    surface = surface_of(sitting);
    error = surface != NULL ? read_record(sitting, surface, record) : ERROR_NOT_FOUND;
    if (error == OK)
        error = open_channel(sitting, &theirs);
    if (error != OK) {
        record_clear(&sitting->recorded);
        free(sitting);
        return error;
    }
    error = begin(sitting, &surface->limits, theirs);
    if (error != OK) {
        sitting->ending = true;
        forget(sitting);
        return error;
    }
    *out = sitting;
    return OK;
}

int sitting_dial(struct sitting *sitting)
{
    const int size = SEND_BUFFER_BYTES;
    int pair[2];
    enum error error;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    error = passing_send(sitting->channel, &(struct relay_word){.type = RELAY_LINK},
                         sizeof(struct relay_word), &pair[1], 1);
    close(pair[1]);
    if (error == OK) {
        sitting->links++;
        return pair[0];
    }
    close(pair[0]);
    errno = error == ERROR_STATE ? EAGAIN : ECONNRESET;
    return -1;
}
