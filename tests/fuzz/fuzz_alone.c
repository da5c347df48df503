/*
 * Any bytes as what the launcher says of a service that is alone: messages, each a length, whether
 * a descriptor comes along, and bytes. What is known of the service afterwards may be true, and
 * nothing is left open.
 */
#include "fuzz.h"

#include "parent/alone.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static void send_message(int channel, const uint8_t *bytes, size_t length, int fd)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    if (fd >= 0) {
        struct cmsghdr *header;

        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    }
    (void)sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct alone_options options = {.surface = "one", .standard = {-1, -1, -1}};
    struct launching launching = {.pidfd = -1};
    struct alone alone;
    int pair[2] = {-1, -1}, before = dup(STDERR_FILENO), after;

    close(before);
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    require(channel_create(pair[0], &launching.launcher) == OK);
    while (size > 2) {
        size_t length = data[0] % 64;
        int fd = (data[1] & 1) != 0 ? STDERR_FILENO : -1;

        data += 2;
        size -= 2;
        length = length < size ? length : size;
        if (length > 0)
            send_message(pair[1], data, length, fd);
        data += length;
        size -= length;
    }
    close(pair[1]);
    alone_init(&alone, &options);
    require(!alone_hear(&alone, &launching) && alone.over);
    require(alone.state < SERVICE_STATE_COUNT && (alone.state != SERVICE_READY || alone.port > 0));
    require(alone.code >= 0 && alone.code <= 255);
    require(memchr(alone.ports, '\0', sizeof(alone.ports)) != NULL);
    alone_clear(&alone);
    channel_destroy(launching.launcher);
    after = dup(STDERR_FILENO);
    close(after);
    require(before == after);
    return 0;
}
