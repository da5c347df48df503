#include "launch/common/passing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL_SIZE CMSG_SPACE(PASSING_DESCRIPTORS_MAX * sizeof(int))

enum error passing_pair(int out[2], int nonblocking)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return ERROR_IO;
    if (nonblocking && fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) {
        close(pair[0]);
        close(pair[1]);
        return ERROR_IO;
    }
    out[0] = pair[0];
    out[1] = pair[1];
    return OK;
}

static enum error what_failed(void)
{
    switch (errno) {
    case EAGAIN:
        return ERROR_STATE;
    case EPIPE:
    case ECONNRESET:
        return ERROR_NOT_FOUND;
    default:
        return ERROR_IO;
    }
}

enum error passing_send(int channel, const void *bytes, size_t length, const int *descriptors,
                        size_t count)
{
    _Alignas(struct cmsghdr) char control[CONTROL_SIZE] = {0};
    struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t sent;

    if (count > PASSING_DESCRIPTORS_MAX)
        return ERROR_LIMIT;
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    do
        sent = sendmsg(channel, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? what_failed() : OK;
}

/* Those that came, into `out`, which has room for all there can be. */
static size_t take_descriptors(struct msghdr *message, int *out)
{
    size_t count = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        size_t bytes = header->cmsg_len - CMSG_LEN(0);

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(out + count, CMSG_DATA(header), bytes);
        count += bytes / sizeof(int);
    }
    return count;
}

enum error passing_receive(int channel, void *bytes, size_t length, int *descriptors, size_t *count)
{
    _Alignas(struct cmsghdr) char control[CONTROL_SIZE];
    struct iovec piece = {.iov_base = bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    int came[PASSING_DESCRIPTORS_MAX] = {0};
    size_t came_count;
    ssize_t got;

    do
        got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return what_failed();
    came_count = take_descriptors(&message, came);
    if ((size_t)got == length && came_count <= *count &&
        (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
        memcpy(descriptors, came, came_count * sizeof(int));
        *count = came_count;
        return OK;
    }
    for (size_t i = 0; i < came_count; i++)
        close(came[i]);
    return got == 0 ? ERROR_NOT_FOUND : ERROR_SYNTAX;
}

void passing_close(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}
