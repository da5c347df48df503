/*
 * The terminal of a wrapped service: a pair of its own (pty(7)) between it and the operator's, so
 * that it can put nothing into the operator's input (TIOCSTI) and has a window, ^C and job control
 * of its own. What of the operator's standard descriptors is no terminal goes to the service as it
 * is.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#define PSEUDO_INPUT_BYTES                                                                         \
    4096 /* as much as a terminal takes (N_TTY_BUF_SIZE); the rest is lost                         \
          */

struct pseudo {
    int master; /* non-blocking; -1: nothing is a terminal */
    int slave;
    int outer;          /* the operator's; -1: none */
    int shown;          /* the same to write to, without waiting if that can be; -1: none */
    bool reads;         /* standard input is it */
    bool raw;           /* the operator's is set for this */
    struct termios was; /* of the operator's */
    size_t waiting;     /* of input that the service's did not take yet */
    char input[PSEUDO_INPUT_BYTES];
};

/* `standard` are those that the service is to have, of 0 to 2; borrowed. */
enum error pseudo_open(struct pseudo *pseudo, int standard[3]) MUST_CHECK;
/* None, where nothing of the operator's is the service's. */
void pseudo_none(struct pseudo *pseudo);
/* The service has its side. */
void pseudo_close_slave(struct pseudo *pseudo);
/* Restores the operator's. */
void pseudo_close(struct pseudo *pseudo);
/* In a child that has nothing to do with it. */
void pseudo_forget(struct pseudo *pseudo);

/* Takes the operator's terminal, if this process is in its foreground. */
void pseudo_take(struct pseudo *pseudo);
/* The service's window becomes the operator's. */
void pseudo_resize(const struct pseudo *pseudo);
/* Our own lines are to be ended as the operator's terminal ends them, or not any more. */
void pseudo_speak(const struct pseudo *pseudo, bool speaks);

/* What was typed, to the service. Returns how often it was told to stop (^C). */
unsigned pseudo_read(struct pseudo *pseudo);
/* The rest of that. */
void pseudo_flush(struct pseudo *pseudo);
/*
 * What the service writes, to the operator, whose terminal may take nothing for a while: `room`
 * waits until it does, false: no longer. False: nobody writes any more, or nothing now.
 */
bool pseudo_show(const struct pseudo *pseudo, bool (*room)(void *context, int fd), void *context);
