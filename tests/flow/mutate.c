/*
 * Messages that are nearly like those of real clients and services, as many as are asked for, each
 * vetted as the gate would read it; for flow.oracles, which asks other parsers about those that
 * are accepted.
 *
 *   oracle_mutate SEED COUNT
 *
 * Standard output: for each accepted message its length, 4 bytes little-endian, and the message;
 * then in the same way what was read of it, a JSON object {kind, id, verb, target, keys}. A last
 * length of 0xffffffff, and how many there were in all.
 */
#include "base/buffer.h"
#include "config/load.h"
#include "vet/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES_MAX 4096
#define MUTATIONS_MAX     2

static const char *const seeds[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"tools/"
    "call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"text\":\"\\ud83d\",\"n\":"
    "9223372036854775808,\"_x\":[1e309,-0,1.0,null]},\"_meta\":{\"progressToken\":17}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u00e9\\n\",\"method\":\"resources/"
    "read\",\"params\":{\"uri\":\"file:///p\\u00fcblic/x\"}}",
    "{\"method\":\"prompts/"
    "get\",\"params\":{\"arguments\":{\"a\":\"\\u0000\\udc00\"},\"name\":"
    "\"gr\xc3\xbc\xc3\x9f\x65\"},\"jsonrpc\":\"2.0\",\"id\":-5}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"\\ud83d\\ude00\",\"result\":{\"content\":[{\"type\":\"text\","
    "\"text\":\"\\ud83d x \\u0000\"}],\"n\":[1e400,-1e-400,123456789012345678901]}}",
    "{\"result\":{\"a\":{\"b\":{\"c\":[[[{}]]]}},\"\\u0061b\":\"\xf0\x9f\xa6\x8a\"},\"id\":"
    "9007199254740991,\"jsonrpc\":\"2.0\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32601,\"message\":\"\\udead\",\"data\":"
    "1e999}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
    "progress\",\"params\":{\"progressToken\":\"\\ud800\",\"progress\":0.1e1}}",
    "{ \"jsonrpc\" : \"2.0\" , \"id\" : 1 , \"method\" : \"completion/complete\" , \"params\" : { "
    "\"ref\" : { \"type\" : \"ref/prompt\" , \"name\" : \"p\" } , \"argument\" : { \"name\" : "
    "\"n\" , \"value\" : \"v\" } } }",
};

/* What mutations put in: where parsers are known to differ. */
static const char *const pieces[] = {
    "\\u0000",
    "\\ud83d",
    "\\ude00",
    "\\ud83d\\ude00",
    "\\u0065",
    "\\u212a",
    "\\u017f",
    "\\/",
    "\\\"",
    "\\",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "0",
    "-",
    "-0",
    "1e309",
    "1.0",
    "1e5",
    "9223372036854775808",
    "9007199254740993",
    "\"id\":2,",
    "\"id\":\"\\ud83d\",",
    "\"method\":\"ping\",",
    "\"Method\":\"x\",",
    "\"name\":\"x\",",
    "\"n\\u0061me\":\"x\",",
    "\"uri\":\"y\",",
    "\"params\":{},",
    "\"i\\u0064\":1,",
    "null",
    "true",
    " ",
    "\t",
    "\n",
    "\x0b",
    "\xc2\xa0",
    "\xe2\x80\xa8",
    "\xef\xbb\xbf",
    "\xed\xa0\xbd",
    "\xc3",
    "\x7f",
    "\"__proto__\":{\"x\":1},",
    "\"\":0,",
    "NaN",
    "Infinity",
    "//",
    "'",
};

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static uint64_t state;

/* xorshift64 (Marsaglia 2003): the same everywhere for the same seed. */
static size_t choose(size_t of)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state >> 11) % of;
}

/* Puts `length` bytes in the place of `cut` others. */
static size_t splice(char *text, size_t size, size_t at, size_t cut, const char *bytes,
                     size_t length)
{
    if (cut > size - at)
        cut = size - at;
    if (size - cut + length > MESSAGE_BYTES_MAX)
        return size;
    memmove(text + at + length, text + at + cut, size - at - cut);
    memcpy(text + at, bytes, length);
    return size - cut + length;
}

/* Inside a string or a number of the message nearly every change is still JSON: most are there. */
static size_t mutate(char *text, size_t size)
{
    const char *piece = pieces[choose(COUNT(pieces))];
    size_t at = choose(size), other = choose(size);
    char copy[64];

    switch (choose(6)) {
    case 0:
        return splice(text, size, at, 1, "", 0);
    case 1: {
        char byte = (char)choose(256);

        return splice(text, size, at, 1, &byte, 1);
    }
    case 2:
        return splice(text, size, at, choose(2) * choose(8), piece, strlen(piece));
    case 3: /* behind a quote: at the start of a string, or of a key */
        while (at < size && text[at] != '"')
            at++;
        return at < size ? splice(text, size, at + 1, choose(2), piece, strlen(piece)) : size;
    case 4: /* behind a comma or a brace: a member more */
        while (at < size && text[at] != ',' && text[at] != '{')
            at++;
        return at < size ? splice(text, size, at + 1, 0, piece, strlen(piece)) : size;
    default:
        other = size - other < sizeof(copy) ? size - other : 1 + choose(sizeof(copy) - 1);
        at = choose(size - other + 1);
        memcpy(copy, text + at, other);
        return splice(text, size, choose(size), choose(2) * other, copy, other);
    }
}

static void write_length(uint32_t length)
{
    unsigned char head[4];

    for (unsigned i = 0; i < sizeof(head); i++)
        head[i] = (unsigned char)(length >> (8 * i));
    fwrite(head, 1, sizeof(head), stdout);
}

static void write_block(const char *data, size_t length)
{
    write_length((uint32_t)length);
    fwrite(data, 1, length, stdout);
}

static void append(struct buffer *out, const char *name, struct span text)
{
    buffer_append_format(out, ",\"%s\":", name);
    if (text.data != NULL)
        buffer_append_json_string(out, text.data, text.length);
    else
        buffer_append_text(out, "null");
}

/* What the gate goes by. The keys are those of the top and of params. */
static void write_reading(const struct json_scan *scan, const struct message *message)
{
    static const char *const kinds[] = {"other", "request", "notification", "response", "typed"};
    struct buffer out;

    buffer_init(&out, (size_t)64 * MESSAGE_BYTES_MAX);
    buffer_append_format(&out, "{\"kind\":\"%s\"", kinds[message->kind]);
    append(&out, "id", message->id_key);
    append(&out, "verb", message->verb);
    append(&out, "target", message->target);
    buffer_append_text(&out, ",\"keys\":[");
    for (size_t i = 0, count = 0; i < json_scan_count(scan); i++) {
        const struct json_member *member = json_scan_member(scan, i);
        const struct json_member *parent =
            member->parent >= 0 ? json_scan_member(scan, (size_t)member->parent) : NULL;

        if (parent != NULL && (parent->depth > 1 || !span_equals(parent->key, "params")))
            continue;
        buffer_append_format(&out, "%s\"", count++ > 0 ? "," : "");
        if (parent != NULL)
            buffer_append_text(&out, "params/");
        buffer_append(&out, member->key.data, member->key.length); /* as escaped as it came */
        buffer_append_text(&out, "\"");
    }
    buffer_append_text(&out, "]}");
    write_block(out.data, out.length);
    buffer_clear(&out);
}

static struct config *load(void)
{
    static const char text[] =
        "{\"state_dir\":\"/tmp/x\",\"surfaces\":{\"mcp\":{\"listen\":[\"127.0.0.1:1\"],"
        "\"upstream\":{\"socket\":\"/tmp/x/s\"},\"dialect\":\"mcp\"}}}";
    struct json_faults faults;
    struct config *config;

    if (config_load(text, sizeof(text) - 1, NULL, 0, 0, &config, &faults) != OK)
        abort();
    return config;
}

int main(int argc, char **argv)
{
    const unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    struct config *config = load();
    const struct surface *surface = &config->surfaces[0];
    const struct vocabulary *vocabulary = surface->routes[0].vocabulary;
    static char text[MESSAGE_BYTES_MAX];
    static struct message message;
    unsigned long accepted = 0;
    struct json_scan *scan;

    if (count == 0 || json_scan_create(&scan) != OK)
        return 64;
    state = strtoul(argv[1], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned long i = 0; i < count; i++) {
        const char *seed = seeds[choose(COUNT(seeds))];
        size_t size = strlen(seed);
        /* Answers and notifications are the service's. */
        const enum direction direction =
            strstr(seed, "\"method\"") != NULL && strstr(seed, "\"id\"") != NULL ? DIRECTION_C2S
                                                                                 : DIRECTION_S2C;
        const struct json_scan_wishes wishes = {.limits = &surface->json_limits[direction],
                                                .descend = &vocabulary->descend,
                                                .watches = vocabulary->watches,
                                                .watch_count = vocabulary->watch_count};

        memcpy(text, seed, size);
        for (size_t j = 1 + choose(MUTATIONS_MAX); j > 0 && size > 0; j--)
            size = mutate(text, size);
        if (!reason_allows(json_scan_wishing(scan, (struct span){text, size}, &wishes)) ||
            !reason_allows(message_read(scan, vocabulary, direction, &message)))
            continue;
        accepted++;
        write_block(text, size);
        write_reading(scan, &message);
    }
    write_length(UINT32_MAX);
    printf("%lu of %lu\n", accepted, count);
    json_scan_destroy(scan);
    config_destroy(config);
    return 0;
}
