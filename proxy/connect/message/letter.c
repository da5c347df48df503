#include "connect/bridge/bridge.h"

#include <stdlib.h>
#include <string.h>

struct letter *letter_create(struct span text, const struct rpc *rpc)
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
    free(letter->headers);
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

void letters_expire(struct connect *connect, struct letters *letters)
{
    uint64_t now_ms = connect_now_ms(connect);

    /* They wait in the order in which they came, near enough. */
    while (letters->first != NULL && now_ms - letters->first->since_ms > HOLD_MS) {
        struct letter *letter = letters_take(letters);

        if (letter->key[0] != '\0')
            connect_fail(connect, letter->key, RPC_LOST, "the gate cannot be reached", NULL);
        letter_destroy(letter);
    }
}

struct letter *letter_replay_initialize(struct connect *connect)
{
    struct letter *letter = NULL;
    struct buffer text;
    struct rpc rpc;

    if (connect->initialize == NULL)
        return NULL;
    buffer_init(&text, connect->place.max_message_bytes + REPLAY_ID_SIZE);
    if (rpc_read(connect->scan, NULL, connect->initialize, strlen(connect->initialize), &rpc) ==
        OK) {
        rpc_write_with_id(&text, span_of(connect->initialize), rpc.id, connect->replay_id);
        memcpy(rpc.id_key, connect->replay_key, sizeof(rpc.id_key));
        if (!buffer_failed(&text))
            letter = letter_create((struct span){text.data, text.length}, &rpc);
    }
    if (letter != NULL) {
        letter->replay = true;
        letter->since_ms = connect_now_ms(connect);
    }
    buffer_clear(&text);
    return letter;
}

struct letter *letter_replay_initialized(struct connect *connect)
{
    static const struct rpc rpc = {.kind = RPC_NOTIFICATION, .method = "notifications/initialized"};
    struct letter *letter = NULL;

    if (connect->initialized != NULL)
        letter = letter_create(span_of(connect->initialized), &rpc);
    if (letter != NULL) {
        letter->replay = true;
        letter->since_ms = connect_now_ms(connect);
    }
    return letter;
}
