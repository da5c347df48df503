#include "dialect/dialect.h"

#include "dialect/packs.h"

#include <stdlib.h>
#include <string.h>

const struct vocabulary *dialect_vocabulary(const struct dialect *dialect, const char *name)
{
    for (size_t i = 0; i < dialect->vocabulary_count; i++) {
        if (name == NULL || strcmp(dialect->vocabularies[i].name, name) == 0)
            return &dialect->vocabularies[i];
    }
    return NULL;
}

/* The order of strcmp, for a span that may hold any byte. */
static int compare_name(struct span name, const char *other)
{
    size_t length = strlen(other);
    int order = memcmp(name.data, other, name.length < length ? name.length : length);

    if (order != 0)
        return order;
    return (name.length > length) - (name.length < length);
}

const struct verb_rule *vocabulary_verb(const struct vocabulary *vocabulary,
                                        enum direction direction, struct span name)
{
    size_t low = 0, high = vocabulary->verb_count[direction];

    if (name.data == NULL)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct verb_rule *rule = &vocabulary->verbs[direction][middle];
        int order = compare_name(name, rule->name);

        if (order == 0)
            return rule;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- What a dialect closes ---- */

static bool rule_reopen(struct verb_rule *rule)
{
    bool closed = rule->never || rule->within.count > 0 || rule->only_count > 0;

    rule->never = false;
    text_list_clear(&rule->within);
    for (; rule->only_count > 0; rule->only_count--) {
        free(rule->only[rule->only_count - 1].name);
        text_list_clear(&rule->only[rule->only_count - 1].values);
    }
    free(rule->only);
    rule->only = NULL;
    return closed;
}

bool dialect_enable(struct dialect *dialect, const char *extension)
{
    bool found = false;

    for (size_t i = 0; i < dialect->vocabulary_count * DIRECTION_COUNT; i++) {
        const struct vocabulary *vocabulary = &dialect->vocabularies[i / DIRECTION_COUNT];
        unsigned way = i % DIRECTION_COUNT;

        for (size_t j = 0; j < vocabulary->verb_count[way]; j++) {
            struct verb_rule *rule = &vocabulary->verbs[way][j];

            if (rule->extension == NULL || strcmp(rule->extension, extension) != 0)
                continue;
            found = true;
            rule->off = false;
        }
    }
    return found;
}

bool dialect_reopen(struct dialect *dialect, const char *verb)
{
    bool closed = false;

    for (size_t i = 0; i < dialect->vocabulary_count * DIRECTION_COUNT; i++) {
        const struct vocabulary *vocabulary = &dialect->vocabularies[i / DIRECTION_COUNT];
        unsigned way = i % DIRECTION_COUNT;

        for (size_t j = 0; j < vocabulary->verb_count[way]; j++) {
            if (strcmp(vocabulary->verbs[way][j].name, verb) == 0)
                closed = rule_reopen(&vocabulary->verbs[way][j]) || closed;
        }
    }
    return closed;
}

/* ---- The packs that come with the program ---- */

#define NAME(name, text) ", " name
#define PACK(name, text) {name, text, sizeof(text) - 1},

static const struct {
    const char *name, *text;
    size_t length;
} packs[] = {ROWS_pack(PACK)};

const char *dialect_shipped_names(void)
{
    return &(ROWS_pack(NAME))[2];
}

struct span dialect_shipped(const char *name)
{
    for (size_t i = 0; i < sizeof(packs) / sizeof(packs[0]); i++) {
        if (strcmp(packs[i].name, name) == 0)
            return (struct span){packs[i].text, packs[i].length};
    }
    return (struct span){NULL, 0};
}
