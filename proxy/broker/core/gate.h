/* The running gate: everything that the broker holds. The rooms above borrow it. */
#pragma once

#include "base/hash.h"
#include "base/secret.h"
#include "broker/core/connections.h"
#include "broker/core/lines.h"
#include "broker/core/proven.h"
#include "broker/core/surfaces.h"
#include "broker/core/tickets.h"
#include "broker/core/verified.h"
#include "broker/core/vitals.h"
#include "policy/quota.h"
#include "store/store.h"
#include "system/audit.h"

#include <sys/types.h>
#include <uv.h>

/* What workers have not taken up yet (core/switching.h). */
struct switching {
    uint32_t awaited; /* the places of those that were told, a bit each */
    void (*done)(void *context);
    void *context;
};

struct config_bundle;
struct cutting;
struct opener;
struct parent;
struct executables;
struct groups;
struct looks;
struct services;
struct workers;
struct waiting;
struct caller_lookup;

struct gate {
    struct surfaces surfaces;
    struct config_bundle *bundle; /* setup/bundle.h: what is in force; NULL: not read from files */
    bool reloading;
    bool exposed; /* of a service that goes on: core/cutting.h cuts who uses it */
    struct switching switching;
    struct cutting *cuttings; /* core/cutting.h: those that wait */
    uv_timer_t cutting_patience;
    struct opener *opener;            /* core/opener.h */
    struct parent *parent;            /* core/parent.h */
    pid_t pid;                        /* which operators know: the parent's */
    struct proof proof, parent_proof; /* of the broker, of the parent: what they found out */
    struct proven starter, launcher;  /* of what launches services */
    struct proven looker;             /* of core/looks.h */
    struct store *store;
    struct executables *executables; /* core/executables.h */
    struct audit *audit;
    char audit_path[4096]; /* <state_dir>/audit.jsonl */
    struct tickets tickets, login_codes;
    struct verified verified;
    struct connections connections;
    struct lines lines;             /* how many each client can cause in the audit log */
    uint64_t denials[REASON_COUNT]; /* since start */
    struct vitals vitals;           /* how its processes do, and who may read it */
    struct quotas *quotas;          /* what sessions and surfaces have of the broker */
    struct workers *workers;
    struct services *services;     /* core/services.h */
    struct caller_lookup *callers; /* asks the kernel whose a client's socket is */
    struct groups *groups;         /* core/groups.h */
    struct looks *looks;           /* core/looks.h */
    struct secret_pool nonces;     /* of requests for an upgrade */
    int64_t started_at;
    uint64_t operators_refused; /* since start, at the control socket */
    uv_loop_t loop;
    /* admission/waiting.c: questions that are not answered yet. */
    struct waiting *waiting;
    struct hash_table asked; /* the same, by who asked about which connection */
};
