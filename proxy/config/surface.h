/* Reading surfaces. Private to config/. */
#ifndef SIDELOCK_CONFIG_SURFACE_H
#define SIDELOCK_CONFIG_SURFACE_H

#include "config/reading.h"

extern const struct json_table config_surface_table;
/* A json_read of one entry of "surfaces". */
void config_surface_read(struct json_reader *reader, struct json_t *value, void *into);
/* Frees what the table does not know. */
void config_surface_clear(void *surface);

#endif
