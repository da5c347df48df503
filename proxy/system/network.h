/*
 * The network namespace that this process is in: whether it is the machine's own, and whether it
 * takes packets for loopback from outside. For services that listen in it by themselves.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum network_kind {
    NETWORK_UNKNOWN = 0, /* it cannot be told from the machine's own */
    NETWORK_MACHINE,     /* the first of the kernel: whatever runs on the machine is in it */
    NETWORK_APART,       /* another, and not that of the first process of a system */
};

#define NETWORK_NAME_SIZE 17 /* of a process, with NUL and the line's end */

/* What the kernel says, also to those without privileges and inside of containers. */
struct network_facts {
    uint64_t inode;  /* of /proc/self/ns/net; 0: it is not said */
    uint64_t cookie; /* SO_NETNS_COOKIE (Linux 5.14); 0: there is none */
    enum {
        FIRST_HIDDEN = 0,
        FIRST_SAME,
        FIRST_OTHER
    } first; /* where process 1, as seen here, is */
    char first_name[NETWORK_NAME_SIZE];
};

void network_find(struct network_facts *out);
/* Pure. `why` is a phrase, static: why it cannot be told; NULL. */
enum network_kind network_judge(const struct network_facts *facts, const char **why);

#define NETWORK_DEVICES "/proc/sys/net/ipv4/conf"

enum network_loopback {
    NETWORK_LOOPBACK_UNKNOWN = 0, /* not all of them can be read */
    NETWORK_LOOPBACK_KEPT,
    NETWORK_LOOPBACK_TAKEN, /* `out` receives the name of one that does */
};

/*
 * Whether a device takes packets for 127.0.0.0/8 from outside (route_localnet), so that neighbours
 * on its network reach what listens on loopback alone: of those that `devices` lists.
 */
enum network_loopback network_look_loopback(const char *devices, char *out, size_t size);
