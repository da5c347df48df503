/* operations/logins.c: the one-time address that logs a browser in. */
#include "operations_fixture.h"

static struct surface_listener listeners[2];

static void listen_on(struct broker_fixture *fixture, const char *first, const char *second)
{
    const char *const addresses[] = {first, second};
    struct surface_state *surface = &fixture->gate.surfaces.items[0];

    surface->listeners = listeners;
    surface->listener_count = second != NULL ? 2 : first != NULL ? 1 : 0;
    for (size_t i = 0; i < surface->listener_count; i++) {
        snprintf(listeners[i].address, sizeof(listeners[i].address), "%s", addresses[i]);
        listeners[i].port = (uint16_t)strtol(strrchr(addresses[i], ':') + 1, NULL, 10);
    }
}

/* Issues a login and takes its code off the address. */
static enum error issue(struct broker_fixture *fixture, const char *id, const char *host,
                        char address[512], char code[TICKET_SIZE])
{
    struct operation operation = begin(fixture);
    struct buffer url;
    int64_t expires_at = 0;
    enum error error;
    char *hash;

    buffer_init(&url, 512);
    error = logins_issue(&operation, id, host, &url, &expires_at);
    assert_true((error == OK) == (operation.why[0] == '\0'));
    if (error == OK) {
        assert_int_equal(expires_at, fixture_now + TICKET_LIFETIME_S);
        hash = strchr(url.data, '#');
        assert_non_null(hash);
        assert_int_equal(strlen(hash + 1), TICKET_SIZE - 1);
        snprintf(code, TICKET_SIZE, "%s", hash + 1);
        *hash = '\0';
        snprintf(address, 512, "%s", url.data);
        assert_null(strstr(fixture_audit(fixture), code));
    }
    buffer_wipe(&url);
    return error;
}

static void expect_address(struct broker_fixture *fixture, const char *id, const char *host,
                           const char *wanted)
{
    char address[512], code[TICKET_SIZE];

    assert_int_equal(issue(fixture, id, host, address, code), OK);
    assert_string_equal(address, wanted);
}

BROKER_TEST(test_addresses)
{
    struct broker_fixture *fixture = *state;
    struct surface *studio = &fixture->config->surfaces[0];
    struct surface_tls tls = {0};
    char id[TOKEN_ID_SIZE], address[512], code[TICKET_SIZE];

    assert_int_equal(create(fixture, &plain, id, NULL), OK);
    listen_on(fixture, "127.0.0.1:8081", "[::1]:8081");
    expect_address(fixture, id, NULL, "http://studio.localhost:8081/.sidelock/login");
    expect_address(fixture, id, "localhost", "http://localhost:8081/.sidelock/login");
    expect_address(fixture, id, "127.0.0.1", "http://127.0.0.1:8081/.sidelock/login");
    expect_address(fixture, id, "[::1]", "http://[::1]:8081/.sidelock/login");
    expect_address(fixture, id, "localhost:8081", "http://localhost:8081/.sidelock/login");
    assert_int_equal(issue(fixture, id, "evil.example", address, code), ERROR_INVALID);
    assert_int_equal(issue(fixture, id, "localhost:8082", address, code), ERROR_INVALID);
    assert_int_equal(issue(fixture, id, "tools.localhost", address, code), ERROR_INVALID);
    assert_int_equal(issue(fixture, id, "", address, code), ERROR_INVALID);
    listen_on(fixture, "127.0.0.1:80", NULL);
    expect_address(fixture, id, NULL, "http://studio.localhost/.sidelock/login");
    studio->tls = &tls;
    expect_address(fixture, id, NULL, "https://studio.localhost:80/.sidelock/login");
    listen_on(fixture, "127.0.0.1:443", NULL);
    expect_address(fixture, id, NULL, "https://studio.localhost/.sidelock/login");
    studio->tls = NULL;
    /* What listens elsewhere is not found below .localhost. */
    listen_on(fixture, "192.168.7.5:8081", NULL);
    expect_address(fixture, id, NULL, "http://192.168.7.5:8081/.sidelock/login");
    listen_on(fixture, "127.0.0.1:8081", NULL);
    assert_int_equal(text_list_add(&studio->hosts, "gate.example", 12), OK);
    expect_address(fixture, id, NULL, "http://gate.example:8081/.sidelock/login");
    assert_int_equal(issue(fixture, id, "localhost", address, code), ERROR_INVALID);
    listen_on(fixture, NULL, NULL);
    assert_int_equal(issue(fixture, id, NULL, address, code), ERROR_STATE);
}

BROKER_TEST(test_code_is_no_ticket)
{
    struct broker_fixture *fixture = *state;
    struct gate *gate = &fixture->gate;
    char id[TOKEN_ID_SIZE], redeemed[TOKEN_ID_SIZE], address[512], code[TICKET_SIZE];

    listen_on(fixture, "127.0.0.1:8081", NULL);
    assert_int_equal(create(fixture, &plain, id, NULL), OK);
    assert_int_equal(issue(fixture, id, NULL, address, code), OK);
    assert_logged(fixture, "login_issued");
    assert_false(tickets_redeem(&gate->tickets, span_of(code), fixture_now, redeemed));
    assert_true(tickets_redeem(&gate->login_codes, span_of(code), fixture_now, redeemed));
    assert_string_equal(redeemed, id);
    assert_false(tickets_redeem(&gate->login_codes, span_of(code), fixture_now, redeemed));
}

BROKER_TEST(test_needs_a_live_session)
{
    struct broker_fixture *fixture = *state;
    struct wish once = plain;
    char id[TOKEN_ID_SIZE], address[512], code[TICKET_SIZE];

    listen_on(fixture, "127.0.0.1:8081", NULL);
    assert_int_equal(issue(fixture, "00", NULL, address, code), ERROR_NOT_FOUND);
    once.session.once = true;
    assert_int_equal(create(fixture, &once, id, NULL), OK);
    assert_int_equal(issue(fixture, id, NULL, address, code), ERROR_STATE);
    assert_int_equal(create(fixture, &plain, id, NULL), OK);
    fixture_now += 60;
    assert_int_equal(issue(fixture, id, NULL, address, code), ERROR_STATE);
}
