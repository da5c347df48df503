/* The channel to a launcher or a looker, as long as it can be spoken to. Used by services.c and
 * looks.c. */
#pragma once

#include "ipc/errand.h"

#include <uv.h>

struct launcher_line;

struct launcher_listener {
    const char *whose; /* "launcher", for the log */
    /* `fd` (-1: none) is taken over. An error: it is not heard any more. */
    enum error (*take)(void *context, const struct errand *errand, int fd);
    /* It has gone, or says what none of ours says; the line is closed. */
    void (*lost)(void *context);
    void *context;
};

/* Takes over the descriptor; NULL without memory. */
struct launcher_line *launcher_line_open(uv_loop_t *loop, int fd,
                                         const struct launcher_listener *listener);
/* `lost` is not called. The loop frees the rest. */
void launcher_line_close(struct launcher_line *line);
/* The same once the loop has closed its handles. Takes NULL. */
void launcher_line_destroy(struct launcher_line *line);
/* That it has gone is heard later. */
void launcher_line_say(struct launcher_line *line, const struct errand *errand);
/* With a descriptor, which is taken over. */
void launcher_line_hand(struct launcher_line *line, const struct errand *errand, int fd);
