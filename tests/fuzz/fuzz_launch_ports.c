/*
 * Any bytes as the kernel's answer about sockets, and as a line of an epoll descriptor's fdinfo:
 * what the keeper reads beside what its tree says.
 */
#include "fuzz.h"
#include "launch/calls/epolls.h"
#include "launch/common/ports.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ports ports;
    struct epoll_entry entry;
    char *line = malloc(size + 1);
    /* Where netlink messages are aligned to. */
    void *bytes = aligned_alloc(NLMSG_ALIGNTO * 2, (size / 8 + 1) * 8);

    memcpy(bytes, data, size);
    memset(&ports, 0, sizeof(ports));
    (void)!ports_read(&ports, IPPROTO_TCP, bytes, size);
    require(ports.count <= PORTS_MAX);
    for (size_t i = 0; i < ports.count; i++) {
        require(ports.rows[i].number != 0 && ports.rows[i].number <= UINT16_MAX);
        require(ports_find(&ports, IPPROTO_TCP, ports.rows[i].number) != NULL);
    }
    memcpy(line, data, size);
    line[size] = '\0';
    (void)epolls_read_line(line, 7, &entry);
    free(line);
    free(bytes);
    return 0;
}
