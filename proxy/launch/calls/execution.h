/*
 * What a process of the tree is about to execute, and whether it may (command.h). The kernel
 * judges by itself (landlock(7), noexec); this is so that somebody is told, and for files that no
 * rule of the kernel's is about: a memfd received from outside. Who changes the path meanwhile
 * executes it unseen, and gets no further than the kernel lets him.
 */
#pragma once

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#define EXECUTION_SHOWN_SIZE 256 /* of a path that is told, cut off */

/* A file that may be executed. */
struct permitted {
    dev_t device;
    ino_t inode;
};

struct execution {
    pid_t thread;
    int directory; /* where the path begins; -1: where the process stands */
    char path[PATH_MAX];
    const struct permitted *permitted;
    size_t permitted_count;
};

/* Where the process stands: 0, or EACCES for a program that it may not execute. */
int execution_judge(const struct execution *execution);
