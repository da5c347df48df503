/*
 * What a process of ours hears over a SOCK_SEQPACKET channel, from an input: a byte of length, a
 * byte of choices, and the message, again and again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <uv.h>

#define CHANNEL_MESSAGE_MAX 64

struct channel_said {
    const uint8_t *bytes;
    size_t length;
    unsigned choices;
};

/* The next one, and the input without it; false: none is left. */
static inline bool channel_next(const uint8_t **data, size_t *size, struct channel_said *out)
{
    if (*size <= 2)
        return false;
    out->length = (*data)[0] % CHANNEL_MESSAGE_MAX;
    out->choices = (*data)[1];
    *data += 2;
    *size -= 2;
    out->length = out->length < *size ? out->length : *size;
    out->bytes = *data;
    *data += out->length;
    *size -= out->length;
    return true;
}

/* With the descriptor beside it, unless that is -1. Never waits: nobody may be reading yet. */
static inline void channel_say(int channel, const struct channel_said *said, int fd)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {.iov_base = (void *)(uintptr_t)said->bytes, .iov_len = said->length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    if (said->length == 0)
        return;
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

/* For uv_walk(). */
static inline void channel_close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}
