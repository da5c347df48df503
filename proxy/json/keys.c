#include "json/keys.h"

#include "base/secret.h"
#include "json/chars.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define PROBES_MAX 512 /* half full tables need a few dozen at the very worst */

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

enum error json_keys_init(struct json_keys *keys)
{
    enum error error;

    *keys = (struct json_keys){.size = JSON_KEYS_SLOTS_MIN};
    error = secret_random(keys->seed, sizeof(keys->seed));
    if (error != OK)
        return error;
    keys->slots = calloc(JSON_KEYS_SLOTS_MIN, sizeof(*keys->slots));
    keys->places = malloc(JSON_KEYS_SLOTS_MIN / 2 * sizeof(*keys->places));
    if (keys->slots != NULL && keys->places != NULL)
        return OK;
    json_keys_clear(keys);
    return ERROR_MEMORY;
}

void json_keys_clear(struct json_keys *keys)
{
    free(keys->slots);
    free(keys->places);
    *keys = (struct json_keys){0};
}

/* Back to the least; what cannot be made smaller is as good larger. */
static void shrink(struct json_keys *keys)
{
    uint64_t *slots = realloc(keys->slots, JSON_KEYS_SLOTS_MIN * sizeof(*slots));
    uint32_t *places = realloc(keys->places, JSON_KEYS_SLOTS_MIN / 2 * sizeof(*places));

    if (slots != NULL)
        keys->slots = slots;
    if (places != NULL)
        keys->places = places;
    keys->size = JSON_KEYS_SLOTS_MIN;
}

void json_keys_forget(struct json_keys *keys)
{
    if (keys->size > JSON_KEYS_SLOTS_MIN)
        shrink(keys);
    if (keys->used > 0) /* a text that was not read to its end */
        memset(keys->slots, 0, JSON_KEYS_SLOTS_MIN * sizeof(*keys->slots));
    keys->used = 0;
}

/* Both halves of a 128-bit product: every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t left, uint64_t right)
{
    unsigned __int128 product = (unsigned __int128)left * right;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The hash takes eight bytes at a time and the rest with the length. */
struct hash {
    uint64_t state;
    uint64_t pending;
    size_t length;
};

static void hash_byte(struct hash *hash, uint64_t seed, unsigned char byte)
{
    hash->pending |= (uint64_t)byte << (8 * (hash->length & 7));
    hash->length++;
    if ((hash->length & 7) == 0) {
        hash->state = mix(hash->state ^ hash->pending, seed);
        hash->pending = 0;
    }
}

static uint64_t hash_finish(const struct hash *hash, const uint64_t seed[2])
{
    return mix(hash->state ^ hash->pending, seed[0] ^ hash->length * MULTIPLIER) ^ seed[1];
}

static uint64_t load_8(const unsigned char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

static uint64_t load_4(const unsigned char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return le32toh(word);
}

/* The last 0 to 7 bytes as one word; loads may overlap, for they agree where they do. */
static uint64_t load_rest(const unsigned char *at, size_t left)
{
    if (left >= 4)
        return load_4(at) | load_4(at + left - 4) << (8 * (left - 4));
    if (left == 0)
        return 0;
    return at[0] | (uint64_t)at[left / 2] << (8 * (left / 2)) |
           (uint64_t)at[left - 1] << (8 * (left - 1));
}

static uint64_t hash_plain(const struct json_keys *keys, struct span key)
{
    struct hash hash = {.state = keys->seed[1], .length = key.length};
    const unsigned char *at = (const unsigned char *)key.data;
    size_t left = key.length;

    for (; left >= 8; left -= 8, at += 8)
        hash.state = mix(hash.state ^ load_8(at), keys->seed[0] | 1);
    hash.pending = load_rest(at, left);
    return hash_finish(&hash, keys->seed);
}

static uint64_t hash_escaped(const struct json_keys *keys, struct span key)
{
    struct json_chars string = json_chars_of(key, true);
    struct hash hash = {.state = keys->seed[1]};
    uint32_t character;

    while ((character = json_chars_next(&string)) < JSON_CHARS_FAULT) {
        unsigned char bytes[JSON_CHARS_BYTES_MAX];
        size_t length = json_chars_encode(character, bytes);

        for (size_t i = 0; i < length; i++)
            hash_byte(&hash, keys->seed[0] | 1, bytes[i]);
    }
    return hash_finish(&hash, keys->seed);
}

static enum reason insert(struct json_keys *keys, uint64_t hash)
{
    uint32_t mask = keys->size - 1, slot = (uint32_t)(hash >> 32) & mask;

    if (hash == 0)
        hash = 1;
    for (unsigned probe = 0; probe < PROBES_MAX; probe++, slot = (slot + 1) & mask) {
        if (keys->slots[slot] == hash)
            return REASON_JSON_DUPLICATE_KEY;
        if (keys->slots[slot] == 0) {
            keys->slots[slot] = hash;
            keys->places[keys->used++] = slot;
            return REASON_ALLOWED;
        }
    }
    return REASON_JSON_MEMBERS;
}

/* What two tables take, one of them twice as large as the other, which has so many slots. */
static size_t bytes_while_growing(size_t size)
{
    return 3 * (size * sizeof(uint64_t) + size / 2 * sizeof(uint32_t));
}

/* Doubles the table once it is half full. */
static enum reason grow(struct json_keys *keys)
{
    enum reason reason = REASON_ALLOWED;
    struct json_keys larger = *keys;

    if (bytes_while_growing(keys->size) > JSON_KEYS_BYTES_MAX)
        return REASON_JSON_MEMBERS;
    larger.size = keys->size * 2;
    larger.used = 0;
    larger.slots = calloc(larger.size, sizeof(*larger.slots));
    larger.places = malloc(larger.size / 2 * sizeof(*larger.places));
    if (larger.slots == NULL || larger.places == NULL)
        reason = REASON_INTERNAL;
    for (uint32_t i = 0; i < keys->used && reason_allows(reason); i++)
        reason = insert(&larger, keys->slots[keys->places[i]]);
    if (!reason_allows(reason)) {
        free(larger.slots);
        free(larger.places);
        return reason;
    }
    free(keys->slots);
    free(keys->places);
    keys->slots = larger.slots;
    keys->places = larger.places;
    keys->size = larger.size;
    keys->used = larger.used;
    return REASON_ALLOWED;
}

/* The same hash in two objects lies in two places. */
static enum reason insert_key(struct json_keys *keys, const struct json_keys_object *object,
                              uint64_t hash)
{
    if (keys->used >= keys->size / 2) {
        enum reason reason = grow(keys);

        if (reason != REASON_ALLOWED)
            return reason;
    }
    return insert(keys, mix(hash ^ object->serial * MULTIPLIER, keys->seed[1] | 1));
}

enum reason json_keys_add(struct json_keys *keys, struct json_keys_object *object, struct span key,
                          bool escaped)
{
    uint64_t hash = escaped ? hash_escaped(keys, key) : hash_plain(keys, key);

    if (object->count >= keys->members_max || keys->total >= keys->total_max)
        return REASON_JSON_MEMBERS;
    keys->total++;
    if (object->count < JSON_KEYS_SMALL_MAX) {
        for (uint32_t i = 0; i < object->count; i++) {
            if (object->hashes[i] == hash)
                return REASON_JSON_DUPLICATE_KEY;
        }
        object->hashes[object->count++] = hash;
        return REASON_ALLOWED;
    }
    if (object->count == JSON_KEYS_SMALL_MAX) {
        for (uint32_t i = 0; i < JSON_KEYS_SMALL_MAX; i++) {
            enum reason reason = insert_key(keys, object, object->hashes[i]);

            if (reason != REASON_ALLOWED)
                return reason;
        }
    }
    object->count++;
    return insert_key(keys, object, hash);
}

void json_keys_close(struct json_keys *keys, const struct json_keys_object *object)
{
    if (object->count <= JSON_KEYS_SMALL_MAX)
        return;
    /* The only large one: at once, as many in all places would take long. */
    if (object->count == keys->used && keys->used > keys->size / 8) {
        memset(keys->slots, 0, keys->size * sizeof(*keys->slots));
        keys->used = 0;
        return;
    }
    for (uint32_t i = 0; i < object->count; i++)
        keys->slots[keys->places[--keys->used]] = 0;
}
