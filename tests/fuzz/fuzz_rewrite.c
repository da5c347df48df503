/*
 * A service's answer, its URLs rewritten; jansson says whether nothing else
 * changed, once what it cannot hold is made tame. The first byte chooses: query stripped, client
 * over TLS. The same bytes are then a client's body whose stored member is looked for.
 */
#include "fuzz.h"
#include "policy/params.h"
#include "tame.h"
#include "vet/rewrite.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

static struct json_scan *scan;
static struct route_answer route;
static const struct rewrite_addresses addresses[2] = {{NULL, "svc", "gate:1", false},
                                                      {NULL, "svc", "gate:1", true}};

static void set_up(void)
{
    if (json_scan_create(&scan) != OK || text_list_add(&route.urls, "u", 1) != OK ||
        text_list_add(&route.urls, "url", 3) != OK)
        abort();
}

static bool starts(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0 &&
           strchr("/?#", text[strlen(prefix)]) != NULL;
}

/* No URL leads to the service, and none that is to go without has a query. */
static void judge_url(const json_t *value)
{
    const char *text = json_string_value(value);

    if (text == NULL)
        return;
    if (starts(text, "ws://svc") || starts(text, "wss://svc") || starts(text, "http://svc") ||
        starts(text, "https://svc"))
        abort();
    if (route.strip_query && memchr(text, '?', strcspn(text, "#")) != NULL)
        abort();
}

/* Judges the URLs of one object and takes them out of both texts. */
static void judge_object(json_t *before, json_t *after)
{
    static const char *const names[] = {"u", "url"};

    for (unsigned i = 0; i < 2; i++) {
        judge_url(json_object_get(after, names[i]));
        if (json_is_string(json_object_get(after, names[i])) !=
            json_is_string(json_object_get(before, names[i])))
            abort();
        if (json_is_string(json_object_get(after, names[i]))) {
            json_object_del(before, names[i]);
            json_object_del(after, names[i]);
        }
    }
}

static void judge(struct span text, struct span rewritten)
{
    json_t *before = tame_load(text.data, text.length);
    json_t *after = tame_load(rewritten.data, rewritten.length);

    if (before == NULL || after == NULL || json_array_size(before) != json_array_size(after))
        abort();
    judge_object(before, after);
    for (size_t i = 0; i < json_array_size(before); i++)
        judge_object(json_array_get(before, i), json_array_get(after, i));
    if (!json_equal(before, after))
        abort();
    json_decref(before);
    json_decref(after);
}

static void judge_body(struct span text)
{
    static char name[] = "url", from[] = "";
    const struct route_body body = {name, from};
    char found[SHA256_HEX_SIZE], expected[SHA256_HEX_SIZE], *value;
    json_t *root;

    if (!reason_allows(stored_body_digest(scan, &body, text, found)))
        return;
    root = tame_load(text.data, text.length);
    value = json_dumps(json_object_get(root, "url"), JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (value == NULL || canonical_text_digest(value, strlen(value), expected) != OK ||
        strcmp(found, expected) != 0)
        abort();
    free(value);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data + 1, size - 1};
    struct buffer out;

    if (scan == NULL)
        set_up();
    if (size == 0)
        return 0;
    route.strip_query = (data[0] & 1) != 0;
    buffer_init(&out, 8 * size + 64);
    if (reason_allows(rewrite_answer(scan, &route, &addresses[data[0] >> 1 & 1], text, &out)))
        judge(text, out.length > 0 ? (struct span){out.data, out.length} : text);
    buffer_clear(&out);
    judge_body(text);
    return 0;
}
