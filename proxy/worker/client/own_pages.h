/* The gate's own paths (policy/own_path.h): pages for people, and what the broker answers there. */
#pragma once

#include "worker/client/client.h"

/* The broker's yes to a request to one of them. */
void own_pages_show(struct connection *connection, const struct ipc_verdict *verdict);
