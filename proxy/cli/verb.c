#include "cli/verb.h"

#include <string.h>

static const struct verb *all;

void verb_use(const struct verb *table)
{
    all = table;
}

const struct verb *verb_at(size_t index)
{
    return all[index].name != NULL ? &all[index] : NULL;
}

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; verb_at(i) != NULL; i++) {
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    }
    return NULL;
}
