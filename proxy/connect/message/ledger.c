#include "connect/message/ledger.h"

#include <string.h>

static size_t index_of(const struct ledger *ledger, const char *key)
{
    size_t i = 0;

    while (i < ledger->count && strcmp(ledger->entries[i].key, key) != 0)
        i++;
    return i;
}

enum error ledger_add(struct ledger *ledger, const struct rpc *request)
{
    struct ledger_entry *entry = &ledger->entries[ledger->count];

    if (index_of(ledger, request->id_key) < ledger->count)
        return ERROR_EXISTS;
    if (ledger->count == LEDGER_MAX)
        return ERROR_LIMIT;
    *entry = (struct ledger_entry){.modern = request->version[0] != '\0'};
    memcpy(entry->key, request->id_key, sizeof(entry->key));
    memcpy(entry->id, request->id.data, request->id.length);
    if (strcmp(request->method, "initialize") == 0)
        entry->lesson = LEDGER_INITIALIZE;
    else if (strcmp(request->method, "tools/list") == 0)
        entry->lesson = LEDGER_TOOLS;
    ledger->count++;
    return OK;
}

const struct ledger_entry *ledger_find(const struct ledger *ledger, const char *key)
{
    size_t at = index_of(ledger, key);

    return at < ledger->count ? &ledger->entries[at] : NULL;
}

bool ledger_take(struct ledger *ledger, const char *key, struct ledger_entry *out)
{
    size_t at = index_of(ledger, key);

    if (at == ledger->count)
        return false;
    if (out != NULL)
        *out = ledger->entries[at];
    /* The order is kept: the oldest is told first when all are. */
    memmove(&ledger->entries[at], &ledger->entries[at + 1],
            (ledger->count - at - 1) * sizeof(ledger->entries[0]));
    ledger->count--;
    return true;
}
