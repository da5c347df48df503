/* Reading the addresses that surfaces listen on. Private to config/. */
#ifndef SIDELOCK_CONFIG_LISTEN_H
#define SIDELOCK_CONFIG_LISTEN_H

#include "config/reading.h"

/* A json_read of "host:port" into a struct listen_address. */
void config_listen_read(struct json_reader *reader, struct json_t *value, void *into);
/* Notes a fault for every address that is not loopback unless the surface permits it. */
void config_listen_check_loopback(struct json_reader *reader, const struct surface *surface);
/* Notes a fault for every address that an earlier one, of any surface, already takes. */
void config_listen_check_ports(struct json_reader *reader, const struct config *config);
void config_listen_clear(void *address);

#endif
