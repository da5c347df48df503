#include "wire/host.h"

#include <arpa/inet.h>

bool host_is_label(const char *label, size_t length)
{
    if (length == 0 || length > HOST_LABEL_BYTES_MAX || label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = label[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

bool host_is_address(const char *text, bool *loopback)
{
    struct in_addr four;
    struct in6_addr six;

    if (inet_pton(AF_INET, text, &four) == 1) {
        *loopback = ntohl(four.s_addr) >> 24 == 127;
        return true;
    }
    if (inet_pton(AF_INET6, text, &six) == 1) {
        *loopback = IN6_IS_ADDR_LOOPBACK(&six);
        return true;
    }
    return false;
}
