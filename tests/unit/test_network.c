/* system/network: which network namespace is the machine's own, and which cannot be told. */
#include "system/network.h"

#include "temporary.h"
#include "unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ANY 4026532177u /* given out as namespaces are made */

/* A container of its own, whose first process is this program. */
static const struct network_facts apart = {ANY, 4100, FIRST_SAME, "sidelock"};

static enum network_kind judge(struct network_facts facts)
{
    const char *why = "";
    enum network_kind kind = network_judge(&facts, &why);

    assert_true((kind == NETWORK_UNKNOWN) == (why != NULL));
    return kind;
}

TEST(test_apart)
{
    struct network_facts facts = apart;

    assert_int_equal(judge(facts), NETWORK_APART);
    strcpy(facts.first_name, "tini");
    assert_int_equal(judge(facts), NETWORK_APART);
    /* A service manager's, of which the manager is not in it. */
    facts.first = FIRST_OTHER;
    strcpy(facts.first_name, "systemd");
    assert_int_equal(judge(facts), NETWORK_APART);
}

TEST(test_machine)
{
    struct network_facts facts = apart;

    facts.inode = 0xeffffff9; /* Linux 6.18 */
    assert_int_equal(judge(facts), NETWORK_MACHINE);
    facts.inode = 4026531840; /* 6.1 */
    facts.cookie = 1;
    assert_int_equal(judge(facts), NETWORK_MACHINE);
    facts.first = FIRST_HIDDEN;
    assert_int_equal(judge(facts), NETWORK_MACHINE);
}

/* Whatever is missing, nothing is taken for apart. */
TEST(test_unknown)
{
    static const char *const systems[] = {"systemd", "init", ""};
    struct network_facts facts = apart;

    facts.cookie = 0; /* before Linux 5.14; gVisor */
    assert_int_equal(judge(facts), NETWORK_UNKNOWN);
    facts = apart;
    facts.inode = 0; /* no /proc */
    assert_int_equal(judge(facts), NETWORK_UNKNOWN);
    facts.inode = 0xeffffff8; /* fixed, and none that is known */
    assert_int_equal(judge(facts), NETWORK_UNKNOWN);
    facts = apart;
    facts.first = FIRST_HIDDEN; /* hidepid */
    assert_int_equal(judge(facts), NETWORK_UNKNOWN);
    for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
        facts = apart; /* a container that is a whole system */
        strcpy(facts.first_name, systems[i]);
        assert_int_equal(judge(facts), NETWORK_UNKNOWN);
    }
}

TEST(test_found)
{
    struct network_facts facts;
    const char *why;

    network_find(&facts);
    assert_true(facts.inode != 0 && facts.cookie != 0);
    if (facts.inode == 0xeffffff9)
        assert_int_equal(network_judge(&facts, &why), NETWORK_MACHINE);
}

static void put(const char *directory, const char *device, const char *value)
{
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, device);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s/route_localnet", directory, device);
    file = value != NULL ? fopen(path, "w") : NULL;
    if (file == NULL)
        return;
    fputs(value, file);
    fclose(file);
}

/* What is masked says nothing. */
TEST(test_loopback)
{
    char directory[] = "/tmp/sidelock-network-XXXXXX", device[16] = "";

    assert_non_null(mkdtemp(directory));
    assert_int_equal(network_look_loopback("/nowhere", device, sizeof(device)),
                     NETWORK_LOOPBACK_UNKNOWN);
    assert_int_equal(network_look_loopback(directory, device, sizeof(device)),
                     NETWORK_LOOPBACK_UNKNOWN);
    put(directory, "all", "0\n");
    put(directory, "lo", "1\n");
    put(directory, "default", "1\n");
    assert_int_equal(network_look_loopback(directory, device, sizeof(device)),
                     NETWORK_LOOPBACK_KEPT);
    put(directory, "eth1", NULL);
    assert_int_equal(network_look_loopback(directory, device, sizeof(device)),
                     NETWORK_LOOPBACK_UNKNOWN);
    put(directory, "eth0", "1\n");
    assert_int_equal(network_look_loopback(directory, device, sizeof(device)),
                     NETWORK_LOOPBACK_TAKEN);
    assert_string_equal(device, "eth0");
    temporary_remove(directory);
}
