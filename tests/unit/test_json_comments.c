/* Comments become spaces, and nothing else moves: vectors/json/comments.txt. */
#include "json/comments.h"

#include "unit.h"
#include "vector_lines.h"

/* "!OFFSET PHRASE", or the text. */
static void check(const struct vector_line *vector, const char *expected, size_t length, char *text)
{
    struct json_comment_fault fault = {0, NULL};
    char said[128];

    if (json_comments_blank(text, vector->length, &fault) != OK)
        length = (size_t)snprintf(said, sizeof(said), "!%zu %s", fault.offset, fault.text);
    else if (vector->length != length)
        fail_msg("%s: expected are %zu bytes of %zu", vector->fields[0], length, vector->length);
    if (memcmp(fault.text != NULL ? said : text, expected, length) != 0)
        fail_msg("%s: got: %.*s", vector->fields[0], (int)length, fault.text != NULL ? said : text);
}

TEST(test_vectors)
{
    struct vector_line vector;
    unsigned count = 0;

    vector_open(&vector, VECTORS_DIR "/json/comments.txt");
    for (; vector_next(&vector, 3); count++) {
        char *text = malloc(vector.length + 1);
        struct vector_line expected = {.number = vector.number};

        assert_non_null(text);
        memcpy(text, vector.text, vector.length);
        vector_read_text(&expected, vector.fields[1]);
        /* A block of just its size, so that a sanitizer sees a read behind its end. */
        text = realloc(text, vector.length > 0 ? vector.length : 1);
        check(&vector, expected.text, expected.length, text);
        free(expected.text);
        free(text);
    }
    vector_close(&vector);
    assert_true(count >= 30);
}
