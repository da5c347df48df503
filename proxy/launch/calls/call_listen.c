/* listen: of the table in calls.h. */
#include "launch/calls/handlers.h"

#include "launch/calls/subject.h"
#include "launch/calls/told.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

static bool listens(int socket)
{
    int yes = 0;
    socklen_t length = sizeof(yes);

    return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &yes, &length) == 0 && yes != 0;
}

static bool is_connected(int socket)
{
    union address peer;
    socklen_t length = sizeof(peer);

    return getpeername(socket, &peer.base, &length) == 0;
}

static size_t count_listeners(const struct ports *ports)
{
    size_t count = 0;

    for (size_t i = 0; i < ports->count; i++)
        count += ports->rows[i].protocol == IPPROTO_TCP;
    return count;
}

/* Rows outlive their sockets until the kernel is asked again. */
static bool has_room(struct calls *calls)
{
    if (count_listeners(&calls->ports) < calls->listeners_max)
        return true;
    return ports_refresh(&calls->ports) == OK &&
           count_listeners(&calls->ports) < calls->listeners_max;
}

/* One of the host's, never bound, or bound to connect, or somebody else's: a twin listens. */
static int listen_on_twin(struct calls *calls, const struct subject *subject, int backlog)
{
    union address bound;
    int error = 0, twin;

    if (is_connected(subject->socket))
        return EINVAL;
    twin = subject_twin(calls, subject, true);
    if (twin < 0)
        return errno;
    if (address_of_socket(subject->socket, &bound) &&
        (address_port(&bound) != 0 || !address_is_unspecified(&bound)))
        error = subject_bind_inside(calls, subject, twin, &bound);
    if (error == 0 && listen(twin, backlog) < 0)
        error = errno;
    if (error == 0)
        error = subject_replace(subject, twin);
    if (error == 0) {
        told_listen(calls, subject, twin);
        subject_remember(calls, subject, twin);
    }
    close(twin);
    return error;
}

static int listen_tcp(struct calls *calls, const struct subject *subject, int backlog)
{
    if (!listens(subject->socket) && !has_room(calls))
        return subject_refuse(calls, subject, EMFILE);
    if (!subject->inside)
        return listen_on_twin(calls, subject, backlog);
    if (listen(subject->socket, backlog) < 0)
        return errno;
    told_listen(calls, subject, subject->socket);
    subject_remember(calls, subject, subject->socket);
    return 0;
}

static int listen_subject(struct calls *calls, const struct subject *subject, int backlog)
{
    struct deed deed = {.kind = DEED_LISTEN, .socket = subject->socket, .backlog = backlog};

    if (subject_is_tcp(subject))
        return listen_tcp(calls, subject, backlog);
    if (subject->family == AF_UNIX) {
        /* Who listens is whom its clients are told (SO_PEERCRED). */
        int error = deed_begin(&calls->deeds, subject->question, &deed);

        return error == 0 ? ANSWERED : error;
    }
    if (subject->type == SOCK_DGRAM || subject->family == AF_NETLINK)
        return EOPNOTSUPP;
    return subject_refuse(calls, subject, EACCES);
}

void call_listen(struct calls *calls, const struct question *question)
{
    struct subject subject;
    int error = subject_open(calls, question, &subject);

    if (error == 0) {
        error = listen_subject(calls, &subject, (int)question->arguments[1]);
        subject_close(&subject);
    }
    if (error != ANSWERED)
        question_answer(question, error);
}
