/* What the tests of operators' operations share: short ways to put, create and look. */
#pragma once

#include "broker_fixture.h"

#include "broker/operations/operation.h"
#include "policy/token.h"

#define SECRET "not-for-the-log"
#define RECORD "{\"command\":\"/bin/true\",\"env\":{\"KEY\":\"" SECRET "\"}}"
#define OTHER  "{\"command\":\"/bin/true\",\"env\":{\"KEY\":\"another\"}}"
#define UID    1234

static enum error ended_with;
static unsigned ended;

static inline void note_end(struct operation *operation, enum error error)
{
    (void)operation;
    ended_with = error;
    ended++;
}

static inline struct operation begin(struct broker_fixture *fixture)
{
    struct operation operation;

    operation_init(&operation, &fixture->gate, UID);
    operation.done = note_end;
    return operation;
}

static inline enum error await_end(const struct broker_fixture *fixture)
{
    fixture_finish(fixture);
    assert_int_equal(ended, 1);
    return ended_with;
}

/* An operation that ends later, waited for: how it ended. */
#define RUN(fixture, call) (ended = 0, (call), await_end(fixture))

static inline enum error put(struct broker_fixture *fixture, const char *name, const char *surface,
                             const char *json)
{
    struct operation operation = begin(fixture);
    struct store_params stored;
    enum error error = RUN(fixture, records_put(&operation, name, surface, span_of(json), &stored));

    assert_true((error == OK) == (operation.why[0] == '\0'));
    return error;
}

/* What a test asks for. */
struct wish {
    struct session session;
    int64_t ttl_s;
};

/*
 * Makes a session and keeps its id; the token goes into `token` if that is not NULL. The wish's
 * lists are used up.
 */
static inline enum error create(struct broker_fixture *fixture, const struct wish *wish,
                                char id[TOKEN_ID_SIZE], char token[TOKEN_BYTES_MAX + 1])
{
    struct operation operation = begin(fixture);
    struct session session = wish->session;
    char *minted = NULL;
    enum error error = RUN(fixture, sessions_create(&operation, &session, wish->ttl_s, &minted));

    assert_true((error == OK) == (operation.why[0] == '\0'));
    assert_true((error == OK) == (minted != NULL));
    if (error != OK) {
        assert_true(session.id[0] == '\0' && session.verbs.count == 0);
        return error;
    }
    if (id != NULL)
        memcpy(id, session.id, TOKEN_ID_SIZE);
    if (token != NULL)
        snprintf(token, TOKEN_BYTES_MAX + 1, "%s", minted);
    session_clear(&session);
    free(minted);
    return OK;
}

static const struct wish plain = {{.surface = "studio"}, 60};
static const struct wish with_record = {{.surface = "studio", .params_name = "everything"}, 60};

static inline void expect_told(const char *format, ...) PRINTF_LIKE(1, 2);

/* What workers were told since the last time, in whole. */
static inline void expect_told(const char *format, ...)
{
    char expected[sizeof(fixture_told)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(expected, sizeof(expected), format, arguments);
    va_end(arguments);
    assert_string_equal(fixture_told, expected);
    fixture_told[0] = '\0';
}

static inline void assert_logged(const struct broker_fixture *fixture, const char *event)
{
    char member[128];

    snprintf(member, sizeof(member), "\"event\":\"%s\"", event);
    if (strstr(fixture_audit(fixture), member) == NULL)
        fail_msg("the audit log has no %s", event);
}
