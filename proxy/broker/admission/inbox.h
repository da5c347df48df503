/* All that a worker may say: in which of its states, and who takes it. */
#ifndef SIDELOCK_BROKER_ADMISSION_INBOX_H
#define SIDELOCK_BROKER_ADMISSION_INBOX_H

#include "broker/admission/admission.h"

/* A workers_listener; its context is a struct admission. */
enum error inbox_take(void *admission, unsigned worker, enum ipc_state state, const void *bytes,
                      size_t length) MUST_CHECK;

#endif
