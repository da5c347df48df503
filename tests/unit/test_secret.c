/* secret.c: hashes and key derivation against published vectors, and the handling of keys. */
#include "base/secret.h"

#include "base/text.h"
#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* FIPS 180-4's examples, as published by NIST: the empty message, one block, two blocks. */
TEST(test_sha256_vectors)
{
    static const struct {
        const char *message, *digest;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        char hex[SHA256_HEX_SIZE], again[SHA256_HEX_SIZE];
        unsigned char digest[SHA256_BYTES];

        secret_sha256_hex(vectors[i].message, strlen(vectors[i].message), hex);
        assert_string_equal(hex, vectors[i].digest);
        secret_sha256(vectors[i].message, strlen(vectors[i].message), digest);
        text_hex(digest, sizeof(digest), again);
        assert_string_equal(again, vectors[i].digest);
    }
}

/* FIPS 180-4's example; only the WebSocket handshake asks for this hash. */
TEST(test_sha1_vector)
{
    unsigned char digest[SHA1_BYTES];
    char hex[2 * SHA1_BYTES + 1];

    secret_sha1("abc", 3, digest);
    text_hex(digest, sizeof(digest), hex);
    assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
}

/* The key 00 01 .. 1f, worked out with an independent HMAC. */
TEST(test_hmac_vector)
{
    static const struct {
        const char *message, *mac;
    } vectors[] = {
        {"", "d38b42096d80f45f826b44a9d5607de72496a415d3f4a1a8c88e3bb9da8dc1cb"},
        {"00112233445566778899aabbccddeeff",
         "36ec4579078060dfb6c95e4a7a9d963671b37c5dd53a9e4b03955c21f8cbb93a"},
    };
    unsigned char bytes[SECRET_KEY_BYTES], mac[SHA256_BYTES];
    struct secret_key *key;
    char hex[SHA256_HEX_SIZE];

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(secret_key_from_bytes(bytes, &key), OK);
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        assert_int_equal(
            secret_hmac_sha256(key, vectors[i].message, strlen(vectors[i].message), mac), OK);
        text_hex(mac, sizeof(mac), hex);
        assert_string_equal(hex, vectors[i].mac);
    }
    secret_key_destroy(key);
}

/*
 * HKDF-SHA256 without a salt: extract-then-expand worked out from RFC 5869
 * section 2 with an independent HMAC over the key 00 01 .. 1f and the info "check".
 */
TEST(test_derivation_vector)
{
    unsigned char bytes[SECRET_KEY_BYTES];
    struct secret_key *master, *derived;
    char hex[2 * SECRET_KEY_BYTES + 1];

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(secret_key_from_bytes(bytes, &master), OK);
    assert_int_equal(secret_key_derive(master, "check", &derived), OK);
    text_hex(secret_key_bytes(derived), SECRET_KEY_BYTES, hex);
    assert_string_equal(hex, "5b65c4e86119ed29b47b7cd9745ac5aa64e441c10a0d9b2a0fa4ffaee96046cf");
    secret_key_destroy(derived);
    secret_key_destroy(master);
}

TEST(test_purposes_give_different_keys)
{
    static const unsigned char bytes[SECRET_KEY_BYTES] = {1};
    struct secret_key *master, *tokens, *sealing, *again;

    assert_int_equal(secret_key_from_bytes(bytes, &master), OK);
    assert_int_equal(secret_key_derive(master, "tokens", &tokens), OK);
    assert_int_equal(secret_key_derive(master, "sealing", &sealing), OK);
    assert_int_equal(secret_key_derive(master, "tokens", &again), OK);
    assert_false(
        secret_equal(secret_key_bytes(tokens), secret_key_bytes(sealing), SECRET_KEY_BYTES));
    assert_false(secret_equal(secret_key_bytes(tokens), bytes, SECRET_KEY_BYTES));
    assert_true(secret_equal(secret_key_bytes(tokens), secret_key_bytes(again), SECRET_KEY_BYTES));
    secret_key_destroy(master);
    secret_key_destroy(tokens);
    secret_key_destroy(sealing);
    secret_key_destroy(again);
}

TEST(test_key_keeps_its_own_copy)
{
    unsigned char bytes[SECRET_KEY_BYTES];
    struct secret_key *key;

    memset(bytes, 7, sizeof(bytes));
    assert_int_equal(secret_key_from_bytes(bytes, &key), OK);
    secret_wipe(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_int_equal(bytes[i], 0);
        assert_int_equal(secret_key_bytes(key)[i], 7);
    }
    secret_key_destroy(key);
    secret_key_destroy(NULL);
}

TEST(test_equal)
{
    assert_true(secret_equal("abc", "abc", 3));
    assert_false(secret_equal("abc", "abd", 3));
    assert_false(secret_equal("xbc", "abc", 3));
    assert_true(secret_equal("abX", "abY", 2));
    assert_true(secret_equal("", "", 0));
}

/* Not a test of randomness: only that each call fills all of its memory anew. */
TEST(test_random_fills)
{
    unsigned char first[64], second[64];
    unsigned char seen[64] = {0};

    for (int round = 0; round < 32; round++) {
        assert_int_equal(secret_random(first, sizeof(first)), OK);
        assert_int_equal(secret_random(second, sizeof(second)), OK);
        assert_memory_not_equal(first, second, sizeof(first));
        for (size_t i = 0; i < sizeof(first); i++)
            seen[i] |= first[i];
    }
    for (size_t i = 0; i < sizeof(seen); i++)
        assert_int_not_equal(seen[i], 0);
    assert_int_equal(secret_random(first, SIZE_MAX), ERROR_LIMIT);
}

/* In portions of any size: each byte once, and none is left in the pool. */
TEST(test_random_pool)
{
    static const unsigned char nothing[SECRET_POOL_BYTES];
    static struct secret_pool pool;
    unsigned char first[16], second[16], large[SECRET_POOL_BYTES];

    for (int round = 0; round < 3 * SECRET_POOL_BYTES / 16; round++) {
        assert_int_equal(secret_pool_take(&pool, first, sizeof(first)), OK);
        assert_int_equal(secret_pool_take(&pool, second, 1 + (size_t)round % 16), OK);
        assert_memory_not_equal(first, second, sizeof(first));
        assert_memory_equal(pool.bytes + pool.left, nothing, sizeof(nothing) - pool.left);
    }
    assert_int_equal(secret_pool_take(&pool, large, sizeof(large)), OK);
    assert_memory_equal(pool.bytes, nothing, sizeof(nothing));
    assert_memory_not_equal(large, nothing, sizeof(large));
    assert_int_equal(secret_pool_take(&pool, large, sizeof(large) + 1), ERROR_LIMIT);
}
