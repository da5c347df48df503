/*
 * The system calls of a launched tree (seccomp(2), seccomp_unotify(2)). What the kernel can judge
 * by number and argument it judges itself; bind, listen and connect it puts to the keeper, and
 * the calling thread waits for the answer. Without a keeper they fail with ENOSYS.
 *
 *     socket, socketpair     AF_UNIX, AF_NETLINK; AF_INET, AF_INET6 with TCP, UDP or ping:
 *                            programs fall back to TCP where MPTCP is refused. Of AF_UNIX asked
 *                            (calls/call_socket.c), but for pairs that are connected for good
 *     bind, listen, connect  asked
 *     socket                 of datagrams, where none may leave: asked
 *     sendto, sendmsg,       where connects are limited, with MSG_FASTOPEN, which connects:
 *     sendmmsg               EOPNOTSUPP
 *     setsockopt             where they are: ENOPROTOOPT for TCP_FASTOPEN_CONNECT, and for routes
 *                            that lead by another address (IP_OPTIONS, IPV6_RTHDR)
 *     memfd_create           where memfds are sealed: with MFD_NOEXEC_SEAL allowed, else asked, and
 *                            the keeper makes it with the seal, also where MFD_EXEC is wished for
 *     execve, execveat       where executables are limited: asked, so that what is refused is told;
 *                            execveat of a descriptor alone: EACCES
 *     mmap                   where executables are limited, of a file as code: asked, for the same
 *     file_calls.h           where somebody learns what the tree does: asked, as are execve,
 *                            execveat and mmap then
 *     io_uring_*             ENOSYS: a ring carries system calls past every filter
 *     userfaultfd            ENOSYS: whoever looks at such memory can be made to wait for ever
 *     another architecture   (i386, x32) ends the process
 *
 * Kernel 5.14 at least (SO_NETNS_COOKIE); from 5.19 signals do not interrupt an asked call, from
 * 6.3 memfds can be sealed against execution.
 */
#pragma once

#include "base/error.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#define FILTER_MAX 256

struct filter_options {
    bool seal_memfds;
    bool limit_executables;
    bool record; /* what the tree does is learnt */
    bool limit_connects;
    bool refuse_datagrams;
};

/* Writes the filter's instructions into `out` and returns how many. */
size_t filter_build(const struct filter_options *options, struct sock_filter out[FILTER_MAX]);

/*
 * From now on the calling thread, and all that descends from it, has the filter; it must have
 * no_new_privs. `listener` is where its questions are read.
 */
enum error filter_load(const struct filter_options *options, int *listener) MUST_CHECK;
