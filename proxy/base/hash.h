/*
 * A table in which things are found by a key, as soon among many as among few. The things are
 * their owner's, who puts a struct hash_entry into each and compares keys himself:
 *
 *     for (entry = hash_first(&table, hash); entry != NULL; entry = hash_next(entry))
 *         if (keys are equal) ...
 *
 * Whoever chooses keys that share a hash makes walks as long as his quota of them lets him.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HASH_FEW 16 /* for so many no memory is asked for */

struct hash_entry {
    struct hash_entry *next; /* in its bucket */
    uint64_t hash;
};

/* All zero is empty. */
struct hash_table {
    struct hash_entry **buckets; /* owned; NULL: `few` are */
    size_t size;                 /* how many there are, a power of two; 0: HASH_FEW */
    size_t count;                /* of things */
    struct hash_entry *few[HASH_FEW];
};

/* A thing within which an entry is a member. */
#define HASH_OWNER(entry, type, member) ((type *)(void *)((char *)(entry)-offsetof(type, member)))

uint64_t hash_number(uint64_t number);
/* `seed`: the hash of what comes before. */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t length);
uint64_t hash_text(uint64_t seed, const char *text);

/* Cannot fail: without memory for more buckets walks get longer. */
void hash_add(struct hash_table *table, struct hash_entry *entry, uint64_t hash);
/* One that is in it. */
void hash_remove(struct hash_table *table, struct hash_entry *entry);
/* Those of this very hash, one after the other; NULL: there is no other. */
struct hash_entry *hash_first(const struct hash_table *table, uint64_t hash);
struct hash_entry *hash_next(const struct hash_entry *entry);
/* Empties it and frees what is its own; what was in it is left as it is. */
void hash_clear(struct hash_table *table);
/* Any that is left, for an owner who takes all out: *bucket is 0 at first. NULL: none is. */
struct hash_entry *hash_any(const struct hash_table *table, size_t *bucket);
