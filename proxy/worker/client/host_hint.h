/*
 * Services that know themselves by other names refuse everybody who calls them by the one that
 * they are told, and nobody but the operator can do anything about it: his log hints at it.
 */
#pragma once

#include "worker/client/connection.h"

/* What the service answered to the Host: 421, or 403 where it is more often that than not. */
void host_hint(const struct connection *connection, unsigned status, const char *host);
