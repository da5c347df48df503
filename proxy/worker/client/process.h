/*
 * What all connections of a worker share: one thread, one loop, a few buffers, and the
 * channel to the broker.
 */
#pragma once

#include "base/hash.h"
#include "base/histogram.h"
#include "base/secret.h"
#include "config/config.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "policy/allowance.h"
#include "system/proof.h"
#include "vet/vet.h"
#include "wire/assembly.h"
#include "wire/http_fields.h"
#include "wire/ws_frame.h"
#include "worker/client/endpoint.h"
#include "json/scan.h"

#include <sys/queue.h>
#include <uv.h>

#define READ_BYTES        65536 /* one read */
#define ANSWER_READ_BYTES (READ_BYTES + HTTP_HEAD_BYTES_MAX)

/* Reports leave room for questions, and both for what must be told. */
#define REPORTS_WAITING_BYTES_MAX   ((size_t)1024 * 1024)
#define QUESTIONS_WAITING_BYTES_MAX ((size_t)8 * 1024 * 1024)

struct surface_counts {
    uint64_t forwarded, refused, denied; /* not yet reported; `denied`: those without a report */
    uint64_t requests;                   /* likewise, of HTTP under grants */
    struct histogram service;            /* likewise, how soon its answers began */
    uint32_t granted;                    /* connections that were granted something */
    uint64_t host_told_ms;               /* when the log last hinted at Host; 0: never */
};

/* Connections one behind another: who has stood in it longest is the first. */
struct line {
    struct connection *first, *last;
};

#define LOBBY_PARTIES_MAX 16 /* that are told apart; the rest are one */
#define NO_PARTY          UINT8_MAX

/* In the order in which they go. */
enum lobby_line { LOBBY_LEAVING = 0, LOBBY_HEAD, LOBBY_ASKING, LOBBY_LINES };

/* Those in the lobby (lobby.h) of one caller on one surface. */
struct party {
    uint32_t surface, uid;
    bool known;
    size_t count; /* 0: it is nobody's */
    struct line lines[LOBBY_LINES];
};

/* A surface, known to the broker and to all rooms by the slot that it is in (slots.h). */
struct slot {
    const struct surface *surface; /* NULL: the slot is free */
    struct surface *owned;         /* the same, if it came with a reload */
    struct handles *handles;       /* what its service gave to sessions */
    size_t connections;            /* that were let in to it and are not freed */
    bool leaving;                  /* it is in force no more */
};

/* Those who are looked at in one round (rounds.h). */
LIST_HEAD(watched, connection);

#define ROUNDS 32 /* in which all have been looked at */

struct worker {
    const struct config *config; /* of its surfaces those that it began with */
    struct slot slots[CONFIG_SLOTS_MAX];
    uv_loop_t loop;
    struct endpoints endpoints; /* of the loop */
    struct channel *channel;
    struct surface_counts *surfaces; /* by slot */
    struct quotas *quotas;           /* what sessions and callers have of this worker */
    struct allowances *allowances;   /* and what they do in a second */
    struct vet_scratch *scratch;
    struct json_scan *scan;                  /* for bodies that are no messages */
    unsigned char *read_buffer;              /* ASSEMBLY_HEADROOM + ANSWER_READ_BYTES */
    unsigned char *write_buffer;             /* WS_HEADER_MAX + READ_BYTES */
    unsigned char *ipc_buffer;               /* IPC_MESSAGE_BYTES_MAX */
    struct secret_pool random;               /* for worker_random */
    struct hash_table reported;              /* sessions whose messages are refused (reports.h) */
    struct reported *all_reported;           /* the same */
    struct connection *connections;          /* newest first (connection.h) */
    struct connection *dead;                 /* freed before the loop next waits */
    struct watched awake, resting[ROUNDS];   /* all but these: who is looked at when (rounds.h) */
    unsigned round;                          /* whose turn it was last */
    struct hash_table by_id;                 /* all but these */
    struct hash_table members;               /* sessions that were granted something (members.h) */
    struct party parties[LOBBY_PARTIES_MAX]; /* of those who were granted nothing (lobby.h) */
    struct line doomed;                      /* who is to be dropped (cut.h) */
    struct line parted;                      /* of those, who was told so already */
    size_t connection_count;
    size_t granted_count, granted_max; /* of those, who was granted something */
    size_t held_bytes, held_max;       /* what is kept for them (held.h) */
    bool held_over;                    /* somebody has to give way */
    bool urgent;                       /* what is gathered for the broker does not wait for more */
    uint64_t next_id;
    bool draining, stopping, failed;
};

static inline uint64_t worker_now_ms(const struct worker *worker)
{
    return uv_now(&worker->loop);
}

/* The buffers and what decides; before the sandbox closes. */
enum error worker_allocate(struct worker *worker) MUST_CHECK;
void worker_release(struct worker *worker);
/* Stops the process: the broker is gone or broke the protocol. */
void worker_fail(struct worker *worker, const char *why);
/* Random bytes for masks and names: at most a few at a time, none is given out twice. */
void worker_random(struct worker *worker, unsigned char *out, size_t length);
/*
 * Asks or tells the broker: the struct of ipc/messages.h that the type has. False: the broker
 * is slow, and too much waits for it already to send a message of this kind too; reports are
 * then counted, questions answered with REASON_CAPACITY. The end of a grant is always told:
 * there are no more of them than there are grants, and none is given meanwhile.
 */
bool worker_tell(struct worker *worker, enum ipc_type type, const void *message);
/*
 * Once each turn of the loop: what was gathered goes to the broker. Ends of clients that went by
 * themselves wait for the next question or round: a message less, and the broker is woken less.
 */
void worker_flush(struct worker *worker);
/* The same, and shows the broker a descriptor, which stays the caller's; false without one. */
bool worker_ask(struct worker *worker, enum ipc_type type, const void *message, int fd);
/* READY, with what it found out about itself; its descriptor is the broker's then. */
void worker_tell_ready(struct worker *worker, struct proof *proof);
