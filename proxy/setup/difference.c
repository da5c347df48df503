#include "setup/difference.h"

#include "json/reader.h"

#include <jansson.h>
#include <string.h>

#define RESTART "`sidelock reload` cannot change this in a gate that runs; restart it."

/* NULL is like NULL alone. */
static bool same(const json_t *one, const json_t *other)
{
    return one == other || (one != NULL && other != NULL && json_equal(one, other));
}

static const struct config_pack *pack_of(const struct config_bundle *bundle, const char *name)
{
    for (size_t i = 0; name != NULL && i < bundle->pack_count; i++) {
        if (strcmp(bundle->packs[i].name, name) == 0)
            return &bundle->packs[i];
    }
    return NULL;
}

/* Of a surface that both have alike; a pack that is compiled in is in neither's list. */
static bool same_pack(const struct config_bundle *before, const struct config_bundle *now,
                      const json_t *surface)
{
    const char *name = json_string_value(json_object_get(surface, "dialect"));
    const struct config_pack *one = pack_of(before, name), *other = pack_of(now, name);

    if (one == NULL || other == NULL)
        return one == other;
    return one->length == other->length && memcmp(one->text, other->text, one->length) == 0;
}

static void forget_words(json_t *surface)
{
    json_object_del(surface, "why");
    json_object_del(surface, "can_do");
}

static bool note(struct text_list *list, const char *name)
{
    return text_list_add(list, name, strlen(name)) == OK;
}

static bool compare_surfaces(json_t *before, json_t *now, const struct config_bundle *bundles[2],
                             struct difference *out)
{
    const char *name;
    json_t *one, *other;
    bool noted = true;

    json_object_foreach(now, name, other)
    {
        one = json_object_get(before, name);
        forget_words(one);
        forget_words(other);
        if (one == NULL)
            noted = noted && note(&out->added, name);
        else if (!same(one, other) || !same_pack(bundles[0], bundles[1], other))
            noted = noted && note(&out->changed, name);
    }
    json_object_foreach(before, name, one)
    {
        if (json_object_get(now, name) == NULL)
            noted = noted && note(&out->removed, name);
    }
    return noted;
}

static void check_members(struct json_reader *reader, const json_t *before, const json_t *now)
{
    static const char *const members[] = {"state_dir", "control_socket",   "workers",
                                          "operators", "on_audit_failure", "executables",
                                          "telemetry"};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const char *name = members[i];

        if (!same(json_object_get(before, name), json_object_get(now, name)))
            json_reader_fault_at(reader, name, "This has changed. " RESTART);
    }
}

/* What a worker began with; the memory is that in force, also where surfaces preset it. */
static void check_workers(struct json_reader *reader, const struct config *before,
                          const struct config *now, size_t connections_max)
{
    if (before->worker_memory_bytes != now->worker_memory_bytes)
        json_reader_fault_at(reader, "worker_memory_bytes",
                             "This is %u now, and %u in the gate that runs; it is preset by the "
                             "largest \"max_message_bytes\". " RESTART,
                             now->worker_memory_bytes, before->worker_memory_bytes);
    for (size_t i = 0; i < now->surface_count; i++) {
        const struct surface *surface = &now->surfaces[i];
        size_t place = json_reader_enter(reader, "surfaces");

        json_reader_enter(reader, surface->name);
        if (surface->limits.max_connections > connections_max)
            json_reader_fault_at(reader, "limits/max_connections",
                                 "The workers that run have room for %zu. " RESTART,
                                 connections_max);
        json_reader_leave(reader, place);
    }
}

enum error difference_find(const struct config_bundle *before, const struct config_bundle *now,
                           size_t connections_max, struct difference *out,
                           struct json_faults *faults)
{
    const struct config_bundle *bundles[2] = {before, now};
    struct json_reader old = {.text = before->text, .length = before->length, .faults = faults};
    struct json_reader reader = {.text = now->text, .length = now->length, .faults = faults};
    json_t *one = json_reader_parse(&old), *other = json_reader_parse(&reader);
    enum error error = ERROR_MEMORY;

    *out = (struct difference){.added = {0}};
    if (one != NULL && other != NULL) {
        check_members(&reader, one, other);
        check_workers(&reader, before->config, now->config, connections_max);
        json_faults_sort(faults);
        if (reader.faulty)
            error = ERROR_INVALID;
        else if (compare_surfaces(json_object_get(one, "surfaces"),
                                  json_object_get(other, "surfaces"), bundles, out))
            error = OK;
    }
    if (error != OK)
        difference_clear(out);
    json_decref(one);
    json_decref(other);
    json_reader_end(&old);
    json_reader_end(&reader);
    return error;
}

void difference_clear(struct difference *difference)
{
    text_list_clear(&difference->added);
    text_list_clear(&difference->changed);
    text_list_clear(&difference->removed);
}
