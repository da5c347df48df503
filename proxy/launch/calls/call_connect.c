/* connect: of the table in calls.h. */
#include "launch/calls/handlers.h"

#include "launch/calls/subject.h"
#include "launch/calls/told.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

static void move_inside(struct calls *calls, const struct subject *subject)
{
    int twin = subject_twin(calls, subject, true);

    if (twin < 0)
        return;
    (void)subject_replace(subject, twin);
    close(twin);
}

/* It keeps the address that it was bound to, and the port if nobody of the host has it. */
static void move_outside(struct calls *calls, const struct subject *subject)
{
    int twin = subject_twin(calls, subject, false);
    union address bound;

    if (twin < 0)
        return;
    if (address_of_socket(subject->socket, &bound) &&
        bind(twin, &bound.base, address_length(&bound)) < 0) {
        address_set_port(&bound, 0);
        (void)bind(twin, &bound.base, address_length(&bound));
    }
    (void)subject_replace(subject, twin);
    close(twin);
}

static void prepare(struct calls *calls, const struct subject *subject,
                    const union address *address)
{
    bool inside;

    if ((!subject_is_tcp(subject) && !subject_is_udp(subject)) || !is_at_rest(subject))
        return;
    inside = leads_inside(calls, subject, address);
    if (!inside)
        told_connect(calls, subject, address);
    if (inside && !subject->inside)
        move_inside(calls, subject);
    else if (!inside && subject->inside)
        move_outside(calls, subject);
}

/*
 * Continued whatever was found: whoever changes the address meanwhile connects where it may
 * connect anyway, from a socket that leads nowhere but to the host's network or to its own.
 */
void call_connect(struct calls *calls, const struct question *question)
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
