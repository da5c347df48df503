/*
 * The one service of `sidelock wrap`: started before there is a gate, because only it knows its
 * port. The gate has that port from then on; when the service ends, everything does.
 */
#pragma once

#include "ipc/errand.h"
#include "parent/launching.h"
#include "system/listener.h"

struct alone_options {
    const char *surface;
    int standard[ERRAND_STANDARDS]; /* the service's; -1: /dev/null; taken over */
    uint16_t port;                  /* that is served; 0: the first at which it listens */
    bool trial; /* it is run to its end, and no port of it is served: there is no gate */
    /*
     * Puts the configuration of a gate on this port, sealed, into the place of the one by which
     * the service was started. It says itself what is wrong.
     */
    enum error (*configure)(void *context, uint16_t port, struct config_bundle *bundle);
    void *context;
};

struct alone {
    const struct alone_options *options;  /* NULL: there is none */
    int ends[ERRAND_END_COUNT];           /* of the launcher, for the broker; -1: not there */
    struct errand said[ERRAND_END_COUNT]; /* what each came with */
    bool begun;                           /* a launcher was told to start it */
    struct listener held[2];              /* the gate's */
    size_t held_count;
    enum service_state state;
    uint16_t port;                 /* 0: it is not known yet */
    char ports[ERRAND_PORTS_SIZE]; /* where it listens */
    bool over;                     /* it has ended, or cannot be started */
    int code;                      /* with which it ended, as a shell says it */
};

/* NULL: there is none. */
void alone_init(struct alone *alone, const struct alone_options *options);
void alone_clear(struct alone *alone);

/*
 * Starts it, and waits until it is ready and the gate's listeners are held. `signals` is a
 * signalfd(2). ERROR_STATE: it is over, or was told to end by a signal; what else fails is logged.
 */
enum error alone_await(struct alone *alone, struct launching *launching, int signals,
                       struct config_bundle *bundle) MUST_CHECK;
/*
 * An end of a launcher (ERRAND_LAUNCHER, launching_hear()) that came since then, taken over. False:
 * it is the broker's. Another launcher's is not: that would start the service once more.
 */
bool alone_keeps(struct alone *alone, const struct errand *what, int fd);
/* What the launcher says of it from then on. False: it is over. */
bool alone_hear(struct alone *alone, struct launching *launching);
/* Whether it has ended, by all that the launcher has said. */
bool alone_ended(struct alone *alone, const struct launching *launching);
