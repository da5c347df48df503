#include "connect/message/letter.h"

#include <stdlib.h>
#include <string.h>

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
