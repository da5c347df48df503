/*
 * What a process can be kept from, one fence each: their names, and who promises which. What is in
 * force is another matter, and said by proof.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum fence_kind {
    FENCE_PRIVILEGES = 0, /* gains none by executing (no_new_privs) */
    FENCE_CALLS,          /* makes none but those that are listed (seccomp(2)) */
    FENCE_CAPABILITIES,   /* has none */
    FENCE_DUMPS,          /* shows its memory to no debugger of its user, leaves no core */
    FENCE_READ,           /* opens no file to read it: here on by landlock(7) */
    FENCE_WRITE,          /* opens, makes, moves and removes none */
    FENCE_TRUNCATE,       /* cuts none off */
    FENCE_EXECUTE,
    FENCE_TCP_BIND,
    FENCE_TCP_CONNECT,
    FENCE_ABSTRACT,  /* connects to no abstract Unix socket of others */
    FENCE_SIGNALS,   /* sends none to others */
    FENCE_MEMORY,    /* uses no more than it may: here on with all that descends from it */
    FENCE_PROCESSES, /* nor are there more of them, threads included */
    FENCE_CONNECT,   /* of a service: to what its configuration does not refuse alone */
    FENCE_COUNT
};

_Static_assert(FENCE_COUNT <= 16, "they travel as 16 bits");

#define FENCE(kind) (UINT32_C(1) << FENCE_##kind)
#define FENCES_ALL  ((UINT32_C(1) << FENCE_COUNT) - 1)

/*
 * A worker needs nothing but the descriptors that it has. The broker reads what is to be executed,
 * and signals its workers; the parent starts them, and opens what the operator's file names.
 */
#ifdef SIDELOCK_SANITIZE
#define FENCES_WORKER_READ 0 /* its runtime's reports */
#else
#define FENCES_WORKER_READ FENCE(READ)
#endif
#define FENCES_PARENT                                                                              \
    (FENCE(PRIVILEGES) | FENCE(DUMPS) | FENCE(WRITE) | FENCE(TRUNCATE) | FENCE(TCP_CONNECT))
#define FENCES_BROKER                                                                              \
    (FENCES_PARENT | FENCE(CALLS) | FENCE(EXECUTE) | FENCE(TCP_BIND) | FENCE(ABSTRACT))
/* What forks launchers, and so all services, has no fence that these would inherit; a launcher
 * looks into their trees, which Landlock would forbid; so does a looker, into any process. */
#define FENCES_STARTER  FENCE(PRIVILEGES)
#define FENCES_LAUNCHER (FENCE(PRIVILEGES) | FENCE(CALLS) | FENCE(DUMPS))
#define FENCES_LOOKER   FENCES_LAUNCHER
/*
 * Every service that is launched, and all that descends from it. Its binds, and the connects of
 * one whose connects are limited, are performed by the keeper of its tree, and its processes see no
 * others, so of these Landlock's are second locks.
 * What its list of programs comes to is FENCE(EXECUTE).
 */
#define FENCES_SECOND_LOCKS (FENCE(TCP_BIND) | FENCE(SIGNALS) | FENCE(TCP_CONNECT))
#define FENCES_SERVICE                                                                             \
    (FENCE(PRIVILEGES) | FENCE(CALLS) | FENCE(ABSTRACT) | FENCE(TCP_BIND) | FENCE(SIGNALS))
/* Where connects are limited: its keeper performs them, too. */
#define FENCES_REACH  (FENCE(CONNECT) | FENCE(TCP_CONNECT))
#define FENCES_USE    (FENCE(MEMORY) | FENCE(PROCESSES)) /* where the configuration limits it */
#define FENCES_WORKER (FENCES_BROKER | FENCE(CAPABILITIES) | FENCE(SIGNALS) | FENCES_WORKER_READ)

/* "tcp_bind" */
const char *fence_kind_name(enum fence_kind kind);
#define FENCE_NAMES_SIZE 192 /* of all, with NUL */
/* "tcp_bind, signals"; returns `out`. */
const char *fence_kinds_print(uint32_t fences, char out[FENCE_NAMES_SIZE]);
/* The version of Landlock from which on it is known; 0: it is not Landlock's. */
unsigned fence_kind_since(enum fence_kind kind);
#define FENCE_SENTENCE_SIZE (FENCE_NAMES_SIZE + 128)
/* Says which of a process's fences ("the broker") such a kernel lacks; false: none. */
bool fence_kinds_tell_lacking(uint32_t fences, unsigned landlock, const char *whose,
                              char out[FENCE_SENTENCE_SIZE]);
/* Of these fences, those that a kernel with this version of Landlock lacks. */
uint32_t fence_kinds_lacking(uint32_t fences, unsigned landlock);
