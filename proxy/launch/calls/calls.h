/*
 * What the keeper answers to the calls that the filter puts to it. **bind and listen are never
 * continued**: a copy of the socket is acted on, or one that takes its place, with what was read
 * once; so another thread changes nothing by changing its memory or its descriptors.
 *
 *     bind     TCP, and UDP with a port: on a twin in the private namespace, which takes the
 *              socket's place. UDP without a port, ping: on the copy. Unix, netlink: on the copy,
 *              as the caller. Anything else, and no path in the host's network: EACCES
 *     listen   TCP: on the copy if it is private, else on a twin. Unix: on the copy
 *     connect  to a port of the tree's own on this host: a private twin takes the socket's place.
 *              A private socket that goes elsewhere: one of the host's does. Then continued, since
 *              a service may connect anywhere
 *     connect  where it is limited: performed, too, by a child on the copy or on the twin, of every
 *              family; by TCP, UDP and ping if it is permitted, or leads to the tree's own ports
 *     socket   of AF_UNIX made here, in the private namespace, in which abstract names are looked
 *              up then. Paths are what they were (unix(7)). So is a pair of datagram sockets, which
 *              can send to others. Who has made himself another network is continued: none of the
 *              host's is in it, and nobody of a tree goes back
 *     socket   of datagrams, where none may leave: made in the private namespace, and given
 *     memfd    made with the seal, and given
 *     execve   of a program that may be executed, or what is none: continued, and judged by the
 *              kernel. Of others: EACCES, and told (execution.h)
 *     mmap     of a file as code: continued, and judged by the kernel; what lies where no code may
 *              come from (islands.h) is told
 *
 * Where somebody learns what the tree does (recorder.h), each of these is told besides, and so are
 * the calls that write files (file_calls.h), which are continued.
 *
 * A tree has at most `listeners_max` TCP listeners: more get EMFILE.
 */
#pragma once

#include "base/error.h"

#include "launch/calls/state.h"

/* Before the calling thread leaves the host's network: how that is known again. */
enum error calls_know_host(struct calls *calls) MUST_CHECK;
/* In the thread that is in the private namespace; `outside` runs. */
enum error calls_start(struct calls *calls) MUST_CHECK;

/* As long as calls_wait(): every DEEDS_WATCH_MS. */
bool calls_wait(const struct calls *calls);
void calls_watch(struct calls *calls);

/* Some child has ended: if it was about a question, that one is answered. */
void calls_ended(struct calls *calls, pid_t child, int status);

/* Answers one question, if there is one. ERROR_IO: there will be none any more. */
enum error calls_answer(struct calls *calls) MUST_CHECK;
