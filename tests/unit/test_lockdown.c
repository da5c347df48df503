/* lockdown.c: the order is seen however it is given, watched or looked for, and as often. */
#include "system/lockdown.h"

#include "temporary.h"
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[TEMPORARY_PATH_SIZE], path[LOCKDOWN_PATH_SIZE], aside[LOCKDOWN_PATH_SIZE + 8];

static int make(void **state)
{
    (void)state;
    if (temporary_make(root) == NULL)
        return -1;
    lockdown_path(root, path);
    snprintf(aside, sizeof(aside), "%s.aside", path);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    temporary_remove(root);
    return 0;
}

#define LOCKDOWN_TEST(test) TEST_BETWEEN(test, make, drop)

static void touch(const char *where)
{
    int fd = open(where, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static bool is_readable(const struct lockdown *lockdown)
{
    struct pollfd polled = {.fd = lockdown->watch, .events = POLLIN};

    return poll(&polled, 1, 0) == 1;
}

/* As where inotify has no instance left. */
static void stop_watching(struct lockdown *lockdown)
{
    close(lockdown->watch);
    lockdown->watch = -1;
}

LOCKDOWN_TEST(test_stands)
{
    assert_false(lockdown_stands(root));
    touch(path);
    assert_true(lockdown_stands(root));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_true(lockdown_stands(root));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(lockdown_stands(root));
    assert_int_equal(rmdir(path), 0);
    assert_false(lockdown_stands(root));
    /* What cannot be looked at could be there. */
    touch(aside);
    assert_true(lockdown_stands(aside));
}

LOCKDOWN_TEST(test_is_new_once)
{
    struct lockdown lockdown = {0};

    for (unsigned watched = 0; watched < 2; watched++) {
        assert_int_equal(lockdown_open(root, &lockdown), OK);
        assert_true(lockdown.watch >= 0);
        assert_int_equal(lockdown_timeout_ms(&lockdown), -1);
        if (watched == 0)
            stop_watching(&lockdown);
        assert_int_equal(lockdown_timeout_ms(&lockdown), watched ? -1 : LOCKDOWN_LOOK_MS);
        assert_false(lockdown_is_new(&lockdown));
        touch(aside);
        assert_false(lockdown_is_new(&lockdown));
        assert_int_equal(rename(aside, path), 0);
        assert_true(watched == 0 || is_readable(&lockdown));
        assert_true(lockdown_is_new(&lockdown));
        assert_false(watched == 1 && is_readable(&lockdown));
        assert_false(lockdown_is_new(&lockdown));
        assert_int_equal(unlink(path), 0);
        assert_false(lockdown_is_new(&lockdown));
        touch(path);
        assert_true(lockdown_is_new(&lockdown));
        assert_int_equal(unlink(path), 0);
        lockdown_close(&lockdown);
    }
}

/* Given again before anybody looked: only who watches can know. */
LOCKDOWN_TEST(test_given_again)
{
    struct lockdown lockdown = {0};

    touch(path);
    assert_int_equal(lockdown_open(root, &lockdown), OK);
    assert_true(lockdown.stood);
    assert_false(lockdown_is_new(&lockdown));
    assert_int_equal(unlink(path), 0);
    touch(path);
    assert_true(lockdown_is_new(&lockdown));
    /* One that has gone again is none. */
    assert_int_equal(unlink(path), 0);
    touch(path);
    assert_int_equal(unlink(path), 0);
    assert_false(lockdown_is_new(&lockdown));
    lockdown_close(&lockdown);
}

/* More at once than the kernel keeps: it is looked for. */
LOCKDOWN_TEST(test_among_many)
{
    struct lockdown lockdown = {0};

    assert_int_equal(lockdown_open(root, &lockdown), OK);
    for (unsigned i = 0; i < 1000; i++) {
        touch(aside);
        assert_int_equal(unlink(aside), 0);
    }
    assert_false(lockdown_is_new(&lockdown));
    for (unsigned i = 0; i < 1000; i++) {
        touch(i == 500 ? path : aside);
        (void)unlink(aside);
    }
    assert_true(lockdown_is_new(&lockdown));
    assert_false(lockdown_is_new(&lockdown));
    lockdown_close(&lockdown);
}

LOCKDOWN_TEST(test_order)
{
    struct lockdown lockdown = {0};
    struct stat facts;

    assert_int_equal(lockdown_open(root, &lockdown), OK);
    assert_int_equal(lockdown_order(&lockdown), OK);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_true(lockdown_stands(root));
    assert_int_equal(lockdown_order(&lockdown), OK);
    assert_int_equal(unlink(path), 0);
    lockdown_close(&lockdown);
    assert_int_equal(lockdown_open("/proc/self", &lockdown), OK);
    assert_int_equal(lockdown_order(&lockdown), ERROR_IO);
    lockdown_close(&lockdown);
}
