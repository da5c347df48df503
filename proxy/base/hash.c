#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define LOAD 2 /* things a bucket, before there are more buckets */

/* The last steps of MurmurHash3: every bit of the number counts in every bit of the hash. */
uint64_t hash_number(uint64_t number)
{
    number = (number ^ number >> 33) * UINT64_C(0xff51afd7ed558ccd);
    number = (number ^ number >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return number ^ number >> 33;
}

/* FNV-1a. */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t value = seed ^ UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < length; i++)
        value = (value ^ at[i]) * UINT64_C(0x100000001b3);
    return hash_number(value);
}

uint64_t hash_text(uint64_t seed, const char *text)
{
    return hash_bytes(seed, text, strlen(text));
}

static size_t size_of(const struct hash_table *table)
{
    return table->buckets != NULL ? table->size : HASH_FEW;
}

static struct hash_entry **bucket_of(struct hash_table *table, uint64_t hash)
{
    struct hash_entry **buckets = table->buckets != NULL ? table->buckets : table->few;

    return &buckets[hash & (size_of(table) - 1)];
}

static void put(struct hash_table *table, struct hash_entry *entry)
{
    struct hash_entry **bucket = bucket_of(table, entry->hash);

    entry->next = *bucket;
    *bucket = entry;
}

static void grow(struct hash_table *table)
{
    struct hash_table old = *table;
    struct hash_entry **buckets = calloc(2 * size_of(table), sizeof(void *));

    if (buckets == NULL)
        return;
    table->buckets = buckets;
    table->size = 2 * size_of(&old);
    for (size_t i = 0; i < size_of(&old); i++) {
        struct hash_entry *next, *entry = old.buckets != NULL ? old.buckets[i] : old.few[i];

        for (; entry != NULL; entry = next) {
            next = entry->next;
            put(table, entry);
        }
    }
    free(old.buckets);
}

void hash_add(struct hash_table *table, struct hash_entry *entry, uint64_t hash)
{
    if (table->count >= LOAD * size_of(table))
        grow(table);
    entry->hash = hash;
    put(table, entry);
    table->count++;
}

void hash_remove(struct hash_table *table, struct hash_entry *entry)
{
    struct hash_entry **at = bucket_of(table, entry->hash);

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    table->count--;
}

static struct hash_entry *of_hash(struct hash_entry *entry, uint64_t hash)
{
    while (entry != NULL && entry->hash != hash)
        entry = entry->next;
    return entry;
}

struct hash_entry *hash_first(const struct hash_table *table, uint64_t hash)
{
    struct hash_entry *const *buckets = table->buckets != NULL ? table->buckets : table->few;

    return of_hash(buckets[hash & (size_of(table) - 1)], hash);
}

struct hash_entry *hash_next(const struct hash_entry *entry)
{
    return of_hash(entry->next, entry->hash);
}

void hash_clear(struct hash_table *table)
{
    free(table->buckets);
    *table = (struct hash_table){0};
}

struct hash_entry *hash_any(const struct hash_table *table, size_t *bucket)
{
    struct hash_entry *const *buckets = table->buckets != NULL ? table->buckets : table->few;

    for (; *bucket < size_of(table); (*bucket)++) {
        if (buckets[*bucket] != NULL)
            return buckets[*bucket];
    }
    return NULL;
}
