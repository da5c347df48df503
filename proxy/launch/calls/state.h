/* What the keeper knows while it answers the calls of its tree: calls.h begins and uses it. */
#pragma once

#include "launch/calls/deed.h"
#include "launch/calls/outside.h"
#include "launch/calls/recorder.h"
#include "launch/common/command.h"
#include "launch/common/ports.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A limit of the tree's control group that was reached (launch/strain.h). */
enum refusal_limit { LIMIT_NONE = 0, LIMIT_MEMORY, LIMIT_PROCESSES, LIMIT_COUNT };

/* What a service asked for and was refused, though it may be honest. */
struct refusal {
    enum refusal_limit limit; /* NONE: it is about a call */
    uint32_t call;            /* SYS_bind …; SYS_execve: of `path`; SYS_mmap: to load code of it;
                                 SYS_connect with a path: to an address that is limited */
    uint32_t family, type, protocol;
    uint32_t port; /* of the address */
    int32_t error; /* errno */
    char program[PORT_PROGRAM_SIZE];
    char path[EXECUTION_SHOWN_SIZE]; /* what it tried to execute or load, cut off, or the
                                        address that it tried to connect to; else "" */
};

/* A network namespace, as proc(5) names it. */
struct network {
    dev_t device;
    ino_t inode;
};

struct calls {
    int notify; /* the filter's listener */
    struct outside outside;
    struct ports ports;
    struct deeds deeds;
    uint64_t inside; /* the private namespace's cookie, SO_NETNS_COOKIE (5.14) */
    uint64_t host;   /* the host's */
    struct network host_network;
    size_t listeners_max;
    struct reach reach;
    struct permitted permitted[COMMAND_EXECUTABLES_MAX];
    size_t permitted_count;
    bool begun; /* the service's program runs */
    struct recorder recorder;
    void (*refused)(void *data, const struct refusal *refusal);
    void *data;
};
