/* opening.c: what the operator's file names is opened, and nothing that a broker could make up. */
#include "parent/opening.h"

#include "system/certificate.h"
#include "system/listener.h"
#include "temporary.h"
#include "unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SURFACE(name, listen, more)                                                                \
    "\"" name "\":{\"why\":\"a\",\"can_do\":\"b\",\"listen\":[" listen "],\"upstream\":"           \
    "{\"socket\":\"%1$s/service.sock\"},\"dialect\":\"opaque\"" more "}"

#define TLS ",\"tls\":{\"certificate\":\"%1$s/server.pem\",\"key\":\"%1$s/server.key\"}"

struct opening_fixture {
    char root[TEMPORARY_PATH_SIZE], file[TEMPORARY_PATH_SIZE + 32];
    struct opening *opening;
    struct opening_answer answer;
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* `surfaces` names the fixture's directory as %1$s. */
static void configure(const struct opening_fixture *fixture, const char *surfaces)
{
    char format[4096], text[8192];

    snprintf(format, sizeof(format),
             "{\"state_dir\":\"%%1$s/state\",\"control_socket\":\"%%1$s/control/c.sock\","
             "\"surfaces\":{%s}}",
             surfaces);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof(text), format, fixture->root);
#pragma GCC diagnostic pop
    write_file(fixture->file, text);
}

static int set_up(void **state)
{
    static struct opening_fixture fixture;
    static struct json_faults faults;
    struct config_bundle bundle;

    fixture = (struct opening_fixture){.opening = NULL};
    if (temporary_make(fixture.root) == NULL)
        return -1;
    snprintf(fixture.file, sizeof(fixture.file), "%s/sidelock.json", fixture.root);
    configure(&fixture, SURFACE("one", "\"localhost:0\",\"127.0.0.1:0\"",
                                "") "," SURFACE("two", "\"localhost:18099\"", ""));
    assert_int_equal(bundle_read(fixture.file, TRUST_OWN, "", &bundle, &faults), OK);
    assert_int_equal(bundle_seal(&bundle), OK);
    assert_int_equal(opening_create(&bundle, &fixture.opening), OK);
    *state = &fixture;
    return 0;
}

static void drop(struct opening_fixture *fixture)
{
    for (size_t i = 0; i < fixture->answer.count; i++)
        close(fixture->answer.descriptors[i]);
    fixture->answer.count = 0;
}

static int tear_down(void **state)
{
    struct opening_fixture *fixture = *state;

    drop(fixture);
    opening_destroy(fixture->opening);
    temporary_remove(fixture->root);
    return 0;
}

#define OPENING_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

static enum error ask(struct opening_fixture *fixture, enum errand_kind kind, const char *name,
                      uint32_t number)
{
    const struct errand errand = {.kind = kind, .number = number, .text = name};

    drop(fixture);
    return opening_take(fixture->opening, &errand, &fixture->answer);
}

static void expect(struct opening_fixture *fixture, enum error error, size_t count)
{
    if (fixture->answer.error != error)
        fail_msg("%d: %s", fixture->answer.error, fixture->answer.why);
    assert_int_equal(fixture->answer.count, count);
}

OPENING_TEST(test_listens_where_the_file_says)
{
    struct opening_fixture *fixture = *state;
    struct listener opened;

    assert_int_equal(ask(fixture, ERRAND_LISTEN, "one", 1), OK);
    expect(fixture, OK, 1);
    opened.fd = fixture->answer.descriptors[0];
    assert_int_equal(listener_describe(&opened), OK);
    assert_string_equal(opened.address, "127.0.0.1");
    assert_int_equal(ask(fixture, ERRAND_LISTEN, "one", 0), OK);
    assert_int_equal(fixture->answer.error, OK);
    assert_in_range(fixture->answer.count, 1, 2);
}

OPENING_TEST(test_listens_nowhere_else)
{
    struct opening_fixture *fixture = *state;
    static const char *const names[] = {"", "three", "127.0.0.1", "../one", "one\n"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(ask(fixture, ERRAND_LISTEN, names[i], 0), ERROR_SYNTAX);
        assert_int_equal(ask(fixture, ERRAND_MISSING, names[i], 80), ERROR_SYNTAX);
        assert_int_equal(ask(fixture, ERRAND_TLS, names[i], CERTIFICATE_KEY), ERROR_SYNTAX);
    }
    assert_int_equal(ask(fixture, ERRAND_LISTEN, "one", 2), ERROR_SYNTAX);
    assert_int_equal(ask(fixture, ERRAND_LISTEN, "two", UINT32_MAX), ERROR_SYNTAX);
    /* Any port is any; another than the file's is not that. */
    assert_int_equal(ask(fixture, ERRAND_MISSING, "two", 18098), ERROR_SYNTAX);
    assert_int_equal(ask(fixture, ERRAND_MISSING, "two", 18099 + 65536), ERROR_SYNTAX);
    assert_int_equal(ask(fixture, ERRAND_MISSING, "one", 0), ERROR_SYNTAX);
    /* Where there is no TLS, and what is none of its files. */
    assert_int_equal(ask(fixture, ERRAND_TLS, "one", CERTIFICATE_KEY), ERROR_SYNTAX);
}

/* What the other channel is for, and what only the parent says. */
OPENING_TEST(test_does_nothing_else)
{
    struct opening_fixture *fixture = *state;

    for (unsigned kind = 0; kind < ERRAND_KIND_COUNT; kind++) {
        if (kind < ERRAND_READ || kind > ERRAND_TELEMETRY)
            assert_int_equal(ask(fixture, kind, "one", 0), ERROR_SYNTAX);
    }
    assert_int_equal(ask(fixture, ERRAND_KEEP, NULL, 0), ERROR_SYNTAX);
}

/* The bundle as the broker gets it. */
static void unseal(struct opening_fixture *fixture, bool faulty, struct config_bundle *out)
{
    assert_int_equal(bundle_unseal(fixture->answer.descriptors[0], faulty, out), OK);
    assert_string_equal(out->path, fixture->file);
    if (fixture->answer.count == 2)
        close(fixture->answer.descriptors[1]);
    fixture->answer.count = 0;
}

OPENING_TEST(test_reads_anew)
{
    struct opening_fixture *fixture = *state;
    struct config_bundle bundle;

    configure(fixture,
              SURFACE("one", "\"localhost:0\"", "") "," SURFACE("three", "\"127.0.0.1:0\"", ""));
    assert_int_equal(ask(fixture, ERRAND_LISTEN, "three", 0), ERROR_SYNTAX);
    assert_int_equal(ask(fixture, ERRAND_READ, NULL, 0), OK);
    expect(fixture, OK, 1);
    unseal(fixture, false, &bundle);
    assert_non_null(config_surface(bundle.config, "three"));
    bundle_clear(&bundle);
    /* What is new may be opened, and what is in force still. */
    assert_int_equal(ask(fixture, ERRAND_LISTEN, "three", 0), OK);
    expect(fixture, OK, 1);
    assert_int_equal(ask(fixture, ERRAND_MISSING, "two", 18099), OK);
    assert_int_equal(ask(fixture, ERRAND_KEEP, NULL, 0), OK);
    assert_int_equal(ask(fixture, ERRAND_LISTEN, "two", 0), ERROR_SYNTAX);
    assert_int_equal(ask(fixture, ERRAND_LISTEN, "three", 0), OK);
    expect(fixture, OK, 1);
    assert_int_equal(ask(fixture, ERRAND_KEEP, NULL, 0), ERROR_SYNTAX);
}

OPENING_TEST(test_faults_change_nothing)
{
    static struct json_faults faults;
    struct opening_fixture *fixture = *state;
    struct config_bundle bundle;

    configure(fixture, SURFACE("three", "\"nowhere:0\"", ""));
    assert_int_equal(ask(fixture, ERRAND_READ, NULL, 0), OK);
    expect(fixture, ERROR_INVALID, 2);
    assert_int_equal(faults_unseal(fixture->answer.descriptors[1], &faults), OK);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].pointer, "/surfaces/three/listen/0");
    unseal(fixture, true, &bundle);
    bundle_clear(&bundle);
    assert_int_equal(ask(fixture, ERRAND_KEEP, NULL, 0), ERROR_SYNTAX);
    assert_int_equal(ask(fixture, ERRAND_LISTEN, "three", 0), ERROR_SYNTAX);
    assert_int_equal(ask(fixture, ERRAND_LISTEN, "one", 1), OK);
    expect(fixture, OK, 1);
    assert_int_equal(unlink(fixture->file), 0);
    assert_int_equal(ask(fixture, ERRAND_READ, NULL, 0), OK);
    expect(fixture, ERROR_INVALID, 2);
    drop(fixture);
}

/* Faults of what is named on this host are faults as well. */
OPENING_TEST(test_looks_at_what_is_named)
{
    static struct json_faults faults;
    struct opening_fixture *fixture = *state;

    configure(fixture, SURFACE("one", "\"localhost:0\"", TLS));
    assert_int_equal(ask(fixture, ERRAND_READ, NULL, 0), OK);
    expect(fixture, ERROR_INVALID, 2);
    assert_int_equal(faults_unseal(fixture->answer.descriptors[1], &faults), OK);
    assert_string_equal(faults.items[0].pointer, "/surfaces/one/tls/certificate");
}
