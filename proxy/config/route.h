/* Reading routes, of a surface or of a dialect pack. Private to config/. */
#ifndef SIDELOCK_CONFIG_ROUTE_H
#define SIDELOCK_CONFIG_ROUTE_H

#include "config/table.h"

extern const struct config_table config_route_table;
/* A config_read of one route. */
void config_route_read(struct config_reader *reader, const char *name, struct json_t *value,
                       void *into);
/* The row "routes" of a struct surface. */
#define CONFIG_ROUTES_KEY                                                                          \
    {                                                                                              \
        .name = "routes", .type = CONFIG_LIST, .offset = offsetof(struct surface, routes),         \
        .count_offset = offsetof(struct surface, route_count), .size = sizeof(struct route),       \
        .minimum = 1, .maximum = CONFIG_ROUTES_MAX, .read = config_route_read,                     \
        .table = &config_route_table                                                               \
    }

/* Reads the default routes of a pack; a fault if it has none. Needs reader->dialect. */
void config_route_read_pack(struct config_reader *reader, const struct config_pack *pack,
                            struct surface *surface);
/* Notes a fault for a route whose path another one of the list takes first. */
void config_route_check_paths(struct config_reader *reader, const struct surface *surface);
void config_route_clear(struct route *route);

#endif
