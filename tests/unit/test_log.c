/* log.c: what goes wrong again and again does not fill a disk, and cannot act on a terminal. */
#include "base/log.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMES 100

/* What a function writes to standard error. */
static void captured(void (*say)(void), char *out, size_t size)
{
    int pair[2], before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    ssize_t length;

    assert_int_equal(pipe(pair), 0);
    assert_true(dup2(pair[1], STDERR_FILENO) >= 0);
    close(pair[1]);
    say();
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    length = read(pair[0], out, size - 1);
    close(pair[0]);
    assert_true(length >= 0);
    out[length] = '\0';
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        count++;
    return count;
}

static void fail_often(void)
{
    for (int i = 0; i < TIMES; i++)
        log_error("the disk is full");
    log_error("something else");
}

static void inform_often(void)
{
    for (int i = 0; i < TIMES; i++)
        log_info("surface %d listens", i);
}

static void quote(void)
{
    log_warning("%s", "a\x1b[31m\xc2\x9b\xe2\x80\xae\n\xff");
}

TEST(test_each_place_is_bounded)
{
    char said[16384];

    captured(fail_often, said, sizeof(said));
    assert_int_equal(count_lines(said), LOG_SITE_BURST + 1);
    assert_non_null(strstr(said, "error: something else\n"));
    captured(inform_often, said, sizeof(said));
    assert_int_equal(count_lines(said), TIMES);
}

TEST(test_what_is_quoted_is_shown)
{
    char said[1024];

    captured(quote, said, sizeof(said));
    assert_non_null(strstr(said, "warning: a\\u001b[31m\\u009b\\u202e\\u000a\\ufffd\n"));
}
