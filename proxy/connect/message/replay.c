#include "connect/message/replay.h"

#include "base/log.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number, because some services take no strings; of a size that no client counts to. */
#define ID_MIN (UINT64_C(1) << 51) /* twice that is a safe integer */

enum error replay_init(struct replay *replay)
{
    uint64_t value;
    enum error error = secret_random(&value, sizeof(value));

    if (error == OK)
        snprintf(replay->id, sizeof(replay->id), "%llu",
                 (unsigned long long)(ID_MIN + value % ID_MIN));
    return error;
}

void replay_clear(struct replay *replay)
{
    free(replay->initialize);
    free(replay->initialized);
}

static void remember(char **kept, const struct letter *letter)
{
    char *copy = text_copy((struct span){letter->bytes, letter->length});

    if (copy == NULL) {
        log_warning("out of memory: a lost connection cannot be made good");
        return;
    }
    free(*kept);
    *kept = copy;
}

void replay_keep(struct replay *replay, const struct letter *letter)
{
    if (letter->initialize && !letter->modern && letter->key[0] != '\0') {
        free(replay->initialized);
        replay->initialized = NULL;
        replay->version[0] = '\0';
        remember(&replay->initialize, letter);
    } else if (letter->initialized) {
        remember(&replay->initialized, letter);
    }
}

static struct letter *ours(struct span text, const struct rpc *rpc, uint64_t now_ms)
{
    struct letter *letter = letter_create(text, rpc, now_ms);

    if (letter != NULL)
        letter->replay = true;
    return letter;
}

struct letter *replay_initialize(const struct replay *replay, struct json_scan *scan,
                                 uint64_t now_ms)
{
    struct span original = span_of(replay->initialize);
    struct letter *letter = NULL;
    struct buffer text;
    struct rpc rpc;

    if (original.data == NULL ||
        rpc_read(scan, NULL, replay->initialize, original.length, &rpc) != OK)
        return NULL;
    buffer_init(&text, original.length + sizeof(replay->id));
    rpc_write_with_id(&text, original, rpc.id, replay->id);
    memcpy(rpc.id_key, replay->id, sizeof(rpc.id_key));
    if (!buffer_failed(&text))
        letter = ours((struct span){text.data, text.length}, &rpc, now_ms);
    buffer_clear(&text);
    return letter;
}

struct letter *replay_initialized(const struct replay *replay, uint64_t now_ms)
{
    static const struct rpc rpc = {.kind = RPC_NOTIFICATION, .method = "notifications/initialized"};

    return replay->initialized != NULL ? ours(span_of(replay->initialized), &rpc, now_ms) : NULL;
}

bool replay_answered(struct replay *replay, struct json_scan *scan, const struct rpc *answer,
                     struct span text)
{
    char version[RPC_VERSION_BYTES_MAX + 1];

    if (answer->failed || !rpc_result_version(scan, text.data, text.length, version) ||
        (replay->version[0] != '\0' && strcmp(version, replay->version) != 0))
        return false;
    memcpy(replay->version, version, sizeof(version));
    return true;
}
