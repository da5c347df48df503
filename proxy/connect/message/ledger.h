/* The client's requests that have no answer yet: each gets exactly one, ours if need be. */
#pragma once

#include "connect/message/rpc.h"

#define LEDGER_MAX 256

/* What an answer teaches us. */
enum ledger_lesson { LEDGER_NOTHING = 0, LEDGER_INITIALIZE, LEDGER_TOOLS };

struct ledger_entry {
    char key[RPC_ID_KEY_SIZE];
    char id[RPC_ID_BYTES_MAX + 1]; /* as written */
    enum ledger_lesson lesson;
    bool modern;
};

struct ledger {
    struct ledger_entry entries[LEDGER_MAX];
    size_t count;
};

/* ERROR_EXISTS: its id is in use; ERROR_LIMIT. */
enum error ledger_add(struct ledger *ledger, const struct rpc *request) MUST_CHECK;
/* Valid until the next change; NULL: there is none. */
const struct ledger_entry *ledger_find(const struct ledger *ledger, const char *key);
/* Removes an entry, into *out if that is not NULL; false if there is none. */
bool ledger_take(struct ledger *ledger, const char *key, struct ledger_entry *out);
