/* Reading routes, of a surface or of a dialect pack. Private to config/. */
#ifndef SIDELOCK_CONFIG_ROUTE_H
#define SIDELOCK_CONFIG_ROUTE_H

#include "config/reading.h"

extern const struct json_table config_route_table;
/* A json_read of one route. */
void config_route_read(struct json_reader *reader, struct json_t *value, void *into);
/* The row "routes" of a struct surface. */
#define CONFIG_ROUTES_ROW                                                                          \
    ROW_LIST("routes", struct surface, routes, route_count, 1, CONFIG_ROUTES_MAX,                  \
             .read = config_route_read, .table = &config_route_table)

/* Reads the default routes of a pack; a fault if it has none. Needs reader->dialect. */
void config_route_read_pack(struct json_reader *reader, const struct config_pack *pack,
                            struct surface *surface);
/* Notes a fault for a route whose path another one of the list takes first. */
void config_route_check_paths(struct json_reader *reader, const struct surface *surface);

#endif
