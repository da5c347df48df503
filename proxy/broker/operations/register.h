/*
 * The loopback exception register: one row for each surface, eight columns,
 * each cell with its value, what it rests on, and how that was found.
 *
 * Pure: facts in, rows out, rendered as JSON or Markdown. register_state.c
 * gathers the facts from a running broker; without one, the configuration
 * alone gives rows in which everything is claimed.
 */
#pragma once

#include "base/buffer.h"
#include "config/config.h"
#include "ipc/errand.h"
#include "system/fence_kind.h"

#include <sys/types.h>

#define REGISTER_BYTES_MAX      (4 * 1024 * 1024)
#define REGISTER_CELL_BYTES_MAX (16 * 1024)

enum register_column {
    REGISTER_SURFACE,
    REGISTER_WHY,
    REGISTER_REACH,
    REGISTER_CAN_DO,
    REGISTER_AUTHENTICATION,
    REGISTER_CALLERS,
    REGISTER_ISOLATION,
    REGISTER_KILL_SWITCH,
    REGISTER_COLUMN_COUNT
};

/* What the operating system says about the private socket and its directory. */
struct register_socket {
    mode_t directory_mode;
    uid_t directory_owner;
    bool directory_known;   /* the directory could be looked at */
    bool directory_private; /* owned by whoever runs Sidelock or root, closed to all others */
    bool socket_there;      /* a socket exists at the path now */
};

/* What is known of one surface. */
struct register_facts {
    const struct surface *surface; /* borrowed; never NULL */
    const struct config *config;   /* borrowed; never NULL */
    /* With `live` the rest was read from a running broker; without, it is not looked at. */
    const char *lacking; /* of the gate's own fences (core/proofs.h), borrowed; "": none; NULL: it
                            is not known */
    const char *unheld;  /* what the kernel lacks to hold a service to what it may execute
                            (system/execution_fence.h); NULL: nothing. Also without `live`. */
    struct text_list listeners; /* addresses held, asked of the kernel */
    size_t connections;
    size_t sessions;            /* active ones */
    size_t sessions_any_caller; /* of these, without callers of their own */
    struct register_socket socket;
    enum service_state service; /* of one that is launched */
    enum service_sight service_sight;
    const char *service_why;   /* borrowed; NULL: nothing is said */
    int64_t service_proven_at; /* when it was found out last; 0: it was not */
    uint32_t unfenced; /* of a launched service's fences, those that do not hold as far as is known
                          (setup/fences.h). Also without `live`. */
    bool live;
    bool listeners_loopback; /* all of them */
    bool killed;
    bool lockdown; /* nothing may serve, or be armed */
    /* When the kill switch was rehearsed last, 0: never; what was cut, and how soon. */
    int64_t rehearsed_at, rehearsed_ms;
    size_t rehearsed_connections;
};

void register_facts_clear(struct register_facts *facts);

struct register_cell {
    struct buffer value;
    bool proven;     /* read from live state; else claimed by configuration or code */
    const char *how; /* one phrase, static */
    bool finding;    /* somebody should look at this */
};

struct register_row {
    const char *name; /* of the surface; borrowed */
    struct register_cell cells[REGISTER_COLUMN_COUNT];
};

/* Fills a row that register_row_clear empties. ERROR_MEMORY, ERROR_LIMIT. */
enum error register_row_build(const struct register_facts *facts,
                              struct register_row *out) MUST_CHECK;
void register_row_clear(struct register_row *row);

/* The key of each column in JSON ("kill_switch"), its title ("Kill switch"), and who fills a cell.
 */
extern const struct register_heading {
    const char *key, *title;
    void (*build)(const struct register_facts *facts, struct register_cell *cell);
} register_headings[REGISTER_COLUMN_COUNT];

enum register_format { REGISTER_JSON, REGISTER_MARKDOWN };

/*
 * register_state.c: fills facts[0 .. config->surface_count) from a running gate and the operating
 * system; the caller counts the sessions and clears the facts. On failure there is nothing to
 * clear.
 */
struct gate;
struct store_tally;
enum error register_state_gather(const struct gate *gate, const struct store_tally *sessions,
                                 const char *lacking, struct register_facts *facts) MUST_CHECK;

/* register_render.c: renders the whole register, rows in the given order. ERROR_MEMORY,
 * ERROR_LIMIT. */
enum error register_render(const struct register_facts *facts, size_t count,
                           enum register_format format, struct buffer *out) MUST_CHECK;
