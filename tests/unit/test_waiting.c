/* waiting.c: questions that wait are one process's, and are judged again when the wait is over. */
#include "operations_fixture.h"

#include "broker/admission/waiting.h"

static const struct incarnation first = {.worker = 1, .generation = 7};
static const struct incarnation second = {.worker = 1,
                                          .generation = 8}; /* took the first's place */

/* What the workers were told, and what became of the work. */
static struct {
    size_t answers, abandoned, resumed;
    struct incarnation to;
    struct ipc_verdict verdict;
    struct ipc_link link;
    char path[64];
    enum reason refusal;
} seen;

void workers_answer(struct workers *workers, struct incarnation to, enum ipc_type type,
                    const void *message, int fd)
{
    (void)workers;
    assert_int_equal(fd, -1);
    seen.answers++;
    seen.to = to;
    if (type == IPC_VERDICT)
        seen.verdict = *(const struct ipc_verdict *)message;
    else
        seen.link = *(const struct ipc_link *)message;
}

static void on_abandon(void *work)
{
    assert_ptr_equal(work, &seen);
    seen.abandoned++;
}

static void on_resume(struct question *question, void *work)
{
    assert_ptr_equal(work, &seen);
    assert_ptr_equal(question->steps.request, &question->request);
    snprintf(seen.path, sizeof(seen.path), "%s", question->request.path);
    seen.resumed++;
}

static int set_up(void **state)
{
    struct broker_fixture *fixture;

    memset(&seen, 0, sizeof(seen));
    if (broker_fixture_make(state) != 0)
        return -1;
    fixture = *state;
    return uv_loop_init(&fixture->gate.loop);
}

static int tear_down(void **state)
{
    struct broker_fixture *fixture = *state;

    waiting_stop(&fixture->gate);
    uv_loop_close(&fixture->gate.loop);
    return broker_fixture_drop(state);
}

#define WAITING_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

/* One that has passed its steps; `path` is gone when the wait begins, as a message is. */
static struct waiting *ask(struct broker_fixture *fixture, struct incarnation from,
                           const char *session, const char *path)
{
    char gone[64];
    struct ipc_admit admit = {.connection = 77,
                              .request_id = "0123456789abcdef",
                              .request = {.method = "GET", .raw_path = gone}};
    struct question question = {.gate = &fixture->gate,
                                .from = from,
                                .surface = &fixture->gate.surfaces.items[0],
                                .caller_known = true,
                                .caller_uid = 1000,
                                .message = &admit};
    struct waiting *waiting;

    snprintf(gone, sizeof(gone), "%s", path);
    question_read_request(&question);
    steps_init(&question.steps);
    assert_int_equal(store_session_get(fixture->gate.store, session, &question.session), OK);
    waiting = waiting_keep(&question, on_abandon, &seen);
    if (waiting != NULL)
        assert_string_equal(question.session.id, "");
    else
        seen.refusal = waiting_refusal(&question);
    question_clear(&question);
    memset(gone, '?', sizeof(gone));
    return waiting;
}

static void make_session(struct broker_fixture *fixture, char session[TOKEN_ID_SIZE])
{
    assert_int_equal(create(fixture, &plain, session, NULL), OK);
}

WAITING_TEST(test_goes_on)
{
    char session[TOKEN_ID_SIZE];
    struct waiting *waiting;

    make_session(*state, session);
    waiting = ask(*state, first, session, "/ws/one");
    assert_non_null(waiting);
    waiting_settle(waiting, REASON_ALLOWED, on_resume, &seen);
    assert_int_equal(seen.resumed, 1);
    assert_int_equal(seen.answers, 0);
    assert_int_equal(seen.abandoned, 0);
    assert_string_equal(seen.path, "/ws/one");
}

WAITING_TEST(test_refused)
{
    struct broker_fixture *fixture = *state;
    char session[TOKEN_ID_SIZE];

    make_session(fixture, session);
    waiting_settle(ask(fixture, first, session, "/"), REASON_UPSTREAM_TIMEOUT, on_resume, &seen);
    assert_int_equal(seen.verdict.reason, REASON_UPSTREAM_TIMEOUT);
    assert_int_equal(seen.verdict.connection, 77);
    assert_int_equal(seen.to.generation, first.generation);
    assert_int_equal(seen.resumed, 0);
    assert_null(fixture->gate.waiting);
}

/* A yes is worth nothing if the session ended while it waited. */
WAITING_TEST(test_judged_again)
{
    struct broker_fixture *fixture = *state;
    char session[TOKEN_ID_SIZE];
    struct waiting *waiting;

    make_session(fixture, session);
    waiting = ask(fixture, first, session, "/");
    assert_int_equal(KEPT(fixture->gate.store, store_session_revoke, session, fixture_now), OK);
    waiting_settle(waiting, REASON_ALLOWED, on_resume, &seen);
    assert_int_equal(seen.verdict.reason, REASON_SESSION_REVOKED);
    make_session(fixture, session);
    waiting = ask(fixture, first, session, "/");
    fixture->gate.surfaces.items[0].killed = true;
    waiting_settle(waiting, REASON_ALLOWED, on_resume, &seen);
    assert_int_equal(seen.verdict.reason, REASON_SURFACE_KILLED);
    assert_int_equal(seen.resumed, 0);
}

/* What a process asked dies with it; what the next one in its place asked does not. */
WAITING_TEST(test_dies_with_its_worker)
{
    struct broker_fixture *fixture = *state;
    char session[TOKEN_ID_SIZE];
    struct waiting *left;

    make_session(fixture, session);
    assert_non_null(ask(fixture, first, session, "/"));
    left = ask(fixture, second, session, "/left");
    assert_non_null(ask(fixture, first, session, "/"));
    waiting_forget(&fixture->gate, first);
    assert_int_equal(seen.abandoned, 2);
    assert_int_equal(seen.answers, 0);
    assert_non_null(fixture->gate.waiting);
    waiting_settle(left, REASON_ALLOWED, on_resume, &seen);
    assert_string_equal(seen.path, "/left");
}

/* So many of a session wait that others find room; so many of a surface that other surfaces do. */
WAITING_TEST(test_bounded)
{
    struct broker_fixture *fixture = *state;
    const size_t each = quota_info(QUOTA_QUESTIONS)->limit;
    const size_t all = quota_info(QUOTA_SURFACE_QUESTIONS)->limit;
    char session[TOKEN_ID_SIZE];

    for (size_t i = 0; i < all; i++) {
        if (i % each == 0)
            make_session(fixture, session);
        assert_non_null(ask(fixture, first, session, "/"));
        if (i == each - 1) {
            assert_null(ask(fixture, first, session, "/"));
            assert_int_equal(seen.refusal, REASON_QUOTA_QUESTIONS);
        }
    }
    make_session(fixture, session);
    assert_null(ask(fixture, first, session, "/"));
    assert_int_equal(seen.refusal, REASON_QUOTA_QUESTIONS);
    waiting_stop(&fixture->gate);
    assert_int_equal(seen.abandoned, all);
    assert_null(fixture->gate.waiting);
    assert_non_null(ask(fixture, first, session, "/"));
}

/* A link that is asked for waits in the same way. */
/* Before there is a session, nobody takes another user's place. */
WAITING_TEST(test_caller)
{
    struct broker_fixture *fixture = *state;
    const size_t each = quota_info(QUOTA_CALLER_QUESTIONS)->limit;
    struct ipc_admit admit = {.request_id = "0123456789abcdef",
                              .request = {.method = "GET", .raw_path = "/"}};
    struct question question = {.gate = &fixture->gate,
                                .from = first,
                                .surface = &fixture->gate.surfaces.items[0],
                                .caller_known = true,
                                .message = &admit};

    for (size_t i = 0; i <= each; i++) {
        struct waiting *waiting;

        admit.connection = i + 1;
        question.message = &admit;
        question_read_request(&question);
        steps_init(&question.steps);
        question.caller_uid = i < each ? 1000 : 1001;
        waiting = waiting_keep(&question, on_abandon, &seen);
        assert_non_null(waiting);
    }
    question.caller_uid = 1000;
    question_read_request(&question);
    assert_null(waiting_keep(&question, on_abandon, &seen));
    assert_int_equal(waiting_refusal(&question), REASON_QUOTA_QUESTIONS);
    waiting_forget(&fixture->gate, first);
    assert_int_equal(seen.abandoned, each + 1);
    assert_int_equal(waiting_refusal(&question), REASON_OUT_OF_MEMORY);
}

WAITING_TEST(test_link)
{
    struct broker_fixture *fixture = *state;
    char session[TOKEN_ID_SIZE];
    struct ipc_dial dial = {.connection = 5,
                            .request_id = "0123456789abcdef",
                            .method = "GET",
                            .path = "/",
                            .host = "localhost"};
    struct question question = {.gate = &fixture->gate,
                                .from = first,
                                .surface = &fixture->gate.surfaces.items[0],
                                .dial = &dial};

    make_session(fixture, session);
    question_read_request(&question);
    steps_init(&question.steps);
    waiting_settle(waiting_keep(&question, on_abandon, &seen), REASON_CAPACITY, on_resume, &seen);
    assert_int_equal(seen.link.reason, REASON_CAPACITY);
    assert_int_equal(seen.link.connection, 5);
}
