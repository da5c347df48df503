/* messages.c: a worker's question and the verdict; the other messages are in test_messages.c. */
#include "messages_fixture.h"

static void assert_same_text(const char *left, const char *right)
{
    assert_int_equal(left == NULL, right == NULL);
    if (left != NULL)
        assert_string_equal(left, right);
}

static void check_admit(const struct ipc_admit *admit)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_admit out;

    ipc_encode(&writer, IPC_ADMIT, admit);
    assert_false(writer.failed);
    assert_int_equal(ipc_type_of(room, writer.length), IPC_ADMIT);
    assert_int_equal(ipc_decode(IPC_ADMIT, room, writer.length, &out), OK);
    assert_true(out.connection == admit->connection);
    assert_int_equal(out.surface, admit->surface);
    assert_same_text(out.request_id, admit->request_id);
    assert_same_text(out.request.method, admit->request.method);
    assert_same_text(out.request.raw_path, admit->request.raw_path);
    assert_same_text(out.request.query, admit->request.query);
    assert_same_text(out.request.host, admit->request.host);
    assert_same_text(out.request.origin, admit->request.origin);
    assert_same_text(out.request.authorization, admit->request.authorization);
    assert_same_text(out.request.subprotocols, admit->request.subprotocols);
    assert_same_text(out.request.cookie, admit->request.cookie);
    assert_same_text(out.request.fetch_site, admit->request.fetch_site);
    assert_same_text(out.request.referer, admit->request.referer);
    assert_same_text(out.request.strays, admit->request.strays);
    assert_same_text(out.request.certificate, admit->request.certificate);
    assert_same_text(out.request.login_code, admit->request.login_code);
    assert_int_equal(out.request.upgrade, admit->request.upgrade);
    assert_int_equal(out.header_count, admit->header_count);
    for (uint32_t i = 0; i < out.header_count; i++) {
        assert_string_equal(out.headers[i].name, admit->headers[i].name);
        assert_string_equal(out.headers[i].value, admit->headers[i].value);
    }
}

static enum error decode_changed_admit(const struct ipc_admit *admit)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_admit out;

    ipc_encode(&writer, IPC_ADMIT, admit);
    assert_false(writer.failed);
    return ipc_decode(IPC_ADMIT, room, writer.length, &out);
}

TEST(test_admit)
{
    struct ipc_admit admit = full_admit();

    check_admit(&admit);
    /* Headers that were not sent stay absent. */
    admit.request.cookie = admit.request.fetch_site = admit.request.referer = admit.request.strays =
        admit.request.certificate = admit.request.login_code = NULL;
    admit.request.query = admit.request.host = admit.request.origin = admit.request.authorization =
        admit.request.subprotocols = NULL;
    admit.request.upgrade = false;
    admit.header_count = 0;
    check_admit(&admit);
}

TEST(test_admit_refuses)
{
    struct ipc_admit admit = full_admit();
    struct ipc_writer writer = {.bytes = room};

    admit.connection = IPC_CONNECTION_MAX + 1;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    admit = full_admit();
    admit.request.method = NULL;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    admit = full_admit();
    admit.request.raw_path = NULL;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    admit = full_admit();
    admit.request_id = NULL;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    admit = full_admit();
    admit.headers[3].value = NULL;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    /* The encoder does not read behind its list either. */
    admit = full_admit();
    admit.header_count = IPC_HEADERS_MAX + 1;
    ipc_encode(&writer, IPC_ADMIT, &admit);
    assert_true(writer.failed);
}

TEST(test_admit_with_more_headers_than_room)
{
    struct ipc_admit admit = full_admit(), out;
    struct ipc_writer writer = {.bytes = room};
    uint32_t count = IPC_HEADERS_MAX + 1;
    size_t count_at;

    admit.header_count = 0;
    ipc_encode(&writer, IPC_ADMIT, &admit);
    count_at = writer.length - sizeof(count);
    for (uint32_t i = 0; i < count; i++) {
        ipc_put_text(&writer, "x");
        ipc_put_text(&writer, "y");
    }
    memcpy(room + count_at, &count, sizeof(count));
    assert_int_equal(ipc_decode(IPC_ADMIT, room, writer.length, &out), ERROR_SYNTAX);
    count = UINT32_MAX;
    memcpy(room + count_at, &count, sizeof(count));
    assert_int_equal(ipc_decode(IPC_ADMIT, room, writer.length, &out), ERROR_SYNTAX);
}

TEST(test_verdict)
{
    struct ipc_verdict verdict = full_verdict(), out;
    struct ipc_writer writer = {.bytes = room};

    ipc_encode(&writer, IPC_VERDICT, &verdict);
    assert_false(writer.failed);
    assert_int_equal(ipc_type_of(room, writer.length), IPC_VERDICT);
    assert_int_equal(ipc_decode(IPC_VERDICT, room, writer.length, &out), OK);
    assert_true(out.connection == 1 && out.expires_at == -1);
    assert_int_equal(out.reason, REASON_ALLOWED);
    assert_string_equal(out.session_id, verdict.session_id);
    assert_int_equal(out.route, 63);
    assert_string_equal(out.accept, verdict.accept);
    assert_string_equal(out.offer, verdict.offer);
    assert_string_equal(out.answer, "{}");
    assert_string_equal(out.set_cookie, "a=b");
    assert_string_equal(out.match_digest, verdict.match_digest);
    assert_true(out.verbs.set && out.targets.set); /* an empty list is not no list */
    assert_int_equal(out.verbs.count, IPC_LIST_MAX);
    assert_int_equal(out.targets.count, 0);
    assert_string_equal(out.verbs.items[IPC_LIST_MAX - 1], "list_tools");
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_VERDICT, &(struct ipc_verdict){.reason = REASON_INTERNAL, .offer = ""});
    assert_int_equal(ipc_decode(IPC_VERDICT, room, writer.length, &out), OK);
    assert_false(reason_allows(out.reason) || out.verbs.set || out.targets.set);
    assert_string_equal(out.session_id, "");
}

TEST(test_verdict_refuses)
{
    struct ipc_verdict verdict = full_verdict(), out;
    struct ipc_writer writer = {.bytes = room};

    verdict.reason = REASON_COUNT;
    ipc_encode(&writer, IPC_VERDICT, &verdict);
    assert_int_equal(ipc_decode(IPC_VERDICT, room, writer.length, &out), ERROR_SYNTAX);
    assert_false(reason_allows(out.reason));

    verdict = full_verdict();
    verdict.verbs.count = IPC_LIST_MAX + 1;
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_VERDICT, &verdict);
    assert_true(writer.failed);

    verdict = full_verdict();
    verdict.verbs.items[5] = NULL;
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_VERDICT, &verdict);
    assert_int_equal(ipc_decode(IPC_VERDICT, room, writer.length, &out), ERROR_SYNTAX);
}
