/*
 * What is done with a service's long message before it is whole: it is scanned as it comes, and of
 * one beyond the limit it is found out whose it is.
 */
#pragma once

#include "worker/websocket/both.h"

/* The service has been read. */
void coming_look(struct websocket *websocket);
/* The message is whole, or is not to be vetted: forgets it. */
void coming_forget(struct websocket *websocket);
/* A piece of one beyond the limit; at the last one the verdict, else false. */
bool coming_piece(struct websocket *websocket, const struct ws_whole *piece, bool last,
                  struct vet_result *result);
