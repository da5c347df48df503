/*
 * A member is added and taken away, and no other byte moves: vectors/edit/members.txt, each also
 * with CR LF. What comes of it is read by jansson as what was wanted; who adds and then takes away
 * has the text of before.
 */
#include "cli/edit/member.h"
#include "json/comments.h"

#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX (64 * 1024)
#define VALUE          "{\"listen\": [\"localhost:1\"], \"n\": {\"a\": 1}}"

struct example {
    char name[64], verb[8], member[32], failure[64];
    char *before, *after; /* owned; `after` is NULL where there is a failure */
};

/* The text up to the next mark at a line's beginning, of which `*at` is then behind the line's end.
 */
static char *take_until(char **at, const char *mark)
{
    char *end = strncmp(*at, mark, strlen(mark)) == 0 ? *at : strstr(*at, mark), *text;

    for (; end != NULL && end != *at && end[-1] != '\n'; end = strstr(end + 1, mark))
        continue;
    text = end != NULL ? strndup(*at, (size_t)(end - *at)) : strdup(*at);
    *at = end != NULL ? end : *at + strlen(*at);
    assert_non_null(text);
    return text;
}

/* What follows `begin` in the line. */
static void take_line(char **at, const char *begin, char *out, size_t size)
{
    char *end = strchr(*at, '\n');

    assert_non_null(end);
    assert_memory_equal(*at, begin, strlen(begin));
    *at += strlen(begin);
    assert_true((size_t)snprintf(out, size, "%.*s", (int)(end - *at), *at) < size);
    *at = end + 1;
}

static bool next(char **at, struct example *out)
{
    char *start = strstr(*at, "\n=== "), line[64];

    start = strncmp(*at, "=== ", 4) == 0 ? *at : start != NULL ? start + 1 : NULL;
    if (start == NULL)
        return false;
    *out = (struct example){.before = NULL};
    take_line(&start, "=== ", out->name, sizeof(out->name));
    take_line(&start, "", line, sizeof(line));
    assert_int_equal(sscanf(line, "%7s %31s", out->verb, out->member), 2);
    take_line(&start, "--- ", out->failure, sizeof(out->failure));
    assert_string_equal(out->failure, "before");
    out->before = take_until(&start, "--- ");
    take_line(&start, "--- ", out->failure, sizeof(out->failure));
    if (strcmp(out->failure, "after") == 0)
        out->after = take_until(&start, "=== ");
    *at = start;
    return true;
}

static char *with_crlf(const char *text)
{
    char *out = malloc(2 * strlen(text) + 1), *to = out;

    assert_non_null(out);
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            *to++ = '\r';
        *to++ = *text;
    }
    *to = '\0';
    return out;
}

static enum error edit(const struct example *example, const char *verb, const char *text,
                       struct buffer *out)
{
    const struct member member = {span_of(text), "surfaces", example->member};
    json_t *value = json_loads(VALUE, 0, NULL);
    enum error error =
        strcmp(verb, "add") == 0 ? member_add(&member, value, out) : member_remove(&member, out);

    json_decref(value);
    return error;
}

/* What jansson makes of it without its comments. */
static json_t *read_plain(const char *text)
{
    struct json_comment_fault fault;
    char *plain = strdup(text);
    json_t *root;

    assert_non_null(plain);
    assert_int_equal(json_comments_blank(plain, strlen(plain), &fault), OK);
    root = json_loads(plain, JSON_REJECT_DUPLICATES, NULL);
    free(plain);
    assert_non_null(root);
    return root;
}

static void check_meaning(const struct example *example, const char *before, const char *after)
{
    json_t *wanted = read_plain(before), *got = read_plain(after);
    json_t *surfaces = json_object_get(wanted, "surfaces");

    if (strcmp(example->verb, "add") == 0)
        json_object_set_new(surfaces, example->member, json_loads(VALUE, 0, NULL));
    else
        assert_int_equal(json_object_del(surfaces, example->member), 0);
    if (!json_equal(wanted, got))
        fail_msg("%s: it is read as something else", example->name);
    json_decref(wanted);
    json_decref(got);
}

static void check(const struct example *example, const char *before, const char *after)
{
    struct buffer out, back;
    enum error error;

    buffer_init(&out, TEXT_BYTES_MAX);
    buffer_init(&back, TEXT_BYTES_MAX);
    error = edit(example, example->verb, before, &out);
    if (after == NULL) {
        assert_memory_equal(example->failure, "fails: ", 7);
        if (error == OK || strstr(error_text(error), example->failure + 7) == NULL)
            fail_msg("%s: %s", example->name, error_text(error));
    } else {
        if (error != OK || strcmp(out.data, after) != 0)
            fail_msg("%s: %s\n%s", example->name, error_text(error),
                     out.length > 0 ? out.data : "");
        check_meaning(example, before, after);
        if (strcmp(example->verb, "add") == 0 && strstr(before, "\"surfaces\": {}") == NULL &&
            strncmp(before, "{\"", 2) != 0) {
            assert_int_equal(edit(example, "rm", out.data, &back), OK);
            assert_string_equal(back.data, before);
        }
    }
    buffer_clear(&out);
    buffer_clear(&back);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(TEXT_BYTES_MAX);
    size_t length;

    assert_non_null(file);
    assert_non_null(text);
    length = fread(text, 1, TEXT_BYTES_MAX - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

TEST(test_vectors)
{
    char *text = read_file(VECTORS_DIR "/edit/members.txt"), *at = text;
    struct example example;
    unsigned count = 0;

    for (; next(&at, &example); count++) {
        char *before = with_crlf(example.before);
        char *after = example.after != NULL ? with_crlf(example.after) : NULL;

        check(&example, example.before, example.after);
        if (strchr(before, '\n') != strrchr(before, '\n'))
            check(&example, before, after);
        free(before);
        free(after);
        free(example.before);
        free(example.after);
    }
    free(text);
    assert_true(count >= 30);
}
