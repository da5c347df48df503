#include "launch/supervise/vacancy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct probe {
    struct vacancy *vacancy;
    uv_poll_t poll;
    int fd; /* -1: it has its answer */
    union address address;
};

struct vacancy {
    vacancy_done *done; /* NULL: cancelled, or called */
    void *data;
    uv_timer_t timer;
    size_t open;    /* handles that are not closed yet */
    size_t waiting; /* probes without an answer */
    size_t count;
    struct probe probes[];
};

void vacancy_print(const union address *address, char out[VACANCY_ADDRESS_SIZE])
{
    char text[INET6_ADDRSTRLEN] = "";

    if (address->base.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->in.sin_addr, text, sizeof(text));
        snprintf(out, VACANCY_ADDRESS_SIZE, "%s:%u", text, ntohs(address->in.sin_port));
    } else {
        inet_ntop(AF_INET6, &address->in6.sin6_addr, text, sizeof(text));
        snprintf(out, VACANCY_ADDRESS_SIZE, "[%s]:%u", text, ntohs(address->in6.sin6_port));
    }
}

void vacancy_describe(enum error error, const union address *where, char out[VACANCY_FOUND_SIZE])
{
    char address[VACANCY_ADDRESS_SIZE];

    out[0] = '\0';
    if (error == ERROR_DENIED) {
        vacancy_print(where, address);
        snprintf(out, VACANCY_FOUND_SIZE,
                 "somebody on this host answers at %s, which is the service's port, past the gate",
                 address);
    } else if (error != OK) {
        snprintf(out, VACANCY_FOUND_SIZE,
                 "whether somebody on this host answers at the service's port past the gate cannot "
                 "be found out: its addresses cannot be asked");
    }
}

/* ---- Which addresses ---- */

bool vacancy_is_ours(const struct config *config, const union address *address, uint16_t port)
{
    char host[INET6_ADDRSTRLEN] = "";

    inet_ntop(address->base.sa_family,
              address->base.sa_family == AF_INET ? (const void *)&address->in.sin_addr
                                                 : &address->in6.sin6_addr,
              host, sizeof(host));
    return config_listens_at(config, host, port);
}

static bool take_address(const struct ifaddrs *from, union address *out, uint16_t port)
{
    memset(out, 0, sizeof(*out));
    if (from->ifa_addr == NULL)
        return false;
    if (from->ifa_addr->sa_family == AF_INET) {
        memcpy(&out->in, from->ifa_addr, sizeof(out->in));
        out->in.sin_port = htons(port);
        return true;
    }
    if (from->ifa_addr->sa_family != AF_INET6)
        return false;
    memcpy(&out->in6, from->ifa_addr, sizeof(out->in6));
    out->in6.sin6_port = htons(port);
    return true;
}

/* ---- Asking ---- */

static void on_closed(uv_handle_t *handle)
{
    struct vacancy *vacancy = handle->data;

    if (--vacancy->open == 0)
        free(vacancy);
}

static void on_probe_closed(uv_handle_t *handle)
{
    const struct probe *probe = handle->data;

    handle->data = probe->vacancy;
    on_closed(handle);
}

static void close_probe(struct probe *probe)
{
    if (probe->fd < 0)
        return;
    uv_close((uv_handle_t *)&probe->poll, on_probe_closed);
    close(probe->fd);
    probe->fd = -1;
    probe->vacancy->waiting--;
}

/* It is freed once the loop has closed its handles. */
static void finish(struct vacancy *vacancy, enum error error, const union address *where)
{
    vacancy_done *done = vacancy->done;

    vacancy->done = NULL;
    for (size_t i = 0; i < vacancy->count; i++)
        close_probe(&vacancy->probes[i]);
    if (!uv_is_closing((uv_handle_t *)&vacancy->timer))
        uv_close((uv_handle_t *)&vacancy->timer, on_closed);
    if (done != NULL)
        done(vacancy->data, error, where);
}

static void on_timeout(uv_timer_t *timer)
{
    finish(timer->data, OK, NULL);
}

/* Whether somebody is at the other end; a port that is asked for with itself as the source answers
 * itself, and is nobody's. */
static bool is_answered(int fd)
{
    union address here = {.in6 = {0}}, there = {.in6 = {0}};
    char source[VACANCY_ADDRESS_SIZE], target[VACANCY_ADDRESS_SIZE];
    socklen_t length = sizeof(here);

    if (getsockname(fd, &here.base, &length) < 0)
        return false;
    length = sizeof(there);
    if (getpeername(fd, &there.base, &length) < 0)
        return false;
    vacancy_print(&here, source);
    vacancy_print(&there, target);
    return strcmp(source, target) != 0;
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
    struct probe *probe = poll->data;
    struct vacancy *vacancy = probe->vacancy;

    (void)events;
    if (status == 0 && is_answered(probe->fd)) {
        finish(vacancy, ERROR_DENIED, &probe->address);
        return;
    }
    close_probe(probe);
    if (vacancy->waiting == 0)
        finish(vacancy, OK, NULL);
}

/* What connect(2) says of a port that is nobody's; of one that nobody but the gate is to reach,
 * too, that it may not be. */
static bool is_nobody(const struct vacancy_subject *subject, int error)
{
    return address_is_unreachable(error) ||
           (!subject->beyond_loopback && (error == EACCES || error == EPERM));
}

/* False: it could not be asked, and nothing is known. */
static bool ask(struct vacancy *vacancy, uv_loop_t *loop, const struct vacancy_subject *subject,
                const union address *address)
{
    struct probe *probe = &vacancy->probes[vacancy->count];
    socklen_t length =
        address->base.sa_family == AF_INET ? sizeof(address->in) : sizeof(address->in6);

    probe->vacancy = vacancy;
    probe->address = *address;
    probe->fd = socket(address->base.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0)
        return false;
    if (connect(probe->fd, &address->base, length) < 0 && errno != EINPROGRESS) {
        bool nobody = is_nobody(subject, errno);

        close(probe->fd);
        probe->fd = -1;
        return nobody;
    }
    if (uv_poll_init(loop, &probe->poll, probe->fd) != 0) {
        close(probe->fd);
        probe->fd = -1;
        return false;
    }
    probe->poll.data = probe;
    uv_poll_start(&probe->poll, UV_WRITABLE, on_answer);
    vacancy->open++;
    vacancy->waiting++;
    vacancy->count++;
    return true;
}

/* False: it is not to be asked, or is none. */
static bool is_meant(const struct vacancy_subject *subject, const struct ifaddrs *one,
                     union address *out)
{
    return take_address(one, out, subject->port) &&
           !(subject->beyond_loopback && address_is_loopback(out)) &&
           !vacancy_is_ours(subject->config, out, subject->port);
}

static bool ask_all(struct vacancy *vacancy, uv_loop_t *loop, const struct vacancy_subject *subject)
{
    struct ifaddrs *all;
    bool asked = getifaddrs(&all) == 0;

    if (!asked)
        return false;
    for (const struct ifaddrs *one = all; asked && one != NULL; one = one->ifa_next) {
        union address address;

        if (!is_meant(subject, one, &address))
            continue;
        asked = vacancy->count < VACANCY_ADDRESSES_MAX && ask(vacancy, loop, subject, &address);
    }
    freeifaddrs(all);
    return asked;
}

/* Told in a turn of its own, so that nobody hears of it before he has it. */
static void on_nothing(uv_timer_t *timer)
{
    finish(timer->data, ERROR_IO, NULL);
}

struct vacancy *vacancy_begin(uv_loop_t *loop, const struct vacancy_subject *subject,
                              vacancy_done *done, void *data)
{
    struct vacancy *vacancy =
        calloc(1, sizeof(*vacancy) + VACANCY_ADDRESSES_MAX * sizeof(vacancy->probes[0]));
    bool asked;

    if (vacancy == NULL)
        return NULL;
    vacancy->done = done;
    vacancy->data = data;
    vacancy->open = 1;
    uv_timer_init(loop, &vacancy->timer);
    vacancy->timer.data = vacancy;
    asked = ask_all(vacancy, loop, subject);
    if (!asked)
        uv_timer_start(&vacancy->timer, on_nothing, 0, 0);
    else
        uv_timer_start(&vacancy->timer, on_timeout, vacancy->waiting > 0 ? VACANCY_PATIENCE_MS : 0,
                       0);
    return vacancy;
}

void vacancy_cancel(struct vacancy *vacancy)
{
    if (vacancy == NULL)
        return;
    vacancy->done = NULL;
    finish(vacancy, OK, NULL);
}
