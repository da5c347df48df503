#include "broker/core/opener.h"

#include "ipc/channel.h"
#include "ipc/errand.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 2 /* of one answer */

struct opener {
    pthread_mutex_t lock; /* one question at a time */
    struct channel *channel;
    unsigned char buffer[IPC_MESSAGE_BYTES_MAX];
};

struct answer {
    enum error error;
    char why[WHY_SIZE];
    int descriptors[DESCRIPTORS_MAX];
    size_t count;
};

enum error opener_create(int fd, struct opener **out)
{
    struct opener *opener = calloc(1, sizeof(*opener));
    enum error error = opener != NULL ? channel_create(fd, &opener->channel) : ERROR_MEMORY;

    if (error == OK)
        pthread_mutex_init(&opener->lock, NULL);
    if (error == OK)
        *out = opener;
    else
        free(opener);
    return error;
}

void opener_destroy(struct opener *opener)
{
    if (opener == NULL)
        return;
    channel_destroy(opener->channel);
    pthread_mutex_destroy(&opener->lock);
    free(opener);
}

/* ---- Asking ---- */

static void drop(struct answer *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        close(answer->descriptors[i]);
    answer->count = 0;
}

/* The next part of an answer; *more of it will come. */
static enum error hear(struct opener *opener, struct answer *answer, bool *more)
{
    struct pollfd polled = {.fd = channel_fd(opener->channel), .events = POLLIN};
    struct errand part;
    const void *bytes;
    size_t length = 0;
    int fd = -1;
    enum error error = channel_flush(opener->channel);

    while (error == OK && length == 0) {
        (void)poll(&polled, 1, -1);
        error = channel_receive(opener->channel, &bytes, &length, &fd);
    }
    if (fd >= 0)
        answer->descriptors[answer->count++] = fd;
    if (error == OK)
        error = errand_decode(bytes, length, &part);
    if (error == OK && (part.kind != ERRAND_ANSWER || answer->count + part.place > DESCRIPTORS_MAX))
        error = ERROR_SYNTAX;
    if (error != OK)
        return error;
    answer->error = (enum error)part.number;
    snprintf(answer->why, sizeof(answer->why), "%s", part.text);
    *more = part.place > 0;
    return OK;
}

/* What it is, or could not be, is in *out. */
static void ask(struct opener *opener, const struct errand *errand, struct answer *out)
{
    struct ipc_writer writer = {.bytes = opener->buffer};
    bool more = true;
    enum error error;

    *out = (struct answer){.error = OK};
    pthread_mutex_lock(&opener->lock);
    errand_encode(&writer, errand);
    error = channel_send(opener->channel, &writer, -1);
    while (error == OK && more)
        error = hear(opener, out, &more);
    pthread_mutex_unlock(&opener->lock);
    if (error != OK)
        out->error = error_explain(out->why, ERROR_IO, "the process that opens it has gone");
    if (out->error != OK && errand->kind != ERRAND_READ)
        drop(out);
}

/* ---- The configuration ---- */

enum error opener_read(struct opener *opener, struct config_bundle *out, struct json_faults *faults)
{
    struct answer answer;
    enum error error;

    *out = (struct config_bundle){.path = NULL};
    ask(opener, &(struct errand){.kind = ERRAND_READ}, &answer);
    error = answer.error;
    if (answer.count > 0) {
        enum error read = bundle_unseal(answer.descriptors[0], error != OK, out);

        error = error == OK ? read : error;
    } else if (error == OK) {
        error = ERROR_IO;
    }
    if (answer.count == DESCRIPTORS_MAX && faults_unseal(answer.descriptors[1], faults) != OK)
        faults->count = 0;
    if (answer.count == DESCRIPTORS_MAX)
        close(answer.descriptors[1]);
    if (error != OK && faults->count == 0)
        error = bundle_fail(faults, error, "The configuration cannot be handed over.");
    return error;
}

void opener_keep(struct opener *opener)
{
    struct answer answer;

    ask(opener, &(struct errand){.kind = ERRAND_KEEP}, &answer);
}

/* ---- What surfaces name ---- */

enum error opener_listen(struct opener *opener, const struct surface *surface, size_t index,
                         struct listener out[2], size_t *count, char why[WHY_SIZE])
{
    const struct errand errand = {
        .kind = ERRAND_LISTEN, .number = (uint32_t)index, .text = surface->name};
    struct answer answer;

    ask(opener, &errand, &answer);
    for (size_t i = 0; i < answer.count && answer.error == OK; i++) {
        out[i].fd = answer.descriptors[i];
        answer.error = listener_describe(&out[i]);
    }
    if (answer.error == OK)
        *count = answer.count;
    else
        drop(&answer);
    snprintf(why, WHY_SIZE, "%s", answer.why);
    return answer.error;
}

enum error opener_listen_missing(struct opener *opener, const struct surface *surface,
                                 uint16_t port, struct listener *out, char why[WHY_SIZE])
{
    const struct errand errand = {.kind = ERRAND_MISSING, .number = port, .text = surface->name};
    struct answer answer;

    ask(opener, &errand, &answer);
    snprintf(why, WHY_SIZE, "%s", answer.why);
    if (answer.error != OK)
        return answer.error;
    *out = (struct listener){.fd = answer.descriptors[0]};
    answer.error = answer.count == 1 ? listener_describe(out) : ERROR_IO;
    if (answer.error != OK)
        drop(&answer);
    return answer.error;
}

enum error opener_telemetry(struct opener *opener, int out[2], size_t *count, char why[WHY_SIZE])
{
    struct answer answer;

    ask(opener, &(struct errand){.kind = ERRAND_TELEMETRY}, &answer);
    snprintf(why, WHY_SIZE, "%s", answer.why);
    if (answer.error != OK)
        return answer.error;
    memcpy(out, answer.descriptors, sizeof(answer.descriptors));
    *count = answer.count;
    return OK;
}

struct tls_question {
    struct opener *opener;
    const char *surface;
};

static enum error open_tls(const void *context, enum certificate_part part, int *fd,
                           char why[WHY_SIZE])
{
    const struct tls_question *question = context;
    const struct errand errand = {.kind = ERRAND_TLS, .number = part, .text = question->surface};
    struct answer answer;

    ask(question->opener, &errand, &answer);
    snprintf(why, WHY_SIZE, "%s", answer.why);
    if (answer.error == OK && answer.count != 1) {
        drop(&answer);
        answer.error = ERROR_IO;
    }
    if (answer.error == OK)
        *fd = answer.descriptors[0];
    return answer.error;
}

enum error opener_read_tls(struct opener *opener, const struct surface *surface, int64_t now,
                           struct tls_files *out, struct tls_files_fault *fault)
{
    const struct tls_question question = {opener, surface->name};
    const struct tls_files_source source = {
        .tls = surface->tls, .open = open_tls, .context = &question};

    return tls_files_read_from(&source, now, out, fault);
}
