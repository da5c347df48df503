#include "setup/difference.h"

#include "json/reader.h"

#include <jansson.h>
#include <string.h>

#define RESTART "`sidelock reload` cannot change this in a gate that runs; restart it."

static json_t *parse(const struct config_bundle *bundle)
{
    return json_loadb(bundle->text, bundle->length, JSON_REJECT_DUPLICATES, NULL);
}

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

static void check_surfaces(struct json_reader *reader, json_t *before, json_t *now,
                           const struct config_bundle *bundles[2])
{
    size_t place = json_reader_enter(reader, "surfaces");
    const char *name;
    json_t *one, *other;

    json_object_foreach(now, name, other)
    {
        one = json_object_get(before, name);
        forget_words(one);
        forget_words(other);
        if (one == NULL)
            json_reader_fault_at(reader, name, "This surface is new. " RESTART);
        else if (!same(one, other))
            json_reader_fault_at(reader, name, "This surface has changed. " RESTART);
        else if (!same_pack(bundles[0], bundles[1], other))
            json_reader_fault_at(reader, name, "The pack of this surface has changed. " RESTART);
    }
    json_object_foreach(before, name, one)
    {
        if (json_object_get(now, name) == NULL)
            json_reader_fault(reader, "The surface \"%.64s\" is gone. " RESTART, name);
    }
    json_reader_leave(reader, place);
}

static void check_members(struct json_reader *reader, const json_t *before, json_t *now)
{
    static const char *const members[] = {"state_dir", "control_socket",   "workers",
                                          "operators", "on_audit_failure", "executables"};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const char *name = members[i];

        if (!same(json_object_get(before, name), json_object_get(now, name)))
            json_reader_fault_at(reader, name, "This has changed. " RESTART);
    }
}

enum error difference_check(const struct config_bundle *before, const struct config_bundle *now,
                            struct json_faults *faults)
{
    const struct config_bundle *bundles[2] = {before, now};
    struct json_reader reader = {.text = now->text, .length = now->length, .faults = faults};
    json_t *one = parse(before), *other = parse(now);
    enum error error = ERROR_MEMORY;

    if (one != NULL && other != NULL) {
        check_members(&reader, one, other);
        check_surfaces(&reader, json_object_get(one, "surfaces"),
                       json_object_get(other, "surfaces"), bundles);
        json_faults_sort(faults);
        error = reader.faulty ? ERROR_INVALID : OK;
    }
    json_decref(one);
    json_decref(other);
    return error;
}
