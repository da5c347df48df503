#include "launch/keeper/loopback.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACK_INDEX 1 /* the first interface of every namespace */

static enum error bring_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    enum error error = OK;

    if (fd < 0)
        return ERROR_IO;
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        error = ERROR_IO;
    request.ifr_flags |= IFF_UP;
    if (error == OK && ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        error = ERROR_IO;
    close(fd);
    return error;
}

/* The whole of a family's addresses is local: `ip route add local default dev lo`. */
static enum error own_all(int netlink, unsigned char family)
{
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
        struct rtattr attribute;
        uint32_t interface;
    } ask = {.header = {.nlmsg_len = sizeof(ask),
                        .nlmsg_type = RTM_NEWROUTE,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK},
             .route = {.rtm_family = family,
                       .rtm_table = RT_TABLE_LOCAL,
                       .rtm_protocol = RTPROT_BOOT,
                       .rtm_scope = RT_SCOPE_HOST,
                       .rtm_type = RTN_LOCAL},
             .attribute = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = RTA_OIF},
             .interface = LOOPBACK_INDEX};
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char echo[256];
    } answer;

    if (send(netlink, &ask, sizeof(ask), 0) < 0 ||
        recv(netlink, &answer, sizeof(answer), 0) <
            (ssize_t)(sizeof(answer.header) + sizeof(answer.error.error)) ||
        answer.header.nlmsg_type != NLMSG_ERROR)
        return ERROR_IO;
    errno = -answer.error.error;
    return errno == 0 ? OK : ERROR_IO;
}

enum error loopback_raise(void)
{
    enum error error = bring_up();
    int netlink;

    if (error != OK)
        return error;
    netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (netlink < 0)
        return ERROR_IO;
    error = own_all(netlink, AF_INET);
    if (error == OK)
        (void)!own_all(netlink, AF_INET6); /* a kernel without it binds none of it either */
    close(netlink);
    return error;
}
