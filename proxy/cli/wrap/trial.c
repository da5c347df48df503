#include "cli/wrap/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX (1024 * 1024) /* of one answer */
#define READ_BYTES     8192
#define READS_PER_TURN 16

/* Of the eras with sessions; one of another answers with an error, which is an answer. */
static const char question[] =
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
    "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"sidelock\",\"version\":"
    "\"" SIDELOCK_VERSION "\"}}}\n";

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

enum error trial_open(struct trial *trial, int standard[2])
{
    int input[2] = {-1, -1}, output[2] = {-1, -1};

    *trial = (struct trial){.input = -1, .output = -1};
    buffer_init(&trial->line, LINE_BYTES_MAX);
    standard[0] = standard[1] = -1;
    if (pipe2(input, O_CLOEXEC) < 0)
        return ERROR_IO;
    standard[0] = input[0];
    trial->input = input[1];
    if (pipe2(output, O_CLOEXEC) < 0)
        return ERROR_IO;
    trial->output = output[0];
    standard[1] = output[1];
    if (fcntl(trial->output, F_SETFL, O_NONBLOCK) < 0 ||
        write(trial->input, question, strlen(question)) != (ssize_t)strlen(question))
        return ERROR_IO;
    return OK;
}

void trial_close(struct trial *trial)
{
    shut(&trial->input);
    shut(&trial->output);
    buffer_clear(&trial->line);
}

/* ---- What it answers ---- */

/* Runs of spaces as one: what it says is not to begin a terminal's next line. */
static void fold_spaces(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (*from != ' ' || (to > text && to[-1] != ' '))
            *to++ = *from;
    }
    *to = '\0';
}

static void note_name(struct trial *trial, const json_t *answer)
{
    const json_t *info = json_object_get(json_object_get(answer, "result"), "serverInfo");
    const char *name = json_string_value(json_object_get(info, "name"));
    const char *version = json_string_value(json_object_get(info, "version"));

    char whole[256];

    if (name == NULL)
        return;
    snprintf(whole, sizeof(whole), "%s%s%s", name, version != NULL ? " " : "",
             version != NULL ? version : "");
    fold_spaces(whole);
    snprintf(trial->name, sizeof(trial->name), "%.*s", TRIAL_NAME_SIZE - 1, whole);
}

/* What is no answer to the question is left out, as it will be. */
static void take_line(struct trial *trial)
{
    json_t *answer = json_loadb(trial->line.data, trial->line.length, 0, NULL);
    const json_t *id = json_object_get(answer, "id");

    if (json_is_integer(id) && json_integer_value(id) == 0 &&
        json_object_get(answer, "method") == NULL) {
        trial->answered = true;
        note_name(trial, answer);
    }
    json_decref(answer);
}

static void take(struct trial *trial, const char *bytes, size_t length)
{
    while (length > 0 && !trial->answered) {
        const char *end = memchr(bytes, '\n', length);
        size_t part = end != NULL ? (size_t)(end - bytes) : length;

        buffer_append(&trial->line, bytes, part);
        trial->skips = trial->skips || buffer_failed(&trial->line);
        if (end != NULL && !trial->skips)
            take_line(trial);
        if (end != NULL || trial->skips)
            buffer_reset(&trial->line);
        trial->skips = trial->skips && end == NULL;
        part += end != NULL ? 1 : 0;
        bytes += part;
        length -= part;
    }
}

bool trial_hear(void *context)
{
    struct trial *trial = context;
    char bytes[READ_BYTES];
    ssize_t length = 1;

    for (int i = 0; i < READS_PER_TURN && length > 0 && !trial->answered; i++) {
        length = read(trial->output, bytes, sizeof(bytes));
        if (length > 0)
            take(trial, bytes, (size_t)length);
    }
    if (!trial->answered && (length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR))))
        return true;
    shut(&trial->input);
    return false;
}
