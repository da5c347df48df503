/*
 * trusted_socket.c: a way that was gone once is gone again without another look only while it
 * leads to the very directory that was looked at.
 */
#include "system/trusted_socket.h"

#include "temporary.h"
#include "unit.h"

#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STRANGER 54321

static char base[TEMPORARY_PATH_SIZE], scratch[2 * PATH_MAX], why[WHY_SIZE];
static struct trusted_way way;

/* The path of something in the folder; valid until the next call. */
static const char *in(const char *name)
{
    snprintf(scratch, sizeof(scratch), "%s/%s", base, name);
    return scratch;
}

/* A folder NAME with a socket "s" that listens; returns it. */
static int make_service(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(mkdir(in(name), 0700), 0);
    assert_true(strlen(scratch) + 3 < sizeof(address.sun_path));
    strcat(strcpy(address.sun_path, scratch), "/s");
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static enum error attempt(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    enum error error = trusted_way_connect(&way, fd, why);
    int reason = errno;

    close(fd);
    errno = reason;
    return error;
}

/* Connects, and it is this service that has a connection then. */
static void expect(int service)
{
    int fd;

    assert_int_equal(attempt(), OK);
    fd = accept4(service, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
}

static int setup(void **state)
{
    static char path[TEMPORARY_PATH_SIZE + 16];

    (void)state;
    if (temporary_make(base) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/way/s", base);
    way = TRUSTED_WAY(path, TRUST_OWN);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    trusted_way_clear(&way);
    temporary_remove(base);
    return 0;
}

#define WAY_TEST(function) TEST_BETWEEN(function, setup, teardown)

WAY_TEST(test_it_is_gone_again)
{
    int service = make_service("way"), found;

    expect(service);
    found = way.found.directory;
    assert_true(found >= 0);
    expect(service);
    assert_int_equal(way.found.directory, found);
    close(service);
    assert_int_equal(attempt(), ERROR_IO);
    assert_int_equal(errno, ECONNREFUSED);
}

WAY_TEST(test_nothing_is_there_and_then_something)
{
    int service;

    assert_int_equal(attempt(), ERROR_IO);
    assert_int_equal(errno, ENOENT);
    service = make_service("way");
    expect(service);
    close(service);
}

WAY_TEST(test_another_directory_in_its_place_is_found)
{
    int first = make_service("way"), second;
    char aside[2 * PATH_MAX];

    expect(first);
    strcpy(aside, in("aside"));
    assert_int_equal(rename(in("way"), aside), 0);
    assert_int_equal(attempt(), ERROR_IO);
    assert_int_equal(errno, ENOENT);
    second = make_service("way");
    expect(second);
    close(first);
    close(second);
}

WAY_TEST(test_a_directory_that_was_opened_to_others_is_refused)
{
    int service = make_service("way");

    expect(service);
    assert_int_equal(chmod(in("way"), 0770), 0);
    assert_int_equal(attempt(), ERROR_DENIED);
    assert_non_null(strstr(why, "can be changed by others"));
    assert_int_equal(chmod(in("way"), 0700), 0);
    expect(service);
    close(service);
}

WAY_TEST(test_a_directory_that_was_given_away_is_refused)
{
    int service = make_service("way");

    if (geteuid() != 0)
        skip();
    expect(service);
    assert_int_equal(chown(in("way"), STRANGER, 0), 0);
    assert_int_equal(attempt(), ERROR_DENIED);
    assert_non_null(strstr(why, "belongs to uid 54321"));
    close(service);
}

WAY_TEST(test_a_link_is_followed_each_time)
{
    int first = make_service("first"), second = make_service("second");

    assert_int_equal(symlink("first", in("way")), 0);
    expect(first);
    assert_int_equal(unlink(in("way")), 0);
    assert_int_equal(symlink("second", in("way")), 0);
    expect(second);
    close(first);
    close(second);
}
