/* ports.c: the kernel's answers, and answers that are none. */
#include "launch/common/ports.h"

#include "unit.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ports ports;

static int clear(void **state)
{
    (void)state;
    memset(&ports, 0, sizeof(ports));
    return 0;
}

static int listen_at(int family, uint16_t *port)
{
    struct sockaddr_in6 address = {.sin6_family = (sa_family_t)family};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof(address);

    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin6_port);
    return fd;
}

TEST_BETWEEN(test_listeners_come_and_go, clear, NULL)
{
    uint16_t port;
    int fd = listen_at(AF_INET, &port);

    assert_int_equal(ports_open(&ports), OK);
    assert_int_equal(ports_refresh(&ports), OK);
    assert_non_null(ports_find(&ports, IPPROTO_TCP, port));
    assert_null(ports_find(&ports, IPPROTO_UDP, port));
    ports_name(&ports, IPPROTO_TCP, port, "service");
    assert_int_equal(ports_refresh(&ports), OK);
    assert_string_equal(ports_find(&ports, IPPROTO_TCP, port)->program, "service");
    close(fd);
    assert_int_equal(ports_refresh(&ports), OK);
    assert_null(ports_find(&ports, IPPROTO_TCP, port));
    close(ports.diag);
}

struct answer {
    struct nlmsghdr header;
    struct inet_diag_msg message;
    struct rtattr attribute;
    uint32_t only_ipv6;
};

static struct answer answer_of(uint8_t family, uint16_t port, uint8_t only_ipv6)
{
    struct answer answer = {
        .header = {.nlmsg_len = sizeof(answer), .nlmsg_type = SOCK_DIAG_BY_FAMILY},
        .message = {.idiag_family = family, .id = {.idiag_sport = htons(port)}},
        .attribute = {.rta_len = RTA_LENGTH(1), .rta_type = INET_DIAG_SKV6ONLY},
        .only_ipv6 = only_ipv6};

    return answer;
}

TEST_BETWEEN(test_attributes_are_read, clear, NULL)
{
    struct answer dual = answer_of(AF_INET6, 1, 0), only = answer_of(AF_INET6, 2, 1);

    assert_int_equal(ports_read(&ports, IPPROTO_TCP, &dual, sizeof(dual)), ERROR_NOT_FOUND);
    assert_int_equal(ports_read(&ports, IPPROTO_TCP, &only, sizeof(only)), ERROR_NOT_FOUND);
    assert_false(ports_find(&ports, IPPROTO_TCP, 1)->only_ipv6);
    assert_true(ports_find(&ports, IPPROTO_TCP, 2)->only_ipv6);
}

TEST_BETWEEN(test_the_same_twice_is_one_row, clear, NULL)
{
    struct answer answer = answer_of(AF_INET, 1, 0);

    assert_int_equal(ports_read(&ports, IPPROTO_TCP, &answer, sizeof(answer)), ERROR_NOT_FOUND);
    assert_int_equal(ports_read(&ports, IPPROTO_TCP, &answer, sizeof(answer)), ERROR_NOT_FOUND);
    assert_int_equal(ports.count, 1);
    assert_int_equal(ports_read(&ports, IPPROTO_UDP, &answer, sizeof(answer)), ERROR_NOT_FOUND);
    assert_int_equal(ports.count, 2);
}

TEST_BETWEEN(test_rows_have_a_ceiling, clear, NULL)
{
    for (uint16_t port = 1; port < PORTS_MAX + 10; port++) {
        struct answer answer = answer_of(AF_INET, port, 0);

        assert_int_equal(ports_read(&ports, IPPROTO_TCP, &answer, sizeof(answer)), ERROR_NOT_FOUND);
    }
    assert_int_equal(ports.count, PORTS_MAX);
}

TEST_BETWEEN(test_an_answer_cut_anywhere_is_no_row, clear, NULL)
{
    struct answer answer = answer_of(AF_INET, 1, 0);

    for (size_t length = 1; length < sizeof(answer); length++)
        assert_int_equal(ports_read(&ports, IPPROTO_TCP, &answer, length), ERROR_SYNTAX);
    for (uint32_t length = 0; length < sizeof(answer.header) + sizeof(answer.message); length++) {
        answer.header.nlmsg_len = length;
        (void)!ports_read(&ports, IPPROTO_TCP, &answer, sizeof(answer));
    }
    assert_int_equal(ports.count, 0);
}

TEST_BETWEEN(test_the_end_and_a_refusal, clear, NULL)
{
    struct nlmsghdr end = {.nlmsg_len = sizeof(end), .nlmsg_type = NLMSG_DONE};

    assert_int_equal(ports_read(&ports, IPPROTO_TCP, &end, sizeof(end)), OK);
    end.nlmsg_type = NLMSG_ERROR;
    assert_int_equal(ports_read(&ports, IPPROTO_TCP, &end, sizeof(end)), ERROR_IO);
}
