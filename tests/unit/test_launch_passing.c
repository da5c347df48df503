/* passing.c: whole messages of the right size, and no descriptor is ever lost. */
#include "launch/common/passing.h"

#include "unit.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static int open_pair(void **state)
{
    (void)state;
    return passing_pair(pair, 1) == OK ? 0 : -1;
}

static int close_pair(void **state)
{
    (void)state;
    passing_close(&pair[0]);
    passing_close(&pair[1]);
    return 0;
}

/* The lowest that is free: what is not closed moves it up. */
static int lowest(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    close(fd);
    return fd;
}

TEST_BETWEEN(test_message_and_descriptors, open_pair, close_pair)
{
    int sent[2] = {STDIN_FILENO, STDERR_FILENO}, came[4] = {-1, -1, -1, -1};
    uint32_t word = 7;
    size_t count = 4;

    assert_int_equal(passing_send(pair[1], &word, sizeof(word), sent, 2), OK);
    word = 0;
    assert_int_equal(passing_receive(pair[0], &word, sizeof(word), came, &count), OK);
    assert_int_equal(word, 7);
    assert_int_equal(count, 2);
    assert_true((fcntl(came[0], F_GETFD) & FD_CLOEXEC) != 0);
    close(came[0]);
    close(came[1]);
}

TEST_BETWEEN(test_nothing_there, open_pair, close_pair)
{
    size_t count = 0;
    int none;
    char byte;

    assert_int_equal(passing_receive(pair[0], &byte, 1, &none, &count), ERROR_STATE);
    passing_close(&pair[1]);
    assert_int_equal(passing_receive(pair[0], &byte, 1, &none, &count), ERROR_NOT_FOUND);
    assert_int_not_equal(passing_send(pair[0], "x", 1, NULL, 0), OK);
}

TEST_BETWEEN(test_another_size_is_refused, open_pair, close_pair)
{
    int none, before = lowest(), given = STDIN_FILENO;
    size_t count;
    char word[4];

    for (size_t size = 1; size < 8; size++) {
        if (size == sizeof(word))
            continue;
        count = 1;
        assert_int_equal(passing_send(pair[1], "abcdefgh", size, &given, 1), OK);
        assert_int_equal(passing_receive(pair[0], word, sizeof(word), &none, &count), ERROR_SYNTAX);
    }
    assert_int_equal(lowest(), before);
}

TEST_BETWEEN(test_descriptors_nobody_wants_are_closed, open_pair, close_pair)
{
    int many[PASSING_DESCRIPTORS_MAX], none, before = lowest();
    size_t count = 0;
    char byte;

    memset(many, 0, sizeof(many));
    assert_int_equal(passing_send(pair[1], "x", 1, many, PASSING_DESCRIPTORS_MAX), OK);
    assert_int_equal(passing_receive(pair[0], &byte, 1, &none, &count), ERROR_SYNTAX);
    assert_int_equal(lowest(), before);
    assert_int_equal(passing_send(pair[1], "x", 1, many, PASSING_DESCRIPTORS_MAX + 1), ERROR_LIMIT);
}

TEST_BETWEEN(test_a_full_channel_does_not_wait, open_pair, close_pair)
{
    enum error error = OK;

    for (int i = 0; i < 100000 && error == OK; i++)
        error = passing_send(pair[0], "x", 1, NULL, 0);
    assert_int_equal(error, ERROR_STATE);
}
