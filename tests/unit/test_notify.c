/* notify.c: one datagram to the service manager, or silence. */
#include "system/notify.h"

#include "temporary.h"
#include "unit.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A datagram socket as the manager would have it; "@" stands for the abstract NUL. */
static int manager_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0 && length < sizeof(address.sun_path));
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
    return fd;
}

static void expect_ready(int fd)
{
    char text[64];

    assert_int_equal(recv(fd, text, sizeof(text), 0), 7);
    assert_memory_equal(text, "READY=1", 7);
    assert_int_equal(recv(fd, text, sizeof(text), 0), -1); /* once */
}

TEST(test_path)
{
    char folder[TEMPORARY_PATH_SIZE], path[TEMPORARY_PATH_SIZE + 16];
    int fd;

    assert_non_null(temporary_make(folder));
    snprintf(path, sizeof(path), "%s/notify", folder);
    fd = manager_at(path);
    setenv("NOTIFY_SOCKET", path, 1);
    notify_ready();
    expect_ready(fd);
    close(fd);
    notify_ready(); /* nobody listens any more */
    temporary_remove(folder);
    notify_ready();
}

TEST(test_abstract)
{
    char name[64];
    int fd;

    snprintf(name, sizeof(name), "@sidelock-test-notify-%d", (int)getpid());
    fd = manager_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_ready();
    expect_ready(fd);
    close(fd);
}

/* Nothing is sent, and nothing breaks. */
TEST(test_not_a_socket_name)
{
    static const char *const names[] = {"", "relative", "vsock:2:1", "@", "/", "/dev/null"};
    char longest[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    int fd;

    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_ready();
    }
    /* One byte more than fits: must not be cut to a name that somebody else listens on. */
    memset(longest, 'n', sizeof(longest));
    longest[0] = '@';
    longest[sizeof(longest) - 1] = '\0';
    longest[sizeof(longest) - 2] = '\0';
    fd = manager_at(longest);
    longest[sizeof(longest) - 2] = 'n';
    setenv("NOTIFY_SOCKET", longest, 1);
    notify_ready();
    assert_int_equal(recv(fd, longest, 1, 0), -1);
    close(fd);
}
