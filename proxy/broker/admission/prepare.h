/*
 * Routes with `prepare`: before the WebSocket is opened, the stored parameters
 * are POSTed to the service, and its answer names the path to upgrade on
 * (AutoGen Studio since its fix). Neither the client's bytes nor the worker
 * come near it. The loop goes on meanwhile.
 */
#pragma once

#include "broker/admission/question.h"

#define PREPARE_MAX 64 /* under way at once; more is REASON_CAPACITY */

/*
 * Takes over the connected descriptor and what the question owns (it is empty
 * on return); grants or refuses later, by upstream_timeout_ms at the latest.
 */
void prepare_start(struct question *question, int fd);

/* Gives up everything under way: the broker is about to exit. */
void prepare_stop(struct gate *gate);
