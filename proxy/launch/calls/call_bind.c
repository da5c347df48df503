/* bind: of the table in calls.h. */
#include "launch/calls/handlers.h"

#include "launch/calls/subject.h"
#include "launch/calls/told.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

static int as_caller(struct calls *calls, const struct subject *subject,
                     const union address *address, socklen_t length)
{
    struct deed deed = {
        .kind = DEED_BIND, .socket = subject->socket, .address = address, .length = length};
    int error = deed_begin(&calls->deeds, subject->question, &deed);

    return error == 0 ? ANSWERED : error;
}

static int as_it_is(const struct subject *subject, const union address *address, socklen_t length)
{
    return bind(subject->socket, &address->base, length) < 0 ? errno : 0;
}

/*
 * Only a path is looked up as somebody, from somewhere (unix(7)). A name without one is of the
 * socket's own network: in the host's, where pairs are, and what was accepted from there, it would
 * be one that others find, or want.
 */
static int bind_unix(struct calls *calls, const struct subject *subject,
                     const union address *address, socklen_t length)
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)(const void *)address;
    bool path = name->sun_family == AF_UNIX &&
                length > (socklen_t)offsetof(struct sockaddr_un, sun_path) &&
                name->sun_path[0] != '\0';

    if (path)
        told_bind_unix(calls, subject->question, address, length);
    if (!path && subject->outside)
        return subject_refuse(calls, subject, EACCES);
    return path ? as_caller(calls, subject, address, length) : as_it_is(subject, address, length);
}

/* Groups are for those who may hear them (netlink(7)); the C library asks for none. */
static int bind_netlink(struct calls *calls, const struct subject *subject,
                        const union address *address, socklen_t length)
{
    const struct sockaddr_nl *name = (const struct sockaddr_nl *)(const void *)address;

    if (length >= (socklen_t)sizeof(*name) && name->nl_groups == 0)
        return as_it_is(subject, address, length);
    return as_caller(calls, subject, address, length);
}

static int bind_internet(struct calls *calls, const struct subject *subject,
                         const union address *address, socklen_t length)
{
    union address bound;
    int twin, error;

    if (length < (socklen_t)sizeof(struct sockaddr_in))
        return EINVAL;
    if (!address_is_internet(address, length) || address->base.sa_family != subject->family)
        return EAFNOSUPPORT;
    if (address_of_socket(subject->socket, &bound) && address_port(&bound) != 0)
        return EINVAL;
    /* What waits for the answers to what it sends: a limit that is named. */
    if (subject_is_udp(subject) && address_port(address) == 0)
        return as_it_is(subject, address, length);
    twin = subject_twin(calls, subject, true);
    if (twin < 0)
        return errno;
    error = subject_bind_inside(calls, subject, twin, address);
    if (error == 0)
        error = subject_replace(subject, twin);
    if (error == 0 && address_port(address) != 0)
        told_bind(calls, subject, address);
    if (error == 0 && subject_is_udp(subject))
        subject_remember(calls, subject, twin);
    close(twin);
    return error;
}

static int bind_subject(struct calls *calls, const struct subject *subject,
                        const union address *address, socklen_t length)
{
    if (subject->family == AF_UNIX)
        return bind_unix(calls, subject, address, length);
    if (subject->family == AF_NETLINK)
        return bind_netlink(calls, subject, address, length);
    if (subject_is_tcp(subject) || subject_is_udp(subject))
        return bind_internet(calls, subject, address, length);
    if (subject_is_ping(subject))
        return as_it_is(subject, address, length);
    return subject_refuse(calls, subject, EACCES);
}

void call_bind(struct calls *calls, const struct question *question)
{
    subject_answer(calls, question, bind_subject);
}
