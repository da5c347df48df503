/* Admission: a worker's question, the policy's steps over the store, a verdict. */
#ifndef SIDELOCK_BROKER_ADMISSION_ADMIT_H
#define SIDELOCK_BROKER_ADMISSION_ADMIT_H

#include "broker/admission/admission.h"

/* An ADMIT. ERROR_SYNTAX: the worker broke the protocol. */
enum error admit_take(struct admission *admission, unsigned worker, const void *bytes,
                      size_t length) MUST_CHECK;

#endif
