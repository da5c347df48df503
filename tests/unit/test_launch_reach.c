/* reach.c: where a tree may connect to, by the vectors. */
#include "launch/common/reach.h"

#include "unit.h"
#include "vector_lines.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static void read_ports(char *list, struct reach *out)
{
    char *rest;

    out->ports_limited = 1;
    for (char *port = strtok_r(list, ",", &rest); port != NULL; port = strtok_r(NULL, ",", &rest))
        out->ports[out->port_count++] = (uint16_t)strtoul(port, NULL, 10);
}

static void read_networks(char *list, struct reach *out)
{
    char *rest;

    for (char *one = strtok_r(list, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest))
        assert_true(subnet_read(one, &out->networks[out->network_count++]));
}

static struct reach reach_of(char *limits)
{
    struct reach reach = {0};
    char *rest;

    for (char *limit = strtok_r(limits, " ", &rest); limit != NULL;
         limit = strtok_r(NULL, " ", &rest)) {
        if (strncmp(limit, "ports=", 6) == 0)
            read_ports(limit + 6, &reach);
        else if (strncmp(limit, "refuse=", 7) == 0)
            read_networks(limit + 7, &reach);
        else
            reach.no_datagrams = 1;
    }
    return reach;
}

static union address address_of(const char *text, const char *port)
{
    union address address = {0};

    if (inet_pton(AF_INET, text, &address.in.sin_addr) == 1) {
        address.in.sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &address.in6.sin6_addr), 1);
        address.in6.sin6_family = AF_INET6;
    }
    address_set_port(&address, (uint16_t)strtoul(port, NULL, 10));
    return address;
}

static int protocol_of(const char *name)
{
    if (strcmp(name, "tcp") == 0)
        return IPPROTO_TCP;
    return strcmp(name, "udp") == 0 ? IPPROTO_UDP : IPPROTO_ICMP;
}

TEST(test_where_a_tree_may_connect_to)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/reach/connects.txt");
    for (; vector_next(&vector, 5); count++) {
        struct reach reach = reach_of(vector.fields[0]);
        union address address = address_of(vector.fields[4], vector.fields[3]);
        bool permitted = strcmp(vector.fields[2], "yes") == 0;

        assert_true(reach_is_limited(&reach) && reach_is_sound(&reach));
        if (reach_permits(&reach, protocol_of(vector.fields[1]), &address) != permitted)
            fail_msg("line %zu", vector.number);
    }
    vector_close(&vector);
    assert_true(count > 40);
}

TEST(test_nothing_is_limited_at_first)
{
    struct reach reach = {0};
    union address address = address_of("169.254.169.254", "80");

    assert_false(reach_is_limited(&reach));
    assert_true(reach_permits(&reach, IPPROTO_TCP, &address));
    assert_true(reach_permits(&reach, IPPROTO_UDP, &address));
}

TEST(test_what_is_no_limit)
{
    assert_false(reach_is_sound(&(struct reach){.ports_limited = 2}));
    assert_false(reach_is_sound(&(struct reach){.no_datagrams = 2}));
    assert_false(reach_is_sound(&(struct reach){.port_count = REACH_PORTS_MAX + 1}));
    assert_false(reach_is_sound(&(struct reach){.network_count = REACH_NETWORKS_MAX + 1}));
    assert_false(reach_is_sound(&(struct reach){.network_count = 1, .networks = {{.bits = 129}}}));
}
