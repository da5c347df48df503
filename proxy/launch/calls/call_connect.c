/* connect: of the table in calls.h. */
#include "launch/calls/handlers.h"

#include "launch/calls/subject.h"
#include "launch/calls/told.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

/* Neither connected nor connecting, nor a listener. */
static bool is_at_rest(const struct subject *subject)
{
    struct tcp_info info = {0};
    union address peer;
    socklen_t length = sizeof(info), peer_length = sizeof(peer);

    if (subject_is_tcp(subject))
        return getsockopt(subject->socket, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
               info.tcpi_state == TCP_CLOSE;
    return getpeername(subject->socket, &peer.base, &peer_length) < 0;
}

/* Whether the address is of this host, and somebody of the tree has the port there. */
static bool leads_inside(struct calls *calls, const struct subject *subject,
                         const union address *address)
{
    uint32_t protocol = subject_is_tcp(subject) ? IPPROTO_TCP : IPPROTO_UDP;
    uint32_t port = address_port(address);

    if (port == 0 || ports_find(&calls->ports, protocol, port) == NULL ||
        subject_host_has(calls, subject, address) != 0)
        return false;
    /* It may have been closed meanwhile. */
    return ports_refresh(&calls->ports) == OK && ports_find(&calls->ports, protocol, port) != NULL;
}

/* It keeps the address that it was bound to, and the port if nobody of the host has it. */
static void keep_address(const struct subject *subject, int twin)
{
    union address bound;

    if (address_of_socket(subject->socket, &bound) &&
        bind(twin, &bound.base, address_length(&bound)) < 0) {
        address_set_port(&bound, 0);
        (void)bind(twin, &bound.base, address_length(&bound));
    }
}

/* To the private namespace, or back to the host's: *twin has its place, and is the caller's. An
 * errno. */
static int move(struct calls *calls, const struct subject *subject, bool inside, int *twin)
{
    int error;

    *twin = subject_twin(calls, subject, inside);
    if (*twin < 0)
        return errno;
    if (!inside)
        keep_address(subject, *twin);
    error = subject_replace(subject, *twin);
    if (error != 0) {
        close(*twin);
        *twin = -1;
    }
    return error;
}

/* Whether it is to be in the private namespace when it connects. */
static bool belongs_inside(struct calls *calls, const struct subject *subject,
                           const union address *address)
{
    if ((!subject_is_tcp(subject) && !subject_is_udp(subject)) || !is_at_rest(subject))
        return subject->inside;
    return leads_inside(calls, subject, address);
}

/* ---- Where the tree may connect to whatever it likes ---- */

static void prepare(struct calls *calls, const struct subject *subject,
                    const union address *address)
{
    bool inside;
    int twin;

    if ((!subject_is_tcp(subject) && !subject_is_udp(subject)) || !is_at_rest(subject))
        return;
    inside = leads_inside(calls, subject, address);
    if (!inside)
        told_connect(calls, subject, address);
    if (inside != subject->inside && move(calls, subject, inside, &twin) == 0)
        close(twin);
}

/*
 * Continued whatever was found: whoever changes the address meanwhile connects where it may
 * connect anyway, from a socket that leads nowhere but to the host's network or to its own.
 */
static void connect_anywhere(struct calls *calls, const struct question *question)
{
    struct subject subject;
    union address address;
    socklen_t length;

    if (subject_read_address(question, &address, &length) == 0) {
        if (address_is_internet(&address, length) && subject_open(calls, question, &subject) == 0) {
            prepare(calls, &subject, &address);
            subject_close(&subject);
        }
        if (address.base.sa_family == AF_UNIX)
            told_connect_unix(calls, question, &address, length);
    }
    question_continue(question);
}

/* ---- Where that is limited: nothing is continued, whatever the socket is ---- */

static int dial(struct calls *calls, const struct subject *subject, const struct deed *deed)
{
    int error;

    if (!calls->begun) /* the trial of the first process found nothing that refuses it */
        return 0;
    error = deed_begin(&calls->deeds, subject->question, deed);
    return error == 0 ? ANSWERED : error;
}

/* Abstract names are the tree's own, but from a socket of the host's that was handed in. The first
 * process is told what is there, which it tries. */
static int connect_unix(struct calls *calls, const struct subject *subject, struct deed *deed)
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)(const void *)deed->address;

    if (name->sun_family == AF_UNIX && name->sun_path[0] == '\0' &&
        deed->length > (socklen_t)offsetof(struct sockaddr_un, sun_path)) {
        if (subject->outside)
            return EPERM;
        if (!calls->begun)
            return connect(subject->socket, &deed->address->base, deed->length) < 0 ? errno : 0;
    }
    return dial(calls, subject, deed);
}

/* What is no address of theirs, the kernel refuses; AF_UNSPEC takes a connection back. */
static int connect_internet(struct calls *calls, const struct subject *subject, struct deed *deed)
{
    bool inside;
    int twin = -1, error = 0;

    deed->kind = DEED_DIAL;
    if (!address_is_internet(deed->address, deed->length))
        return dial(calls, subject, deed);
    inside = belongs_inside(calls, subject, deed->address);
    if (!inside && !reach_permits(&calls->reach, subject->protocol, deed->address))
        return subject_refuse_address(calls, subject, deed->address);
    if (inside != subject->inside && calls->begun) {
        error = move(calls, subject, inside, &twin);
        deed->socket = twin;
    }
    if (error == 0)
        error = dial(calls, subject, deed);
    if (twin >= 0)
        close(twin);
    return error;
}

static int connect_subject(struct calls *calls, const struct subject *subject,
                           const union address *address, socklen_t length)
{
    struct deed deed = {
        .kind = DEED_CONNECT, .socket = subject->socket, .address = address, .length = length};

    if (subject->family == AF_UNIX)
        return connect_unix(calls, subject, &deed);
    if (subject->family == AF_NETLINK)
        return dial(calls, subject, &deed);
    if (subject_is_tcp(subject) || subject_is_udp(subject) || subject_is_ping(subject))
        return connect_internet(calls, subject, &deed);
    return subject_refuse(calls, subject, EACCES);
}

void call_connect(struct calls *calls, const struct question *question)
{
    if (reach_is_limited(&calls->reach))
        subject_answer(calls, question, connect_subject);
    else
        connect_anywhere(calls, question);
}
