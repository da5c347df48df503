/*
 * What a grant of HTTP rests on: as long as a request brings the same Host, Origin and
 * token, the worker judges it itself and the broker need not be asked; a single-use session's
 * grant covers nothing more.
 */
#pragma once

#include "policy/request.h"

/* All zero covers nothing. */
struct cover {
    bool given;
    bool once;                           /* the granted request is the only one */
    char *host, *origin, *authorization; /* owned; NULL: absent */
};

/* Keeps what the granted request brought; without memory nothing is covered. */
void cover_keep(struct cover *cover, const struct request *asked);
/* Whether this request needs no question of its own. */
bool cover_reaches(const struct cover *cover, const struct request *asked);
void cover_clear(struct cover *cover);
