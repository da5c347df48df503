/*
 * Finds an object's repeated key. Keys are compared by a seeded 64-bit hash of
 * what they spell once unescaped: equal keys always collide, and unequal ones
 * once in 2^64, which refuses a message and never admits one. Linear in the
 * number of keys, whatever they are.
 */
#pragma once

#include "base/reason.h"
#include "base/text.h"

#define JSON_MEMBERS_MAX    4096  /* of one object */
#define JSON_KEYS_MAX       65536 /* of one text */
#define JSON_KEYS_SMALL_MAX 16    /* keys of an object that are compared one by one */

/* The keys of one open object. */
struct json_keys_object {
    uint32_t count;
    uint32_t serial; /* which object of this text it is */
    uint64_t hashes[JSON_KEYS_SMALL_MAX];
};

/* The keys of all large objects of one text: open addressing, 0 is a free slot. */
struct json_keys {
    uint64_t seed[2];
    uint64_t *slots; /* owned */
    uint32_t size;   /* a power of two */
    uint32_t used;
    uint32_t total; /* keys of the text so far, small objects included */
    uint32_t serial;
};

enum error json_keys_init(struct json_keys *keys) MUST_CHECK;
void json_keys_clear(struct json_keys *keys);
/* Forgets the previous text. */
void json_keys_reset(struct json_keys *keys);

void json_keys_open(struct json_keys *keys, struct json_keys_object *object);
/*
 * Adds a raw key. REASON_ALLOWED, REASON_JSON_DUPLICATE_KEY, REASON_JSON_LIMIT
 * (the limits are above), or REASON_INTERNAL without memory.
 */
enum reason json_keys_add(struct json_keys *keys, struct json_keys_object *object, struct span key,
                          bool escaped);
