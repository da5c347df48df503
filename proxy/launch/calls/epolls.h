/*
 * Epoll sets that a socket was put into before it got a twin (epoll(7)): they know open files, so
 * a program that registers its socket first and binds it then would never hear of a client. A
 * registration is found in proc(5)'s fdinfo and made anew for the twin, at the same number.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EPOLLS_MAX 16 /* sets that one descriptor is followed into */

struct epoll_entry {
    int set; /* a copy of the epoll descriptor, ours */
    uint32_t events;
    uint64_t data;
};

struct epolls {
    struct epoll_entry entries[EPOLLS_MAX];
    size_t count;
};

/* In which sets of its process the thread's descriptor is. */
void epolls_find(pid_t thread, int descriptor, struct epolls *out);

/* The twin is in them, as `descriptor`. Closes what was found. */
void epolls_follow(struct epolls *epolls, int twin, int descriptor);

/* A line of an epoll descriptor's fdinfo: whether it is of `descriptor`, and what it says. */
int epolls_read_line(const char *line, int descriptor, struct epoll_entry *out);
