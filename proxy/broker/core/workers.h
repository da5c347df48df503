/* The worker processes: started, listened to, replaced when they die. */
#ifndef SIDELOCK_BROKER_WORKERS_H
#define SIDELOCK_BROKER_WORKERS_H

#include "broker/broker.h"
#include "ipc/messages.h"

#define WORKER_RESTART_DELAY_MS 100 /* so that one that cannot start does not spin */

/*
 * Starts config->workers of them. `config_fd` holds the configuration for
 * them. `on_ready` is called once, when all are; `on_drained` when, after
 * workers_drain(), the last one has gone.
 */
struct workers_options {
    struct broker *broker;
    int config_fd;
    void (*on_ready)(struct broker *broker);
    void (*on_drained)(struct broker *broker);
};
enum error workers_create(const struct workers_options *options, struct workers **out) MUST_CHECK;
/* Kills what still runs. */
void workers_destroy(struct workers *workers);

/* Asks all to say goodbye to their clients and exit. */
void workers_drain(struct workers *workers);
/* Tells a worker what became of its question; takes over the descriptor (-1: none). */
void workers_send_verdict(struct workers *workers, unsigned worker,
                          const struct ipc_verdict *verdict, int fd);
/* The same for the answer to a DIAL. */
void workers_send_link(struct workers *workers, unsigned worker, const struct ipc_link *link,
                       int fd);
/* The broker's own number for a worker's connection. */
uint64_t workers_connection_id(const struct workers *workers, unsigned worker, uint64_t connection);
/* Reaps children after SIGCHLD. */
void workers_reap(struct workers *workers);

#endif
