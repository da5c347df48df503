/* The kill switch, and reading anew what lies in files. */
#pragma once

#include "broker/operations/operation.h"

/* On closes every live connection of the surface. */
enum error switches_set_killed(struct operation *operation, const char *surface,
                               bool killed) MUST_CHECK;

/* Opens the audit log anew and reads the surfaces' certificates again; connections stay. */
enum error switches_reload(struct operation *operation) MUST_CHECK;
