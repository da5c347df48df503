#include "system/caller.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_BYTES_MAX 8192

enum error caller_lookup_create(struct caller_lookup **out)
{
    struct timeval patience = {.tv_sec = 1};
    struct caller_lookup *lookup = calloc(1, sizeof(*lookup));

    if (lookup == NULL)
        return ERROR_MEMORY;
    lookup->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (lookup->fd < 0 ||
        setsockopt(lookup->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0) {
        caller_lookup_destroy(lookup);
        return ERROR_IO;
    }
    *out = lookup;
    return OK;
}

void caller_lookup_destroy(struct caller_lookup *lookup)
{
    if (lookup == NULL)
        return;
    if (lookup->fd >= 0)
        close(lookup->fd);
    free(lookup);
}

/* Both kinds have their family and port in the same place. */
union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Writes one end as the kernel is asked for it. */
static bool put_end(const union address *address, uint16_t *port, uint32_t host[4])
{
    *port = address->v4.sin_port;
    if (address->any.sa_family == AF_INET)
        host[0] = address->v4.sin_addr.s_addr;
    else if (address->any.sa_family == AF_INET6)
        memcpy(host, &address->v6.sin6_addr, sizeof(address->v6.sin6_addr));
    else
        return false;
    return true;
}

/* Asks for the socket whose local end is our peer and whose remote end is us; NULL: that listens.
 */
static enum error ask(struct caller_lookup *lookup, const union address *peer,
                      const union address *self)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = {
        .header = {.nlmsg_len = sizeof(question),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = ++lookup->sequence},
        .request = {.sdiag_family = (uint8_t)peer->any.sa_family,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = UINT32_MAX},
    };
    struct inet_diag_sockid *id = &question.request.id;

    if (!put_end(peer, &id->idiag_sport, id->idiag_src) ||
        (self != NULL && !put_end(self, &id->idiag_dport, id->idiag_dst)))
        return ERROR_INVALID;
    id->idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return send(lookup->fd, &question, sizeof(question), 0) == (ssize_t)sizeof(question) ? OK
                                                                                         : ERROR_IO;
}

static enum error read_answer(struct caller_lookup *lookup, bool listens, uint32_t *uid,
                              uint32_t *inode)
{
    union {
        struct nlmsghdr header;
        char bytes[REPLY_BYTES_MAX];
    } reply;

    for (;;) {
        ssize_t received = recv(lookup->fd, &reply, sizeof(reply), 0);
        const struct inet_diag_msg *found;

        if (received < 0 && errno == EINTR)
            continue;
        if (received < (ssize_t)sizeof(reply.header))
            return ERROR_IO;
        if (reply.header.nlmsg_seq != lookup->sequence)
            continue; /* a late answer to a question that timed out */
        if (reply.header.nlmsg_type == NLMSG_ERROR)
            return ERROR_NOT_FOUND;
        if (reply.header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
            received < (ssize_t)NLMSG_LENGTH(sizeof(*found)))
            return ERROR_IO;
        found = NLMSG_DATA(&reply.header);
        /*
         * A socket that nobody holds any more says uid 0 with inode 0; once it
         * is gone altogether, the kernel offers whoever listens on its port.
         */
        if (found->idiag_inode == 0 || (found->idiag_state == TCP_LISTEN) != listens)
            return ERROR_NOT_FOUND;
        *uid = found->idiag_uid;
        *inode = found->idiag_inode;
        return OK;
    }
}

enum error caller_socket(struct caller_lookup *lookup, int connected_fd, uint32_t *uid,
                         uint32_t *inode)
{
    union address self = {.v6 = {0}}, peer = {.v6 = {0}};
    socklen_t self_length = sizeof(self), peer_length = sizeof(peer);
    enum error error;

    if (getsockname(connected_fd, &self.any, &self_length) < 0 ||
        getpeername(connected_fd, &peer.any, &peer_length) < 0)
        return ERROR_NOT_FOUND;
    error = ask(lookup, &peer, &self);
    return error == OK ? read_answer(lookup, false, uid, inode) : error;
}

enum error caller_listener(struct caller_lookup *lookup, const struct sockaddr *address,
                           uint32_t *uid, uint32_t *inode)
{
    union address at = {.v6 = {0}};
    enum error error;

    if (address->sa_family == AF_INET)
        memcpy(&at.v4, address, sizeof(at.v4));
    else if (address->sa_family == AF_INET6)
        memcpy(&at.v6, address, sizeof(at.v6));
    error = ask(lookup, &at, NULL);
    return error == OK ? read_answer(lookup, true, uid, inode) : error;
}

enum error caller_uid(struct caller_lookup *lookup, int connected_fd, uint32_t *uid)
{
    uint32_t inode;

    return caller_socket(lookup, connected_fd, uid, &inode);
}
