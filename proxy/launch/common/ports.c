#include "launch/common/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES 16384

enum error ports_open(struct ports *ports)
{
    ports->count = 0;
    ports->diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    return ports->diag >= 0 ? OK : ERROR_IO;
}

static void read_address(const struct inet_diag_msg *message, uint8_t out[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (message->idiag_family == AF_INET6) {
        memcpy(out, message->id.idiag_src, 16);
        return;
    }
    memcpy(out, mapped, sizeof(mapped));
    memcpy(out + sizeof(mapped), message->id.idiag_src, 4);
}

/* INET_DIAG_SKV6ONLY of the attributes that follow. */
static bool only_ipv6(const struct inet_diag_msg *message, ssize_t length)
{
    const struct rtattr *attribute = (const struct rtattr *)(message + 1);

    for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length)) {
        if (attribute->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(attribute) >= 1)
            return *(const unsigned char *)RTA_DATA(attribute) != 0;
    }
    return false;
}

static bool same(const struct port *left, const struct port *right)
{
    return left->number == right->number && left->protocol == right->protocol &&
           left->only_ipv6 == right->only_ipv6 &&
           memcmp(left->address, right->address, sizeof(left->address)) == 0;
}

static void add(struct ports *ports, uint32_t protocol, const struct nlmsghdr *header)
{
    const struct inet_diag_msg *message = NLMSG_DATA(header);
    struct port row = {.number = ntohs(message->id.idiag_sport), .protocol = protocol};

    row.only_ipv6 =
        only_ipv6(message, (ssize_t)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*message))));
    read_address(message, row.address);
    for (size_t i = 0; i < ports->count; i++) {
        if (same(&ports->rows[i], &row))
            return; /* SO_REUSEPORT: one row for all of them */
    }
    if (ports->count == PORTS_MAX || row.number == 0)
        return;
    ports->told[ports->count] = false;
    ports->rows[ports->count++] = row;
}

enum error ports_read(struct ports *ports, uint32_t protocol, const void *bytes, size_t length)
{
    const struct nlmsghdr *header = bytes;
    ssize_t rest = (ssize_t)length; /* the macros count down past 0 where the last is not aligned */

    for (; NLMSG_OK(header, rest); header = NLMSG_NEXT(header, rest)) {
        if (header->nlmsg_type == NLMSG_DONE)
            return OK;
        if (header->nlmsg_type == NLMSG_ERROR)
            return ERROR_IO;
        if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
            header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            add(ports, protocol, header);
    }
    return rest == 0 ? ERROR_NOT_FOUND : ERROR_SYNTAX;
}

static enum error dump(struct ports *ports, uint8_t family, uint8_t protocol, uint32_t states)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } ask = {
        .header = {.nlmsg_len = sizeof(ask),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = states}};
    _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
    enum error error = ERROR_NOT_FOUND;

    if (send(ports->diag, &ask, sizeof(ask), 0) < 0)
        return ERROR_IO;
    while (error == ERROR_NOT_FOUND) {
        ssize_t length = recv(ports->diag, answer, sizeof(answer), 0);

        if (length < 0)
            return ERROR_IO;
        error = ports_read(ports, protocol, answer, (size_t)length);
    }
    return error;
}

/* What is known of a row beside the kernel's word stays with it. */
static void keep_known(struct ports *now, const struct ports *before)
{
    for (size_t i = 0; i < now->count; i++) {
        for (size_t j = 0; j < before->count; j++) {
            if (!same(&now->rows[i], &before->rows[j]))
                continue;
            now->rows[i] = before->rows[j];
            now->told[i] = before->told[j];
        }
    }
}

enum error ports_refresh(struct ports *ports)
{
    struct ports now = {.diag = ports->diag};
    enum error error = dump(&now, AF_INET, IPPROTO_TCP, 1u << TCP_LISTEN);

    if (error == OK)
        error = dump(&now, AF_INET6, IPPROTO_TCP, 1u << TCP_LISTEN);
    if (error != OK)
        return error;
    /* A kernel without udp_diag knows no such rows: a loss for `status`, not for the promise. */
    if (dump(&now, AF_INET, IPPROTO_UDP, 1u << TCP_CLOSE) == OK)
        (void)!dump(&now, AF_INET6, IPPROTO_UDP, 1u << TCP_CLOSE);
    keep_known(&now, ports);
    *ports = now;
    return OK;
}

void ports_name(struct ports *ports, uint32_t protocol, uint32_t number, const char *program)
{
    for (size_t i = 0; i < ports->count; i++) {
        struct port *row = &ports->rows[i];

        if (row->protocol == protocol && row->number == number && row->program[0] == '\0')
            snprintf(row->program, sizeof(row->program), "%s", program);
    }
}

const struct port *ports_find(const struct ports *ports, uint32_t protocol, uint32_t number)
{
    for (size_t i = 0; i < ports->count; i++) {
        if (ports->rows[i].protocol == protocol && (ports->rows[i].number == number || number == 0))
            return &ports->rows[i];
    }
    return NULL;
}
