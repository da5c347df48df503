/*
 * Any text as a configuration in which a surface is added (first byte 'a') or taken away, by the
 * name up to the first NUL. jansson reads what comes of it as what was wanted, and no other byte
 * has moved: what is added is a comma and the member with white space, what is taken away is one
 * comma and one piece. Where the text is not fit for it, nothing comes of it.
 */
#include "cli/edit/member.h"
#include "fuzz.h"
#include "json/comments.h"

#include <jansson.h>
#include <string.h>

#define OUT_BYTES_MAX ((size_t)1024 * 1024)
#define VALUE         "{\"n\":{\"a\":1},\"l\":[{},2]}"

static json_t *read_plain(const char *text, size_t length)
{
    struct json_comment_fault fault;
    char *plain = malloc(length + 1);
    json_t *root = NULL;

    require(plain != NULL);
    if (length > 0)
        memcpy(plain, text, length);
    if (memchr(text, '\0', length) == NULL && json_comments_blank(plain, length, &fault) == OK)
        root = json_loadb(plain, length, JSON_REJECT_DUPLICATES, NULL);
    free(plain);
    return root;
}

static char *strip(const char *text, size_t length)
{
    char *out = calloc(length + 1, 1);
    size_t used = 0;

    require(out != NULL);
    for (size_t i = 0; i < length; i++) {
        if (strchr(" \t\r\n", text[i]) == NULL)
            out[used++] = text[i];
    }
    return out;
}

/* But for white space, the text is there with the member and at most one comma. */
static void check_added(struct span text, const struct buffer *out, const char *name)
{
    char *before = strip(text.data, text.length), *after = strip(out->data, out->length);
    char member[512], *at, *old;
    size_t length = (size_t)snprintf(member, sizeof(member), "\"%s\":" VALUE, name), extra = 0;

    for (at = strstr(after, member); at != NULL; at = strstr(at + 1, member)) {
        char *rest = calloc(strlen(after) + 1, 1), *new = rest;

        require(rest != NULL);
        memcpy(rest, after, (size_t)(at - after));
        strcat(rest, at + length);
        for (old = before, extra = 0; *new != '\0'; new ++) {
            if (*old == *new)
                old++;
            else
                extra += *new == ',' ? 1 : 2;
        }
        free(rest);
        if (*old == '\0' && extra <= 1)
            break;
    }
    require(at != NULL);
    free(before);
    free(after);
}

static void check_removed(struct span text, const struct buffer *out)
{
    size_t front = 0, back = 0;

    require(out->length < text.length);
    while (front < out->length && out->data[front] == text.data[front])
        front++;
    while (back < out->length - front &&
           out->data[out->length - 1 - back] == text.data[text.length - 1 - back])
        back++;
    /* Between the two pieces that went, what was there. */
    require(memmem(text.data + front, text.length - front - back, out->data + front,
                   out->length - front - back) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data,
               *nul = size > 1 ? memchr(bytes + 1, '\0', size - 1) : NULL;
    bool adds = size > 0 && data[0] == 'a', known;
    json_t *wanted, *surfaces, *got, *value;
    struct buffer out;
    struct member member = {.list = "surfaces"};
    enum error error;

    if (nul == NULL || !text_is_name(bytes + 1))
        return 0;
    member.name = bytes + 1;
    member.text = (struct span){nul + 1, size - (size_t)(nul + 1 - bytes)};
    wanted = read_plain(member.text.data, member.text.length);
    surfaces = json_object_get(wanted, "surfaces");
    known = json_object_get(surfaces, member.name) != NULL;
    value = json_loads(VALUE, 0, NULL);
    buffer_init(&out, OUT_BYTES_MAX);
    error = adds ? member_add(&member, value, &out) : member_remove(&member, &out);
    require((error == OK) == (json_is_object(surfaces) && known != adds));
    if (error == OK) {
        if (adds)
            json_object_set(surfaces, member.name, value);
        else
            json_object_del(surfaces, member.name);
        got = read_plain(out.data, out.length);
        require(got != NULL && json_equal(got, wanted));
        json_decref(got);
        if (adds)
            check_added(member.text, &out, member.name);
        else
            check_removed(member.text, &out);
    }
    buffer_clear(&out);
    json_decref(value);
    json_decref(wanted);
    return 0;
}
