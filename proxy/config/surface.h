/* Reading surfaces. Private to config/. */
#ifndef SIDELOCK_CONFIG_SURFACE_H
#define SIDELOCK_CONFIG_SURFACE_H

#include "config/table.h"

extern const struct config_table config_surface_table;
/* A config_read of one entry of "surfaces". */
void config_surface_read(struct config_reader *reader, const char *name, struct json_t *value,
                         void *into);
void config_surface_clear(struct surface *surface);

#endif
