/* Ports as `status` shows them: "8081/tcp 5353/udp". */
#pragma once

#include "ipc/errand.h"
#include "launch/common/ports.h"

/* Whether "8081/tcp" is among them. */
bool port_list_has(const char *list, const char *port);
/* Once; what has no room is left out. */
void port_list_add(char list[ERRAND_PORTS_SIZE], const struct port *port);
