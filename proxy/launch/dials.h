/* Connections that a keeper was asked for and has not answered yet. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DIALS_MAX 256

/* Called once: a socket that is whoever's is called, and 0; or -1 and an errno. */
typedef void dial_done(void *data, int socket, int error);

struct dials {
    struct {
        uint32_t number;
        dial_done *done;
        void *data;
    } rows[DIALS_MAX];
    size_t count;
};

/* There must be room. */
void dials_add(struct dials *dials, uint32_t number, dial_done *done, void *data);

/* Of nobody's number: the socket, if it is one, is closed. */
void dials_answer(struct dials *dials, uint32_t number, int socket, int error);

/* None will be answered any more. */
void dials_fail(struct dials *dials, int error);
