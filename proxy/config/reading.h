/*
 * What the readers of a configuration know beside the document (the context of
 * their json_reader), and the values that several of them read. Private to config/.
 */
#ifndef SIDELOCK_CONFIG_READING_H
#define SIDELOCK_CONFIG_READING_H

#include "config/check.h"
#include "config/config.h"
#include "config/pattern.h"
#include "json/table.h"

struct config_reading {
    const struct config_pack *packs;
    size_t pack_count;
    uint32_t self_uid;
    const struct dialect *dialect; /* of the surface being read; NULL: none that is usable */
};

/* A json_read of a regular expression into a struct config_pattern *. */
void config_read_pattern(struct json_reader *reader, struct json_t *value, void *into);
/* Frees that. */
void config_clear_pattern(void *pattern);
/* A json_read of "self" or a number into a uint32_t. */
void config_read_uid(struct json_reader *reader, struct json_t *value, void *into);

#endif
