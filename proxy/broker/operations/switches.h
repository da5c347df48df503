/* The kill switch, and reading anew what lies in files. */
#ifndef SIDELOCK_BROKER_OPERATIONS_SWITCHES_H
#define SIDELOCK_BROKER_OPERATIONS_SWITCHES_H

#include "broker/operations/operation.h"

/* On closes every live connection of the surface. */
enum error switches_set_killed(struct operation *operation, const char *surface,
                               bool killed) MUST_CHECK;

/* Opens the audit log anew and reads the surfaces' certificates again; connections stay. */
enum error switches_reload(struct operation *operation) MUST_CHECK;

#endif
