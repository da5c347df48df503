#include "parent/alone.h"

#include "base/log.h"
#include "base/text.h"
#include "config/config.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define PATIENCE_MS    5000 /* then it is said what is waited for */
#define SIGNALLED_CODE 128

void alone_init(struct alone *alone, const struct alone_options *options)
{
    *alone = (struct alone){.options = options, .code = EX_SOFTWARE};
    for (size_t i = 0; i < ERRAND_END_COUNT; i++)
        alone->ends[i] = -1;
}

static void drop_end(struct alone *alone, size_t which)
{
    if (alone->ends[which] >= 0)
        close(alone->ends[which]);
    alone->ends[which] = -1;
}

void alone_clear(struct alone *alone)
{
    for (size_t i = 0; i < ERRAND_END_COUNT; i++)
        drop_end(alone, i);
    for (size_t i = 0; i < alone->held_count; i++)
        listener_close(&alone->held[i]);
    alone->held_count = 0;
}

/* ---- What the launcher says ---- */

/* As a shell would say it. */
static int code_of(uint32_t status)
{
    if (status == ERRAND_NEVER_RAN)
        return EX_UNAVAILABLE;
    return WIFSIGNALED((int)status) ? SIGNALLED_CODE + WTERMSIG((int)status)
                                    : WEXITSTATUS((int)status);
}

static enum error take_state(struct alone *alone, const struct errand *errand)
{
    uint64_t port = 0;

    if (errand->number >= SERVICE_STATE_COUNT)
        return ERROR_SYNTAX;
    if (errand->number == SERVICE_READY &&
        (!text_number(span_of(errand->text), 10, &port) || port == 0 || port > UINT16_MAX))
        return ERROR_SYNTAX;
    alone->state = (enum service_state)errand->number;
    if (alone->state == SERVICE_READY)
        alone->port = (uint16_t)port;
    return OK;
}

static enum error take(struct alone *alone, const struct errand *errand)
{
    if (errand->kind == ERRAND_SERVICE)
        return take_state(alone, errand);
    if (errand->kind == ERRAND_PORTS) {
        snprintf(alone->ports, sizeof(alone->ports), "%s", errand->text);
        return OK;
    }
    if (errand->kind != ERRAND_OVER)
        return ERROR_SYNTAX;
    if (errand->number == ERRAND_NEVER_RAN)
        log_error("%s", errand->text);
    alone->over = true;
    alone->code = code_of(errand->number);
    return OK;
}

/* One message, if there is any; it brings nothing. */
static enum error hear_one(struct alone *alone, struct channel *channel, bool *heard)
{
    struct errand errand;
    const void *bytes;
    size_t length = 0;
    int fd = -1;
    enum error error = channel_receive(channel, &bytes, &length, &fd);

    *heard = error == OK && length > 0;
    if (!*heard)
        return error;
    if (fd >= 0) {
        close(fd);
        return ERROR_SYNTAX;
    }
    error = errand_decode(bytes, length, &errand);
    return error == OK ? take(alone, &errand) : error;
}

static enum error hear(struct alone *alone, const struct launching *launching)
{
    bool heard = true;
    enum error error = launching->launcher != NULL ? channel_flush(launching->launcher) : ERROR_IO;

    while (error == OK && heard && !alone->over)
        error = hear_one(alone, launching->launcher, &heard);
    return error;
}

bool alone_ended(struct alone *alone, const struct launching *launching)
{
    if (alone->options != NULL && !alone->over)
        (void)!hear(alone, launching);
    return alone->over;
}

bool alone_hear(struct alone *alone, struct launching *launching)
{
    if (hear(alone, launching) != OK && !alone->over) {
        log_error("the launcher has ended, and the service with it");
        alone->over = true;
    }
    return !alone->over;
}

/* ---- The start ---- */

static enum error say(struct channel *channel, const struct errand *errand, int fd)
{
    unsigned char bytes[CONFIG_NAME_BYTES_MAX + 64];
    struct ipc_writer writer = {.bytes = bytes};

    errand_encode(&writer, errand);
    return channel_send(channel, &writer, fd);
}

/* The launcher has the configuration already. */
static enum error begin(struct alone *alone, struct launching *launching)
{
    const struct alone_options *options = alone->options;
    enum error error = OK;

    for (uint32_t i = 0; i < ERRAND_STANDARDS && error == OK; i++) {
        const struct errand errand = {.kind = ERRAND_STANDARD, .number = i};
        int copy = options->standard[i] >= 0 ? dup(options->standard[i]) : -1;

        if (copy >= 0)
            error = say(launching->launcher, &errand, copy);
        else if (options->standard[i] >= 0)
            error = ERROR_IO;
    }
    return error == OK ? say(launching->launcher,
                             &(struct errand){.kind = ERRAND_ALONE, .text = options->surface}, -1)
                       : error;
}

static void keep_end(struct alone *alone, const struct errand *what, int fd)
{
    drop_end(alone, what->number);
    alone->ends[what->number] = fd;
    alone->said[what->number] = *what;
    alone->said[what->number].text = "";
}

bool alone_keeps(struct alone *alone, const struct errand *what, int fd)
{
    if (alone->options == NULL ||
        (what->number != ERRAND_END_PROCESS && what->number != ERRAND_END_BROKER))
        return false;
    keep_end(alone, what, fd);
    return true;
}

/* The parent's end of the launcher comes after its pidfd and before the broker's. */
static enum error hear_launching(struct alone *alone, struct launching *launching)
{
    struct errand what;
    int fd;

    while (launching_hear(launching, &what, &fd)) {
        if (what.number == ERRAND_END_PARENT) {
            if (alone->begun || launching->launcher == NULL || begin(alone, launching) != OK)
                return ERROR_IO; /* another launcher has no such service */
            alone->begun = true;
            continue;
        }
        keep_end(alone, &what, fd);
    }
    return launching->channel != NULL ? OK : ERROR_IO;
}

static enum error take_port(struct alone *alone, uint16_t port)
{
    char why[WHY_SIZE];
    enum error error = listener_open(LISTENER_BOTH, port, alone->held, &alone->held_count, why);

    if (error != OK)
        log_error("the gate cannot have port %u: %s", port, why);
    return error;
}

static void tell_waiting(const struct alone *alone)
{
    if (alone->options->trial)
        log_warning("the service has not answered yet; nothing is served until it does");
    else if (alone->state == SERVICE_READY)
        return;
    else if (alone->ports[0] == '\0')
        log_warning("the service listens on no port yet; nothing is served until it does");
    else if (alone->options->port != 0)
        log_warning("the service listens on %s, not on %u/tcp, which is waited for", alone->ports,
                    alone->options->port);
}

/* ERROR_STATE: it is to end. */
static enum error take_signal(int signals)
{
    struct signalfd_siginfo info;

    while (read(signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGHUP)
            return ERROR_STATE;
    }
    return OK;
}

static bool is_ready(const struct alone *alone)
{
    return !alone->options->trial && alone->state == SERVICE_READY &&
           alone->ends[ERRAND_END_BROKER] >= 0;
}

static enum error wait_ready(struct alone *alone, struct launching *launching, int signals)
{
    enum error error = OK;
    int patience_ms = PATIENCE_MS;

    while (error == OK && !is_ready(alone)) {
        struct pollfd polled[] = {
            {.fd = signals, .events = POLLIN},
            {.fd = channel_fd(launching->channel), .events = POLLIN},
            {.fd = launching->launcher != NULL ? channel_fd(launching->launcher) : -1,
             .events = POLLIN}};
        int count = poll(polled, sizeof(polled) / sizeof(polled[0]), patience_ms);

        if (count == 0) {
            tell_waiting(alone);
            patience_ms = -1;
        }
        if (count > 0 && polled[0].revents != 0)
            error = take_signal(signals);
        if (count > 0 && error == OK && polled[1].revents != 0)
            error = hear_launching(alone, launching);
        if (count > 0 && error == OK && polled[2].revents != 0 && !alone_hear(alone, launching))
            error = ERROR_STATE;
    }
    return error;
}

enum error alone_await(struct alone *alone, struct launching *launching, int signals,
                       struct config_bundle *bundle)
{
    const struct alone_options *options = alone->options;
    enum error error = options->port != 0 ? take_port(alone, options->port) : OK;

    if (error == OK)
        error = wait_ready(alone, launching, signals);
    if (error == OK && alone->held_count == 0)
        error = take_port(alone, alone->port);
    if (error == OK)
        error = options->configure(options->context, alone->port, bundle);
    return error;
}
