/*
 * Links for HTTP: a worker that relays under a grant asks for a connection to
 * the service. Where the route adds what the worker may not know, the broker
 * writes the head, and a stored body, before it hands the connection over.
 */
#ifndef SIDELOCK_BROKER_ADMISSION_DIAL_H
#define SIDELOCK_BROKER_ADMISSION_DIAL_H

#include "broker/admission/admission.h"

/* A DIAL. ERROR_SYNTAX: the worker broke the protocol. */
enum error dial_take(struct admission *admission, unsigned worker, const void *bytes,
                     size_t length) MUST_CHECK;

#endif
