#include "connect/message/letter.h"

#include "base/log.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number, because some services take no strings; of a size that no client counts to. */
#define ID_MIN (UINT64_C(1) << 51) /* twice that is a safe integer */

struct letter *letter_create(struct span text, const struct rpc *rpc, uint64_t now_ms)
{
    struct letter *letter = calloc(1, sizeof(*letter));

    if (letter == NULL)
        return NULL;
    letter->bytes = text_copy(text);
    letter->length = text.length;
    if (letter->bytes == NULL) {
        free(letter);
        return NULL;
    }
    letter->since_ms = now_ms;
    letter->kind = rpc->kind;
    letter->modern = rpc->version[0] != '\0';
    if (rpc->kind == RPC_REQUEST)
        memcpy(letter->key, rpc->id_key, sizeof(letter->key));
    letter->initialize = strcmp(rpc->method, "initialize") == 0;
    letter->initialized = strcmp(rpc->method, "notifications/initialized") == 0;
    return letter;
}

void letter_destroy(struct letter *letter)
{
    if (letter == NULL)
        return;
    free(letter->bytes);
    buffer_clear(&letter->headers);
    free(letter);
}

void letters_init(struct letters *letters)
{
    *letters = (struct letters){.last = &letters->first};
}

void letters_append(struct letters *letters, struct letter *letter)
{
    letter->next = NULL;
    *letters->last = letter;
    letters->last = &letter->next;
    letters->bytes += letter->length;
}

void letters_prepend(struct letters *letters, struct letter *letter)
{
    letter->next = letters->first;
    letters->first = letter;
    if (letter->next == NULL)
        letters->last = &letter->next;
    letters->bytes += letter->length;
}

struct letter *letters_take(struct letters *letters)
{
    struct letter *letter = letters->first;

    if (letter == NULL)
        return NULL;
    letters->first = letter->next;
    if (letters->first == NULL)
        letters->last = &letters->first;
    letters->bytes -= letter->length;
    return letter;
}

void letters_clear(struct letters *letters)
{
    struct letter *letter;

    while ((letter = letters_take(letters)) != NULL)
        letter_destroy(letter);
}

/* They wait in the order in which they came, near enough. */
struct letter *letters_take_expired(struct letters *letters, uint64_t now_ms)
{
    if (letters->first == NULL || now_ms - letters->first->since_ms <= LETTER_HOLD_MS)
        return NULL;
    return letters_take(letters);
}

bool letters_have(const struct letters *letters, const char *key)
{
    const struct letter *letter = letters->first;

    while (letter != NULL && strcmp(letter->key, key) != 0)
        letter = letter->next;
    return letter != NULL;
}

/* ---- Replay ---- */

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

static void remember(char **kept, struct buffer *text)
{
    if (buffer_failed(text)) {
        log_warning("out of memory: a lost connection cannot be made good");
        buffer_clear(text);
        return;
    }
    free(*kept);
    *kept = text->data;
}

void replay_keep(struct replay *replay, struct span text, const struct rpc *rpc)
{
    struct buffer copy;

    buffer_init(&copy, text.length + sizeof(replay->id));
    if (strcmp(rpc->method, "initialize") == 0 && rpc->kind == RPC_REQUEST &&
        rpc->version[0] == '\0') {
        free(replay->initialized);
        replay->initialized = NULL;
        replay->version[0] = '\0';
        rpc_write_with_id(&copy, text, rpc->id, replay->id);
        remember(&replay->initialize, &copy);
    } else if (strcmp(rpc->method, "notifications/initialized") == 0) {
        buffer_append(&copy, text.data, text.length);
        remember(&replay->initialized, &copy);
    }
}

static struct letter *ours(const char *text, const struct rpc *rpc, uint64_t now_ms)
{
    struct letter *letter = text != NULL ? letter_create(span_of(text), rpc, now_ms) : NULL;

    if (letter != NULL)
        letter->replay = true;
    return letter;
}

struct letter *replay_initialize(const struct replay *replay, uint64_t now_ms)
{
    struct rpc rpc = {.kind = RPC_REQUEST, .method = "initialize"};

    memcpy(rpc.id_key, replay->id, sizeof(rpc.id_key));
    return ours(replay->initialize, &rpc, now_ms);
}

struct letter *replay_initialized(const struct replay *replay, uint64_t now_ms)
{
    static const struct rpc rpc = {.kind = RPC_NOTIFICATION, .method = "notifications/initialized"};

    return ours(replay->initialized, &rpc, now_ms);
}

bool replay_answered(struct replay *replay, const struct rpc *answer)
{
    if (answer->failed || answer->negotiated[0] == '\0' ||
        (replay->version[0] != '\0' && strcmp(answer->negotiated, replay->version) != 0))
        return false;
    memcpy(replay->version, answer->negotiated, sizeof(replay->version));
    return true;
}
