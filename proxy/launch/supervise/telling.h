/*
 * What the launcher tells parent and broker, and how it ends: supervisor.c hears, this says. The
 * launcher's own struct is theirs alone.
 */
#pragma once

#include "ipc/channel.h"
#include "launch/supervise/lone.h"
#include "launch/supervise/place.h"

/* Who is heard: parent or broker. */
struct line {
    struct supervisor *supervisor;
    struct channel *channel;
    uv_poll_t poll;
    uv_poll_cb heard; /* something is to be heard */
};

struct supervisor {
    uv_loop_t loop;
    struct diallings diallings;
    struct lives lives;
    struct stdios stdios;
    struct neighbours neighbours;
    struct config_bundle bundle;
    struct line parent, broker;
    struct place places[CONFIG_SLOTS_MAX]; /* by slot */
    struct lone lone;
    bool finishing;
    int exit_code;
    unsigned char buffer[IPC_MESSAGE_BYTES_MAX];
};

/* All services have their time to end; then it does. */
void telling_finish(struct supervisor *supervisor, uint32_t patience_ms);
/* It ends now. */
void telling_fail(struct supervisor *supervisor, const char *why);

void telling_watch(struct line *line);
/* `fd` (-1: none) is taken over. */
void telling_say(struct line *line, const struct errand *errand, int fd);
/* What a service is now, to whoever hears of it. */
void telling_state(struct supervisor *supervisor, const struct life *life);
void telling_say_state(struct supervisor *supervisor, uint32_t slot, enum service_state state);

/* Of struct lives, struct stdios and struct neighbours, whose context is the supervisor. */
void telling_on_lost(void *context);
void telling_on_over(void *context, const struct life *life, int status);
void telling_on_changed(void *context, struct life *life);
void telling_on_ports(void *context, struct life *life);
void telling_on_fenced(void *context, struct life *life);
void telling_on_exited(void *context, struct life *life, int status, const char *failed);
void telling_on_refused(void *context, uint32_t slot, const struct refusal *refusal);
void telling_on_seen(void *context, struct life *life);
void telling_on_proven(void *context, struct life *life);
void telling_on_said(void *context, const struct errand *errand);
void telling_on_gone(void *context, uint32_t slot);
void telling_on_neighbour(void *context, struct neighbour *neighbour);
void telling_on_neighbour_proven(void *context, struct neighbour *neighbour);
