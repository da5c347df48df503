#include "cli/verbs.h"

#include <string.h>

static const struct verb *verbs;

void verbs_use(const struct verb *table)
{
    verbs = table;
}

const struct verb *verbs_at(size_t index)
{
    return verbs[index].name != NULL ? &verbs[index] : NULL;
}

const struct verb *verbs_find(const char *name)
{
    for (size_t i = 0; verbs_at(i) != NULL; i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}
