/*
 * Finds an object's repeated key. Keys are compared by a seeded 64-bit hash of
 * what they spell once unescaped: equal keys always collide, and unequal ones
 * once in 2^64, which refuses a message and never admits one. Linear in the
 * number of keys, whatever they are.
 */
#pragma once

#include "base/reason.h"
#include "base/text.h"

#define JSON_KEYS_SLOTS_MIN 1024 /* kept between texts */
#define JSON_KEYS_SMALL_MAX 16   /* keys of an object that are compared one by one */
/* The memory for all others, those of the objects that are open at a time: good for two million. */
#define JSON_KEYS_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* The keys of one open object. */
struct json_keys_object {
    uint32_t count;
    uint32_t serial; /* which object of this text it is */
    uint64_t hashes[JSON_KEYS_SMALL_MAX];
};

/*
 * The keys of the large objects that are open: open addressing, 0 is a free slot. An object is
 * closed before the one around it, so what came last goes first, and nothing was ever placed
 * behind it because of it.
 */
struct json_keys {
    uint64_t seed[2];
    uint64_t *slots;  /* owned */
    uint32_t *places; /* the slots in use, in the order in which they were taken; owned */
    uint32_t size;    /* of slots; a power of two, and twice that of places */
    uint32_t used;
    uint32_t members_max, total_max;
    uint32_t total; /* keys of the text so far, small objects included */
    uint32_t serial;
};

enum error json_keys_init(struct json_keys *keys) MUST_CHECK;
void json_keys_clear(struct json_keys *keys);
/* Forgets the text before, however far it was read, and keeps no memory for it. */
void json_keys_forget(struct json_keys *keys);
static inline void json_keys_let_go(struct json_keys *keys)
{
    if (keys->size > JSON_KEYS_SLOTS_MIN || keys->used > 0)
        json_keys_forget(keys);
}
static inline size_t json_keys_holds(const struct json_keys *keys)
{
    return keys->size * sizeof(*keys->slots) + keys->size / 2 * sizeof(*keys->places);
}
/* A text begins, and may have so many keys in one object, and in all. */
static inline void json_keys_begin(struct json_keys *keys, uint32_t members_max, uint32_t total_max)
{
    keys->members_max = members_max;
    keys->total_max = total_max;
    keys->total = 0;
    keys->serial = 0;
}

static inline void json_keys_open(struct json_keys *keys, struct json_keys_object *object)
{
    object->count = 0;
    object->serial = ++keys->serial;
}
/* An object has all its keys; it is the one that was opened last. Nothing to do while none of the
 * open ones is large: `used` is 0. */
void json_keys_close(struct json_keys *keys, const struct json_keys_object *object);
/*
 * Adds a raw key. REASON_ALLOWED, REASON_JSON_DUPLICATE_KEY, REASON_JSON_MEMBERS
 * (too many, or too many for JSON_KEYS_BYTES_MAX), or REASON_INTERNAL without memory.
 */
enum reason json_keys_add(struct json_keys *keys, struct json_keys_object *object, struct span key,
                          bool escaped);
