/*
 * A system call that waits for an answer (seccomp_unotify(2)). Every answer is given once; one to
 * a call that is no more, because its thread was killed, goes nowhere, which is no failure.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct question {
    int notify; /* the filter's listener; borrowed */
    uint64_t id;
    pid_t thread; /* in the reader's PID namespace */
    int call;     /* SYS_bind … */
    uint64_t arguments[6];
};

/* ERROR_NOT_FOUND: there is none after all. ERROR_IO: none will ever come. */
enum error question_receive(int notify, struct question *out) MUST_CHECK;

/* Whether its thread still waits: what was read of a process by its number was then its. */
bool question_lives(const struct question *question);

/* 0: the call succeeded, with 0; else it failed with this errno. */
void question_answer(const struct question *question, int error);

/* The kernel carries the call out, reading its arguments again: only for calls that may say
 * anything at all by then. */
void question_continue(const struct question *question);

/* `descriptor` of the thread becomes `source`'s open file; the call goes on waiting. 0 or errno. */
int question_replace(const struct question *question, int source, int descriptor,
                     bool close_on_exec);

/* The thread has a new descriptor of `source`'s open file, *out; the call goes on waiting. 0 or
 * errno. */
int question_add(const struct question *question, int source, bool close_on_exec, int *out);

/* The call returns a new descriptor of `source`'s open file. */
void question_give(const struct question *question, int source, bool close_on_exec);
