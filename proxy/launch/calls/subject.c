#include "launch/calls/subject.h"

#include "launch/calls/epolls.h"
#include "launch/calls/target.h"
#include "launch/calls/twin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* Newer than what the C library of Debian 12 names (socket(7), 5.14). */
#define NETNS_COOKIE 71

#define LOOPBACK_INDEX 1

static void report(struct calls *calls, const struct subject *subject, int error)
{
    struct refusal refusal = {.call = (uint32_t)subject->question->call,
                              .family = (uint32_t)subject->family,
                              .type = (uint32_t)subject->type,
                              .protocol = (uint32_t)subject->protocol,
                              .error = error};

    target_name(subject->question->thread, refusal.program);
    calls->refused(calls->data, &refusal);
}

static bool ask(int socket, int name, int *out)
{
    socklen_t length = sizeof(*out);

    return getsockopt(socket, SOL_SOCKET, name, out, &length) == 0;
}

int subject_open(struct calls *calls, const struct question *question, struct subject *out)
{
    struct subject subject = {.question = question, .descriptor = (int)question->arguments[0]};
    uint64_t cookie = 0;
    socklen_t length = sizeof(cookie);

    subject.socket = target_descriptor(question->thread, subject.descriptor);
    if (subject.socket < 0) {
        int error = errno;

        if (error == EPERM)
            report(calls, &subject, error);
        return error;
    }
    if (!ask(subject.socket, SO_DOMAIN, &subject.family) ||
        !ask(subject.socket, SO_TYPE, &subject.type) ||
        !ask(subject.socket, SO_PROTOCOL, &subject.protocol) ||
        getsockopt(subject.socket, SOL_SOCKET, NETNS_COOKIE, &cookie, &length) < 0) {
        int error = errno;

        close(subject.socket);
        return error;
    }
    subject.inside = cookie == calls->inside;
    subject.outside = cookie == calls->host;
    *out = subject;
    return 0;
}

void subject_close(struct subject *subject)
{
    close(subject->socket);
}

static bool is_internet(const struct subject *subject)
{
    return subject->family == AF_INET || subject->family == AF_INET6;
}

bool subject_is_tcp(const struct subject *subject)
{
    return is_internet(subject) && subject->type == SOCK_STREAM && subject->protocol == IPPROTO_TCP;
}

bool subject_is_udp(const struct subject *subject)
{
    return is_internet(subject) && subject->type == SOCK_DGRAM && subject->protocol == IPPROTO_UDP;
}

bool subject_is_ping(const struct subject *subject)
{
    return is_internet(subject) && subject->type == SOCK_DGRAM &&
           (subject->protocol == IPPROTO_ICMP || subject->protocol == IPPROTO_ICMPV6);
}

int subject_refuse(struct calls *calls, const struct subject *subject, int error)
{
    report(calls, subject, error);
    return error;
}

int subject_refuse_address(struct calls *calls, const struct subject *subject,
                           const union address *address)
{
    struct refusal refusal = {.call = (uint32_t)subject->question->call,
                              .family = (uint32_t)subject->family,
                              .type = (uint32_t)subject->type,
                              .protocol = (uint32_t)subject->protocol,
                              .port = address_port(address),
                              .error = EACCES};
    const void *bytes = address->base.sa_family == AF_INET ? (const void *)&address->in.sin_addr
                                                           : &address->in6.sin6_addr;

    if (!calls->begun) /* the trial of the first process (leader.c) */
        return EACCES;
    target_name(subject->question->thread, refusal.program);
    (void)inet_ntop(address->base.sa_family, bytes, refusal.path, sizeof(refusal.path));
    calls->refused(calls->data, &refusal);
    return EACCES;
}

int subject_read_address(const struct question *question, union address *out, socklen_t *length)
{
    int claimed = (int)question->arguments[2];

    if (claimed < 0 || (size_t)claimed > sizeof(*out))
        return EINVAL;
    memset(out, 0, sizeof(*out));
    *length = (socklen_t)claimed;
    if (claimed > 0 &&
        target_copy(question->thread, question->arguments[1], out, (size_t)claimed) != OK)
        return errno;
    return question_lives(question) ? 0 : ESRCH;
}

void subject_answer(struct calls *calls, const struct question *question, subject_act *act)
{
    struct subject subject = {.socket = -1};
    union address address;
    socklen_t length;
    int error = subject_open(calls, question, &subject);

    if (error == 0) {
        error = subject_read_address(question, &address, &length);
        if (error == 0)
            error = act(calls, &subject, &address, length);
        subject_close(&subject);
    }
    if (error != ANSWERED)
        question_answer(question, error);
}

int subject_twin(const struct calls *calls, const struct subject *subject, bool inside)
{
    int type = subject->type | SOCK_CLOEXEC;
    int twin = inside ? socket(subject->family, type, subject->protocol)
                      : outside_socket(&calls->outside, subject->family, type, subject->protocol);

    if (twin >= 0)
        twin_copy_options(subject->socket, twin);
    return twin;
}

int subject_replace(const struct subject *subject, int twin)
{
    pid_t thread = subject->question->thread;
    bool close_on_exec = target_closes_on_exec(thread, subject->descriptor);
    struct epolls epolls;
    int error;

    epolls_find(thread, subject->descriptor, &epolls);
    error = question_replace(subject->question, twin, subject->descriptor, close_on_exec);
    epolls_follow(&epolls, twin, subject->descriptor);
    return error;
}

int subject_host_has(const struct calls *calls, const struct subject *subject,
                     const union address *address)
{
    union address probed = *address;
    int error = 0, probe;

    if (address_is_loopback(address))
        return 0;
    probe = outside_socket(&calls->outside, subject->family, SOCK_DGRAM, 0);
    if (probe < 0)
        return errno;
    twin_copy_options(subject->socket, probe);
    address_set_port(&probed, 0);
    if (bind(probe, &probed.base, address_length(&probed)) < 0)
        error = errno;
    close(probe);
    return error;
}

int subject_bind_inside(const struct calls *calls, const struct subject *subject, int twin,
                        const union address *address)
{
    union address local = *address;
    int error = subject_host_has(calls, subject, address), yes = 1;

    if (error != 0)
        return error;
    if (subject->family == AF_INET6 && !address_is_loopback(address)) {
        (void)setsockopt(twin, IPPROTO_IPV6, IPV6_FREEBIND, &yes, sizeof(yes));
        if (local.in6.sin6_scope_id != 0)
            local.in6.sin6_scope_id = LOOPBACK_INDEX;
    }
    return bind(twin, &local.base, address_length(&local)) < 0 ? errno : 0;
}

void subject_remember(struct calls *calls, const struct subject *subject, int socket)
{
    char program[PORT_PROGRAM_SIZE];
    union address bound;

    if (ports_refresh(&calls->ports) != OK || !address_of_socket(socket, &bound))
        return;
    target_name(subject->question->thread, program);
    ports_name(&calls->ports, (uint32_t)subject->protocol, address_port(&bound), program);
}
