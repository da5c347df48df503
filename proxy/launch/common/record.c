#include "launch/common/record.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

size_t record_length(const struct record *record)
{
    return RECORD_HEAD_BYTES + strlen(record->text) + 1;
}

enum error record_receive(int channel, struct record *out)
{
    ssize_t length = recv(channel, out, sizeof(*out), MSG_DONTWAIT | MSG_TRUNC);

    if (length < 0)
        return errno == EAGAIN || errno == EINTR ? ERROR_NOT_FOUND : ERROR_STATE;
    if (length == 0)
        return ERROR_STATE;
    if ((size_t)length <= RECORD_HEAD_BYTES || (size_t)length > sizeof(*out) ||
        out->kind == RECORD_NONE || out->kind >= RECORD_KIND_COUNT ||
        memchr(out->text, '\0', (size_t)length - RECORD_HEAD_BYTES) !=
            (char *)out + (size_t)length - 1)
        return ERROR_SYNTAX;
    return OK;
}
