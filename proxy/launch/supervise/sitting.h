/* One session of the gate at a stdio service: its relay and its processes. stdio.c keeps them. */
#pragma once

#include "launch/supervise/life.h"
#include "policy/quota.h"
#include "setup/record.h"

#define SITTING_SESSION_SIZE 33
#define SITTING_IDLE_MS      (30 * 60 * 1000) /* for which nobody need be connected, if unsaid */

struct process {
    struct process *next;
    struct sitting *sitting;
    uint32_t number; /* the relay's */
    struct tree *tree;
    struct output *output;
};

struct stdio_rooms;

struct sitting {
    struct sitting *next;
    struct stdio_rooms *rooms; /* of the surface; borrowed */
    char session[SITTING_SESSION_SIZE];
    struct recorded recorded; /* what its record says; of the surface's own command nothing */
    struct tree *relay;
    int channel; /* to the relay */
    uv_poll_t poll;
    struct output *output; /* of the relay */
    struct process *processes;
    unsigned process_count;
    struct refusals refusals; /* of all of them */
    uint32_t links;           /* that its relay was handed */
    uint32_t visit;           /* the number of the last one, as the broker counts */
    bool ending;
    bool hung_up; /* nothing is said or heard on the channel any more */
    bool freeing;
};

/* What the sittings of a surface share. */
struct stdio_rooms {
    struct lives *lives;
    uint32_t slot;
    char name[LIFE_NAME_SIZE];
    struct ration ration;
    struct quota_rate launches;
    unsigned process_count;
    void (*refused)(void *context, struct sitting *sitting, enum quota row);
    void (*counted)(void *context); /* `process_count` is another */
    /* Nothing is left of it; it is freed when this returns. */
    void (*over)(void *context, struct sitting *sitting);
    void *context;
};

/* Starts the relay; if that does not hear, the sitting is one that is ending. `record` as in
 * stdio_visit(). ERROR_DENIED, ERROR_INVALID: of a record that may not be; ERROR_NOT_FOUND: there
 * is none, or no such surface, or no spawner any more. */
enum error sitting_begin(struct stdio_rooms *rooms, const char *session, int record,
                         struct sitting **out) MUST_CHECK;
/* A connection of the gate's to the relay; -1 and errno if there is none. */
int sitting_dial(struct sitting *sitting);
/* The relay goes at once, with which its processes' inputs end; `now`: they go, too. */
void sitting_end(struct sitting *sitting, bool now);
void sitting_drop(struct sitting *sitting);
