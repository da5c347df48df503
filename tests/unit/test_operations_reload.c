/* Reloading: new certificates are told to the workers, unfit ones change nothing. */
#include "broker/core/surfaces.h"
#include "broker/operations/operation.h"
#include "system/authority.h"

#include "operations_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct authority_pair authority;

static void write_text(const char *path, const struct buffer *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text->data, 1, text->length, file), text->length);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void renew(const struct surface_tls *tls)
{
    char localhost[] = "localhost", *items[] = {localhost};
    struct text_list names = {.items = items, .count = 1};
    struct authority_pair server;

    assert_int_equal(authority_issue(&authority,
                                     &(struct authority_request){.use = AUTHORITY_SERVER,
                                                                 .subject = "s",
                                                                 .names = &names,
                                                                 .now = FIXTURE_NOW,
                                                                 .days = 5},
                                     &server),
                     OK);
    write_text(tls->certificate, &server.certificate);
    write_text(tls->key, &server.key);
    authority_pair_clear(&server);
}

/* The fixture's second surface speaks TLS. */
static struct surface_tls *speak_tls(struct broker_fixture *fixture)
{
    struct surface_tls *tls = calloc(1, sizeof(*tls));

    assert_non_null(tls);
    assert_true(asprintf(&tls->certificate, "%s/server.pem", fixture->root) > 0);
    assert_true(asprintf(&tls->key, "%s/server.key", fixture->root) > 0);
    fixture->config->surfaces[1].tls = tls;
    assert_int_equal(authority_create("Test", FIXTURE_NOW, 10, &authority), OK);
    renew(tls);
    return tls;
}

BROKER_TEST(test_reload)
{
    struct broker_fixture *fixture = *state;
    struct surface_state *states = fixture->gate.surfaces.items;
    struct surface_tls *tls = speak_tls(fixture);
    struct operation operation;
    char first[SHA256_HEX_SIZE], why[WHY_SIZE];

    assert_int_equal(surfaces_load_certificates(&fixture->gate.surfaces, NULL, FIXTURE_NOW, why),
                     OK);
    assert_null(states[0].tls);
    memcpy(first, states[1].tls->facts.sha256, sizeof(first));
    assert_string_equal(fixture_told, "");
    renew(tls);
    operation = begin(fixture);
    assert_int_equal(RUN(fixture, reload_files(&operation)), OK);
    assert_string_not_equal(states[1].tls->facts.sha256, first);
    assert_string_equal(fixture_told, "certificates * allowed\n");
    assert_non_null(strstr(fixture_audit(fixture), "\"event\":\"certificate_loaded\""));
    assert_non_null(strstr(fixture_audit(fixture), states[1].tls->facts.sha256));
    assert_null(strstr(fixture_audit(fixture), "PRIVATE KEY"));
    authority_pair_clear(&authority);
}

BROKER_TEST(test_unfit)
{
    struct broker_fixture *fixture = *state;
    struct surface_state *states = fixture->gate.surfaces.items;
    struct surface_tls *tls = speak_tls(fixture);
    const struct tls_files *before;
    struct operation operation;
    char why[WHY_SIZE];

    assert_int_equal(surfaces_load_certificates(&fixture->gate.surfaces, NULL, FIXTURE_NOW, why),
                     OK);
    before = states[1].tls;
    assert_int_equal(chmod(tls->key, 0644), 0);
    operation = begin(fixture);
    assert_int_equal(RUN(fixture, reload_files(&operation)), ERROR_INVALID);
    assert_non_null(strstr(operation.why, "surface tools: tls.key: "));
    assert_non_null(strstr(operation.why, "open to others"));
    assert_ptr_equal(states[1].tls, before);
    assert_string_equal(fixture_told, "");
    authority_pair_clear(&authority);
}
