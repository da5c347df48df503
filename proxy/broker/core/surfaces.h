/* The surfaces at run time: their listeners, kill switches, certificates and counters. */
#pragma once

#include "base/histogram.h"
#include "broker/core/proven.h"
#include "config/config.h"
#include "ipc/errand.h"
#include "store/store.h"
#include "system/listener.h"
#include "system/trusted_file.h"
#include "system/trusted_socket.h"

#include <sys/types.h>

struct opener; /* core/opener.h */

#define SURFACE_ADDRESS_SIZE 64

/* One bound socket of a surface. */
struct surface_listener {
    int fd;
    char
        address[SURFACE_ADDRESS_SIZE]; /* "127.0.0.1:8081", "[::1]:8081": as bound, port resolved */
    char host[LISTENER_ADDRESS_SIZE];  /* "127.0.0.1", "::1" */
    uint16_t port;
    uint16_t address_index; /* in the surface's list, of the address that it was opened for */
    bool alone;             /* of "localhost", and this host had no ::1 to bind as well */
    bool told;              /* that somebody else has it meanwhile */
};

/* Its service, if it is launched (core/services.h). */
struct surface_service {
    bool asked;    /* the launcher was asked to start it, and has not said that nothing is left */
    bool ending;   /* and then to end it */
    bool demanded; /* of one that is started on demand: somebody asked */
    bool to_cut;   /* it was found exposed, and goes on: who uses it is cut (core/cutting.h) */
    uint64_t not_before_ms; /* and it is not started sooner, by the loop's clock */
    uint64_t idle_since_ms; /* nobody has, since then; 0: somebody does */
    enum service_state state;
    char why[WHY_SIZE];            /* of WAITING and EXPOSED */
    char ports[ERRAND_PORTS_SIZE]; /* that it has, inside */
    pid_t pid;                     /* of the first process of its tree; 0: there is none */
    uint32_t processes;            /* that it has, of a stdio service */
    enum service_sight sight;      /* of this host's listeners, while it is READY */
    uint64_t restarts;             /* since the surface is in force */
    int64_t proven_at;             /* when it was found that READY is true; 0: it is not */
    struct proven program;         /* what runs, by its process id inside, and its fences */
    unsigned dialling;             /* connections that the launcher was asked for */
};

/* Counters are since start. */
struct surface_state {
    struct surface *config; /* NULL: the slot is free */
    bool owned;             /* that is, and not of the configuration that the gate began with */
    bool leaving;           /* not in force any more: nobody is granted anything */
    bool killed;
    bool rehearsing;     /* the same for a moment, which nobody keeps */
    uint32_t awaited;    /* the places of workers that may still hold something of it, a bit each */
    uint64_t left_at_ms; /* when it began to leave, by the loop's clock */
    uint64_t kills;      /* how often it was, since start */
    struct {
        int64_t at; /* 0: never since start */
        size_t connections;
        int64_t took_ms;
    } rehearsal; /* the last: how many were cut, and how soon the last of them was */
    struct surface_listener *listeners; /* with room for all, so that none ever moves */
    size_t listener_count;
    struct trusted_way upstream; /* to its service's socket, and who may listen there */
    int64_t stranger_told_at;    /* when it was last said that somebody else does */
    int64_t unreachable_told_at; /* likewise, that nobody does */
    int64_t host_told_at;        /* and that a client came by a name that it has not */
    int upstream_fault;          /* the errno of the last attempt that failed; 0: none has */
    bool upstream_down;          /* which was the last attempt of all */
    struct surface_service service;
    struct tls_files *tls; /* what it shows to clients; NULL: plain */
    uint64_t admitted;
    uint64_t denied;
    uint64_t messages_forwarded;
    uint64_t messages_refused;       /* in observe mode: would have been */
    uint64_t requests;               /* of HTTP, under grants */
    struct histogram admission_time; /* from the question to the verdict */
    struct histogram service_time;   /* from sending a request to its answer's head */
};

/*
 * A surface keeps its slot, which is what workers call it by, as long as its configuration stays
 * the same. A slot is another's only once nothing is left of the one before (slots.h).
 */
struct surfaces {
    const struct config *config; /* borrowed; but for its surfaces, what is in force */
    struct surface_state *items; /* CONFIG_SLOTS_MAX of them */
    struct surface_state *live[CONFIG_SURFACES_MAX]; /* in force, as the configuration has them */
    size_t count;                                    /* of these */
    size_t connections_max; /* that a worker has room for, whatever surfaces come */
};

/* All of them, armed and without listeners. ERROR_NOT_FOUND: the log says which user there is not.
 */
enum error surfaces_create(struct config *config, struct surfaces *out) MUST_CHECK;
/* One of them; `config` stays the caller's. */
enum error surfaces_make(struct surface *config, struct surface_state *out,
                         char why[WHY_SIZE]) MUST_CHECK;
/* Closes, lets go and wipes what one has, if it is one; its configuration is freed if it is owned.
 */
void surfaces_unmake(struct surface_state *surface);
/* The same of its listeners and its certificate alone: nobody is to come any more. */
void surfaces_shut(struct surface_state *surface);
/* Closes the listeners, lets go of the ways and wipes the certificates. */
void surfaces_clear(struct surfaces *surfaces);

/* Opens the listeners; the log says what is wrong. Kill switches are as the store has them. */
enum error surfaces_open(struct surfaces *surfaces, struct store *store,
                         struct opener *opener) MUST_CHECK;

/* One more listener, opened for the address at `index`; there is room for it. */
struct surface_listener *surfaces_add_listener(struct surface_state *surface, size_t index,
                                               const struct listener *opened);
/*
 * Binds ::1 beside the listener that is alone, if this host has one now. ERROR_NOT_FOUND: it has
 * not; any other: the log has said it.
 */
enum error surfaces_open_missing(struct surface_state *surface, struct opener *opener,
                                 struct surface_listener *alone,
                                 const struct surface_listener **out) MUST_CHECK;

/* What the surfaces that speak TLS are to show, read anew. */
struct surfaces_certificates {
    const struct config *config; /* borrowed, as is the opener */
    struct opener *opener;
    int64_t now;
    struct tls_files *files[CONFIG_SURFACES_MAX];
    enum error error;
    char why[WHY_SIZE]; /* of an error: one sentence */
};

/* Fills all but the first three; touches nothing else, so it may be done on any thread. */
void surfaces_read_certificates(struct surfaces_certificates *out);
/*
 * What was read is kept only if all of it is fit; else (ERROR_INVALID, or whatever it is)
 * everything stays as it was. Takes over the files, which are of the surfaces in force, in their
 * order.
 */
enum error surfaces_keep_certificates(struct surfaces *surfaces,
                                      struct surfaces_certificates *read) MUST_CHECK;
/* Both at once, at the start. */
enum error surfaces_load_certificates(struct surfaces *surfaces, struct opener *opener, int64_t now,
                                      char why[WHY_SIZE]) MUST_CHECK;

/*
 * Which listener of the surface a connected TCP socket was accepted by: NULL for a descriptor
 * that is anything else.
 */
const struct surface_listener *surfaces_accepted(const struct surface_state *surface, int fd);

/* "127.0.0.1:8081", "[::1]:8081" */
void surfaces_print_address(const struct listener *listener, char out[SURFACE_ADDRESS_SIZE]);

/* Only lets go of what was read. */
void surfaces_drop_certificates(struct surfaces_certificates *read);

/* The surface in force called `name`, or that in a slot that a worker named; NULL: there is none.
 */
struct surface_state *surfaces_find(const struct surfaces *surfaces, const char *name);
/* The slot of one of them. */
static inline uint32_t surfaces_index(const struct surfaces *surfaces,
                                      const struct surface_state *surface)
{
    return (uint32_t)(surface - surfaces->items);
}
struct surface_state *surfaces_at(const struct surfaces *surfaces, uint32_t index);
