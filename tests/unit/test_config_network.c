/* config/network: which addresses a network has, and which words are none. */
#include "config/config.h"

#include "unit.h"

TEST(test_networks)
{
    static const struct {
        const char *network, *address;
        bool has;
    } cases[] = {
        {"172.18.0.0/16", "172.18.0.2", true},
        {"172.18.0.0/16", "172.18.255.255", true},
        {"172.18.0.0/16", "172.19.0.0", false},
        {"172.18.0.0/16", "::ffff:172.18.0.2", true}, /* as a socket of both families has it */
        {"172.18.0.0/16", "fd00::ac12:2", false},
        {"172.16.0.0/12", "172.31.255.255", true},
        {"172.16.0.0/12", "172.32.0.0", false},
        {"10.0.0.5", "10.0.0.5", true},
        {"10.0.0.5", "10.0.0.4", false},
        {"10.0.0.4/31", "10.0.0.5", true},
        {"10.0.0.4/31", "10.0.0.6", false},
        {"10.0.0.5/32", "10.0.0.5", true},
        {"0.0.0.0/0", "255.1.2.3", true},
        {"0.0.0.0/0", "::1", false}, /* no IPv6 */
        {"0.0.0.0/0", "fe80::1", false},
        {"::/0", "fe80::1", true},
        {"::/0", "10.0.0.5", true}, /* all there is */
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"fd00::/9", "fd7f::1", true},
        {"fd00::/9", "fd80::1", false},
        {"::ffff:10.0.0.0/104", "10.9.9.9", true},
        {"::1", "::1", true},
        {"127.0.0.0/8", "127.0.0.1", true},
        {"127.0.0.0/8", "::1", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_network network;
        uint8_t address[16];

        assert_true(config_network_parse(cases[i].network, &network));
        assert_true(config_address_parse(cases[i].address, address));
        if (config_network_has(&network, address) != cases[i].has)
            fail_msg("%s and %s", cases[i].network, cases[i].address);
    }
}

TEST(test_none)
{
    static const char *const words[] = {"",
                                        "/",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "10.0.0.0/08",
                                        "10.0.0.0/-1",
                                        "10.0.0/8",
                                        "10.0.0.1/24",
                                        "010.0.0.0/8",
                                        "10.0.0.0 /8",
                                        "fd00::/129",
                                        "fd00::1/64",
                                        "fd00:/8",
                                        "fe80::1%lo",
                                        "10.0.0.0/8/16",
                                        "10.0.0.0/0x8",
                                        "any",
                                        "localhost",
                                        "[::1]",
                                        "10.0.0.128/24"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct config_network network;

        if (config_network_parse(words[i], &network))
            fail_msg("\"%s\"", words[i]);
    }
}
