/* setup/handover.c: what other processes are told beside the configuration's own bytes. */
#include "setup/bundle.h"

#include "unit.h"

#include <string.h>
#include <unistd.h>

static char text[] =
    "{\"state_dir\":\"/nowhere\",\"surfaces\":{"
    "\"a\":{\"listen\":[\"localhost:1\"],\"dialect\":\"mcp\","
    "\"upstream\":{\"tcp\":\"127.0.0.1:4\",\"owner\":\"nobody\"}},"
    "\"b\":{\"listen\":[\"localhost:2\"],\"dialect\":\"mcp\","
    "\"upstream\":{\"tcp\":\"127.0.0.1:5\"}},"
    "\"c\":{\"listen\":[\"localhost:3\"],\"dialect\":\"mcp\","
    "\"upstream\":{\"socket\":\"/run/c/c.sock\",\"owner\":\"nobody-of-this-name\"}},"
    "\"d\":{\"listen\":[\"localhost:6\"],\"dialect\":\"mcp\","
    "\"upstream\":{\"socket\":\"/run/d/d.sock\",\"owner\":\"4242\"}}}}";

static const char *owner_of(const struct config *config, const char *name)
{
    return config_surface(config, name)->upstream_owner;
}

/* Nobody who has fences looks up the name of a user. */
TEST(test_owners_are_numbers)
{
    static struct json_faults faults;
    struct config_bundle bundle = {
        .path = NULL, .trust = TRUST_OWN, .text = text, .length = strlen(text)};
    struct config_bundle other;
    struct config *config = NULL;

    assert_int_equal(config_load(text, strlen(text), NULL, 0, getuid(), &bundle.config, &faults),
                     OK);
    assert_string_equal(owner_of(bundle.config, "a"), "nobody");
    assert_int_equal(bundle_seal(&bundle), OK);
    assert_int_equal(handover_read(bundle.sealed, getuid(), &config), OK);
    assert_string_equal(owner_of(config, "a"), "65534");
    assert_null(owner_of(config, "b"));
    assert_string_equal(owner_of(config, "c"), "nobody-of-this-name");
    assert_string_equal(owner_of(config, "d"), "4242");
    config_destroy(config);
    assert_int_equal(bundle_unseal(bundle.sealed, false, &other), OK);
    assert_string_equal(owner_of(other.config, "a"), "65534");
    bundle_clear(&other); /* and the descriptor with it */
    config_destroy(bundle.config);
}
