#include "json/keys.h"

#include "base/secret.h"
#include "json/chars.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN  1024
#define PROBES_MAX 512 /* half full tables need a few dozen at the very worst */

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

enum error json_keys_init(struct json_keys *keys)
{
    enum error error;

    *keys = (struct json_keys){.size = SLOTS_MIN};
    error = secret_random(keys->seed, sizeof(keys->seed));
    if (error != OK)
        return error;
    keys->slots = calloc(SLOTS_MIN, sizeof(*keys->slots));
    return keys->slots != NULL ? OK : ERROR_MEMORY;
}

void json_keys_clear(struct json_keys *keys)
{
    free(keys->slots);
    *keys = (struct json_keys){0};
}

void json_keys_reset(struct json_keys *keys)
{
    if (keys->size > SLOTS_MIN) {
        uint64_t *smaller = realloc(keys->slots, SLOTS_MIN * sizeof(*keys->slots));

        if (smaller != NULL)
            keys->slots = smaller;
        keys->size = SLOTS_MIN;
    }
    if (keys->used > 0)
        memset(keys->slots, 0, SLOTS_MIN * sizeof(*keys->slots));
    keys->used = 0;
    keys->total = 0;
    keys->serial = 0;
}

void json_keys_open(struct json_keys *keys, struct json_keys_object *object)
{
    object->count = 0;
    object->serial = ++keys->serial;
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
            keys->used++;
            return REASON_ALLOWED;
        }
    }
    return REASON_JSON_LIMIT;
}

/* Doubles the table once it is half full. */
static enum reason grow(struct json_keys *keys)
{
    enum reason reason = REASON_ALLOWED;
    const uint32_t size = keys->size;
    uint64_t *slots = keys->slots;
    uint64_t *larger = calloc((size_t)size * 2, sizeof(*larger));

    if (larger == NULL)
        return REASON_INTERNAL;
    keys->slots = larger;
    keys->size = size * 2;
    keys->used = 0;
    for (uint32_t i = 0; i < size && reason == REASON_ALLOWED; i++) {
        if (slots[i] != 0)
            reason = insert(keys, slots[i]);
    }
    free(slots);
    return reason;
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

    if (object->count == JSON_MEMBERS_MAX || keys->total == JSON_KEYS_MAX)
        return REASON_JSON_LIMIT;
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
