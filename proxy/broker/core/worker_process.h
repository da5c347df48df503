/*
 * One place for a worker process, and what it is told: shared by workers.c, which starts and ends
 * them, and tell.c, which speaks to several.
 */
#pragma once

#include "broker/core/endings.h"
#include "broker/core/worker_log.h"
#include "broker/core/workers_options.h"
#include "ipc/channel.h"
#include "system/proof.h"

struct worker_process {
    struct workers *workers;
    unsigned index;
    uint64_t generation; /* of the process that runs, or ran last */
    bool lives;          /* asked for, and not said to have ended */
    pid_t pid;           /* 0: none, or it is not told yet */
    int pidfd;           /* -1: likewise */
    struct proof proof;  /* said when it became ready; its descriptor: -1 before */
    enum ipc_state state;
    struct channel *channel;
    struct worker_log *log; /* NULL: nobody hears what it says */
    struct worker_log_account log_account;
    uv_poll_t poll;
    uv_poll_cb on_channel; /* of `poll` */
    uv_timer_t restart;
    uv_timer_t patience;   /* runs while it takes nothing of what waits for it */
    bool certificates_due; /* once it has taken what waits */
    bool poll_open, was_ready;
    bool put_down; /* neither heard nor told anything any more */
    int poll_events;
};

struct workers {
    struct workers_options options;
    bool draining, ending, ready_told; /* `ending`: nobody waits for the last one to go */
    uint64_t restarts;
    uint64_t generations; /* the last that was given out */
    struct endings endings;
    unsigned count;
    unsigned char buffer[IPC_MESSAGE_BYTES_MAX]; /* for encoding */
    struct worker_process processes[];
};

struct incarnation worker_incarnation(const struct worker_process *process);
/* Says it, or lets it wait; `fd` (-1: none) is taken over. Nothing where no process lives. */
void worker_say(struct worker_process *process, enum ipc_type type, const void *message, int fd);
/* What a surface speaks TLS with; nothing where it speaks none. */
void worker_send_certificate(struct worker_process *process, const struct surface_state *surface);
/* Hears it from now on, and tells it what waits. */
void worker_watch(struct worker_process *process);
void worker_stop_listening(struct worker_process *process);
/* Ends it, as soon as it is known which process that is. */
void worker_kill(const struct worker_process *process);
/* A worker that does not listen or breaks the protocol is not worth keeping; `why` is for the log.
 */
void worker_put_down(struct worker_process *process, const char *why);
/* It asked or told what only one that is broken, or not its own master, does. */
void worker_put_down_broken(struct worker_process *process, enum ipc_type type);
