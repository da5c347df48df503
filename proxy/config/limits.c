/*
 * What messages may hold and what a worker keeps of them: read by the tables of surface.c and
 * load.c, which calls this at the end, for one depends on the other.
 */
#include "config/reading.h"

#include <jansson.h>

#define MESSAGES_MIN 8 /* of the largest that a client may send: what a worker has room for */

/* What a worker keeps where nothing is written. */
static uint32_t preset_memory(const struct config *config)
{
    uint32_t memory = CONFIG_WORKER_MEMORY;

    for (size_t i = 0; i < config->surface_count; i++) {
        uint32_t least = MESSAGES_MIN * config->surfaces[i].limits.max_message_bytes;

        memory = memory < least ? least : memory;
    }
    return memory;
}

/* What a session may have. */
static void check_share(struct json_reader *reader, const char *key, uint32_t bytes,
                        uint32_t memory)
{
    if (bytes > memory / 2)
        json_reader_fault_at(
            reader, key,
            "One session may have half of the %u bytes that a worker keeps: set this to %u or "
            "less, or \"worker_memory_bytes\" to %u or more.",
            memory, memory / 2, bytes * 2);
}

static void finish(struct json_reader *reader, const json_t *written, struct surface *surface,
                   uint32_t memory)
{
    struct surface_limits *limits = &surface->limits;
    const bool refuse = surface->unpaired == UNPAIRED_REFUSE;

    if (json_object_get(json_object_get(written, "limits"), "max_answer_bytes") == NULL)
        limits->max_answer_bytes =
            memory / 2 < CONFIG_ANSWER_BYTES_MAX ? memory / 2 : CONFIG_ANSWER_BYTES_MAX;
    check_share(reader, "limits/max_message_bytes", limits->max_message_bytes, memory);
    check_share(reader, "limits/max_answer_bytes", limits->max_answer_bytes, memory);
    surface->json_limits[DIRECTION_C2S] =
        (struct json_limits){limits->max_message_depth, JSON_MEMBERS_MAX, JSON_KEYS_MAX, UINT32_MAX,
                             .refuse_unpaired = refuse};
    surface->json_limits[DIRECTION_S2C] =
        (struct json_limits){limits->max_answer_depth, UINT32_MAX, UINT32_MAX,
                             CONFIG_ANSWER_VALUES_MAX, .refuse_unpaired = refuse};
}

void config_limits_finish(struct json_reader *reader, const json_t *root, struct config *config)
{
    const size_t place = json_reader_enter(reader, "surfaces");
    const json_t *surfaces = json_object_get(root, "surfaces");

    if (json_object_get(root, "worker_memory_bytes") == NULL)
        config->worker_memory_bytes = preset_memory(config);
    for (size_t i = 0; i < config->surface_count; i++) {
        struct surface *surface = &config->surfaces[i];
        size_t within = json_reader_enter(reader, surface->name);

        finish(reader, json_object_get(surfaces, surface->name), surface,
               config->worker_memory_bytes);
        json_reader_leave(reader, within);
    }
    json_reader_leave(reader, place);
}
