#include "dialect/shipped.h"

#include "dialect/packs.h"

#include <string.h>

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
