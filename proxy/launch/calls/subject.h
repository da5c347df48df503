/* The socket that a question is about: what its handlers share. */
#pragma once

#include "launch/calls/question.h"
#include "launch/calls/state.h"
#include "launch/common/address.h"

#include <stdbool.h>

struct subject {
    const struct question *question;
    int descriptor; /* the thread's number for it */
    int socket;     /* a copy, ours */
    int family, type, protocol;
    bool inside;  /* of the private namespace */
    bool outside; /* of the host's, and of neither where a process has made one of its own */
};

/* What the handlers return beside an errno: the question is answered already, or will be. */
#define ANSWERED (-1)

/* An errno: the socket cannot be had. Who is not to be looked into is reported. */
int subject_open(struct calls *calls, const struct question *question, struct subject *out);
void subject_close(struct subject *subject);

bool subject_is_tcp(const struct subject *subject);
bool subject_is_udp(const struct subject *subject);
bool subject_is_ping(const struct subject *subject);

/* Refuses what no service of ours may have, and reports it. */
int subject_refuse(struct calls *calls, const struct subject *subject, int error);

/* Refuses an address that the tree may not connect to, and tells of it. */
int subject_refuse_address(struct calls *calls, const struct subject *subject,
                           const union address *address);

/* The address that the call names in its second and third argument. An errno. */
int subject_read_address(const struct question *question, union address *out, socklen_t *length);

/* What a call does with its socket and the address: an errno, or ANSWERED. */
typedef int subject_act(struct calls *calls, const struct subject *subject,
                        const union address *address, socklen_t length);
/* Answers a call that names a socket and an address. */
void subject_answer(struct calls *calls, const struct question *question, subject_act *act);

/* A socket of its kind, with its options, in the private namespace or in the host's; -1. */
int subject_twin(const struct calls *calls, const struct subject *subject, bool inside);

/* The twin takes its place, in the thread's descriptor. An errno. */
int subject_replace(const struct subject *subject, int twin);

/* Whether the host has the address, that is one of its sockets can be bound to it: 0 or an errno.
 */
int subject_host_has(const struct calls *calls, const struct subject *subject,
                     const union address *address);

/* As bind(2) in the private namespace, of an address that the host has. An errno. */
int subject_bind_inside(const struct calls *calls, const struct subject *subject, int twin,
                        const union address *address);

/* The port of a socket that is bound or listens now is in the table, under the caller's name. */
void subject_remember(struct calls *calls, const struct subject *subject, int socket);
