/* messages.c: what one process encodes the other decodes, and nothing else is decoded. */
#include "ipc/messages.h"

#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUTATIONS 20000

static unsigned char room[IPC_MESSAGE_BYTES_MAX], again[IPC_MESSAGE_BYTES_MAX];

static struct ipc_admit full_admit(void)
{
    struct ipc_admit admit = {.connection = UINT64_MAX,
                              .surface = 3,
                              .request_id = "0123456789abcdef",
                              .listener_address = "::1",
                              .listener_port = 65535,
                              .method = "GET",
                              .path = "/api/mcp/ws/12",
                              .query = "server_params=x",
                              .host = "localhost:8081",
                              .origin = "http://localhost:8081",
                              .authorization = "Bearer x",
                              .subprotocols = "mcp",
                              .cookie = "c",
                              .fetch_site = "none",
                              .certificate = "d",
                              .body = "b",
                              .secure = true,
                              .upgrade = true,
                              .caller_known = true,
                              .caller_uid = UINT32_MAX,
                              .header_count = IPC_HEADERS_MAX};

    for (uint32_t i = 0; i < IPC_HEADERS_MAX; i++)
        admit.headers[i] = (struct ipc_header_pair){"x-name", i % 2 != 0 ? "value" : ""};
    return admit;
}

static struct ipc_verdict full_verdict(void)
{
    struct ipc_verdict verdict = {.connection = 1,
                                  .reason = REASON_ALLOWED,
                                  .session_id = "00112233445566778899aabbccddeeff",
                                  .expires_at = -1,
                                  .route = 63,
                                  .accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                                  .offer = "mcp, other",
                                  .answer = "{}",
                                  .set_cookie = "a=b",
                                  .verbs = {.set = true, .count = IPC_LIST_MAX},
                                  .targets = {.set = true}};

    memset(verdict.match_digest, 'd', IPC_DIGEST_SIZE - 1);
    for (uint32_t i = 0; i < IPC_LIST_MAX; i++)
        verdict.verbs.items[i] = "list_tools";
    return verdict;
}

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

    ipc_encode_admit(&writer, admit);
    assert_false(writer.failed);
    assert_int_equal(ipc_type_of(room, writer.length), IPC_ADMIT);
    assert_int_equal(ipc_decode_admit(room, writer.length, &out), OK);
    assert_true(out.connection == admit->connection);
    assert_int_equal(out.surface, admit->surface);
    assert_same_text(out.request_id, admit->request_id);
    assert_same_text(out.listener_address, admit->listener_address);
    assert_int_equal(out.listener_port, admit->listener_port);
    assert_same_text(out.method, admit->method);
    assert_same_text(out.path, admit->path);
    assert_same_text(out.query, admit->query);
    assert_same_text(out.host, admit->host);
    assert_same_text(out.origin, admit->origin);
    assert_same_text(out.authorization, admit->authorization);
    assert_same_text(out.subprotocols, admit->subprotocols);
    assert_same_text(out.cookie, admit->cookie);
    assert_same_text(out.fetch_site, admit->fetch_site);
    assert_same_text(out.certificate, admit->certificate);
    assert_same_text(out.body, admit->body);
    assert_int_equal(out.secure, admit->secure);
    assert_int_equal(out.upgrade, admit->upgrade);
    assert_int_equal(out.caller_known, admit->caller_known);
    assert_int_equal(out.caller_uid, admit->caller_uid);
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

    ipc_encode_admit(&writer, admit);
    assert_false(writer.failed);
    return ipc_decode_admit(room, writer.length, &out);
}

TEST(test_admit)
{
    struct ipc_admit admit = full_admit();

    check_admit(&admit);
    /* Headers that were not sent stay absent. */
    admit.cookie = admit.fetch_site = admit.certificate = admit.body = NULL;
    admit.secure = false;
    admit.query = admit.host = admit.origin = admit.authorization = admit.subprotocols = NULL;
    admit.upgrade = admit.caller_known = false;
    admit.header_count = 0;
    check_admit(&admit);
}

TEST(test_admit_refuses)
{
    struct ipc_admit admit = full_admit();
    struct ipc_writer writer = {.bytes = room};

    admit.listener_port = 65536;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    admit = full_admit();
    admit.method = NULL;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    admit = full_admit();
    admit.path = NULL;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    admit = full_admit();
    admit.request_id = NULL;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    admit = full_admit();
    admit.listener_address = NULL;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    admit = full_admit();
    admit.headers[3].value = NULL;
    assert_int_equal(decode_changed_admit(&admit), ERROR_SYNTAX);
    /* The encoder does not read behind its list either. */
    admit = full_admit();
    admit.header_count = IPC_HEADERS_MAX + 1;
    ipc_encode_admit(&writer, &admit);
    assert_true(writer.failed);
}

TEST(test_admit_with_more_headers_than_room)
{
    struct ipc_admit admit = full_admit(), out;
    struct ipc_writer writer = {.bytes = room};
    uint32_t count = IPC_HEADERS_MAX + 1;
    size_t count_at;

    admit.header_count = 0;
    ipc_encode_admit(&writer, &admit);
    count_at = writer.length - sizeof(count);
    for (uint32_t i = 0; i < count; i++) {
        ipc_put_text(&writer, "x");
        ipc_put_text(&writer, "y");
    }
    memcpy(room + count_at, &count, sizeof(count));
    assert_int_equal(ipc_decode_admit(room, writer.length, &out), ERROR_SYNTAX);
    count = UINT32_MAX;
    memcpy(room + count_at, &count, sizeof(count));
    assert_int_equal(ipc_decode_admit(room, writer.length, &out), ERROR_SYNTAX);
}

TEST(test_verdict)
{
    struct ipc_verdict verdict = full_verdict(), out;
    struct ipc_writer writer = {.bytes = room};

    ipc_encode_verdict(&writer, &verdict);
    assert_false(writer.failed);
    assert_int_equal(ipc_type_of(room, writer.length), IPC_VERDICT);
    assert_int_equal(ipc_decode_verdict(room, writer.length, &out), OK);
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
    ipc_encode_verdict(&writer, &(struct ipc_verdict){.reason = REASON_INTERNAL, .offer = ""});
    assert_int_equal(ipc_decode_verdict(room, writer.length, &out), OK);
    assert_false(reason_allows(out.reason) || out.verbs.set || out.targets.set);
    assert_string_equal(out.session_id, "");
}

TEST(test_verdict_refuses)
{
    struct ipc_verdict verdict = full_verdict(), out;
    struct ipc_writer writer = {.bytes = room};

    verdict.reason = REASON_COUNT;
    ipc_encode_verdict(&writer, &verdict);
    assert_int_equal(ipc_decode_verdict(room, writer.length, &out), ERROR_SYNTAX);
    assert_false(reason_allows(out.reason));

    verdict = full_verdict();
    verdict.verbs.count = IPC_LIST_MAX + 1;
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode_verdict(&writer, &verdict);
    assert_true(writer.failed);

    verdict = full_verdict();
    verdict.verbs.items[5] = NULL;
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode_verdict(&writer, &verdict);
    assert_int_equal(ipc_decode_verdict(room, writer.length, &out), ERROR_SYNTAX);
}

TEST(test_dial)
{
    struct ipc_dial dial = {.connection = 1,
                            .surface = 2,
                            .request_id = "r",
                            .session_id = "s",
                            .method = "POST",
                            .path = "/p",
                            .query = "a=b",
                            .host = "localhost",
                            .fields = "A: b\r\n",
                            .body_value = "d",
                            .caller_known = true,
                            .caller_uid = 3},
                    out;
    const char **needed[] = {&dial.request_id, &dial.session_id, &dial.method, &dial.path,
                             &dial.host};
    struct ipc_writer writer = {.bytes = room};

    ipc_encode_dial(&writer, &dial);
    assert_int_equal(ipc_type_of(room, writer.length), IPC_DIAL);
    assert_int_equal(ipc_decode_dial(room, writer.length, &out), OK);
    assert_true(out.connection == 1 && out.surface == 2 && out.caller_known && out.caller_uid == 3);
    assert_string_equal(out.request_id, "r");
    assert_string_equal(out.session_id, "s");
    assert_string_equal(out.method, "POST");
    assert_string_equal(out.path, "/p");
    assert_string_equal(out.query, "a=b");
    assert_string_equal(out.host, "localhost");
    assert_string_equal(out.fields, "A: b\r\n");
    assert_string_equal(out.body_value, "d");
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        const char *kept = *needed[i];

        *needed[i] = NULL;
        writer = (struct ipc_writer){.bytes = room};
        ipc_encode_dial(&writer, &dial);
        assert_int_equal(ipc_decode_dial(room, writer.length, &out), ERROR_SYNTAX);
        *needed[i] = kept;
    }
}

TEST(test_link)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_link out;

    ipc_encode_link(&writer, &(struct ipc_link){1, 2, REASON_UPSTREAM_UNREACHABLE});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_LINK);
    assert_int_equal(ipc_decode_link(room, writer.length, &out), OK);
    assert_true(out.connection == 1 && out.surface == 2);
    assert_int_equal(out.reason, REASON_UPSTREAM_UNREACHABLE);
    assert_int_equal(ipc_decode_link(room, writer.length - 1, &out), ERROR_SYNTAX);
}

/* Reports may lack what was not known. */
TEST(test_reports)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_denied denied;
    struct ipc_refused refused;
    struct ipc_closed closed;
    struct ipc_counts counts;

    ipc_encode_denied(&writer,
                      &(struct ipc_denied){7, REASON_MALFORMED, true, 8, "a=b", "/p", "r", "s"});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_DENIED);
    assert_int_equal(ipc_decode_denied(room, writer.length, &denied), OK);
    assert_int_equal(denied.surface, 7);
    assert_int_equal(denied.reason, REASON_MALFORMED);
    assert_true(denied.caller_known && denied.caller_uid == 8);
    assert_string_equal(denied.query, "a=b");
    assert_string_equal(denied.path, "/p");
    assert_string_equal(denied.request_id, "r");
    assert_string_equal(denied.session_id, "s");

    writer = (struct ipc_writer){.bytes = room};
    ipc_encode_refused(&writer, &(struct ipc_refused){9, 7, 1, true, REASON_TARGET_REFUSED, "s",
                                                      "call_tool", NULL});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_REFUSED);
    assert_int_equal(ipc_decode_refused(room, writer.length, &refused), OK);
    assert_true(refused.connection == 9 && refused.surface == 7 && refused.direction == 1);
    assert_true(refused.observed && refused.reason == REASON_TARGET_REFUSED);
    assert_string_equal(refused.session_id, "s");
    assert_string_equal(refused.verb, "call_tool");
    assert_null(refused.target);

    writer = (struct ipc_writer){.bytes = room};
    ipc_encode_closed(
        &writer, &(struct ipc_closed){9, 7, true, REASON_CLIENT_CLOSED, 1000, "s", 10, 11, 12});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_CLOSED);
    assert_int_equal(ipc_decode_closed(room, writer.length, &closed), OK);
    assert_true(closed.connection == 9 && closed.surface == 7 && closed.opened);
    assert_true(closed.reason == REASON_CLIENT_CLOSED && closed.close_code == 1000);
    assert_string_equal(closed.session_id, "s");
    assert_true(closed.requests == 10);
    assert_true(closed.messages_c2s == 11 && closed.messages_s2c == 12);

    writer = (struct ipc_writer){.bytes = room};
    ipc_encode_counts(&writer, &(struct ipc_counts){7, UINT64_MAX, 2});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_COUNTS);
    assert_int_equal(ipc_decode_counts(room, writer.length, &counts), OK);
    assert_true(counts.surface == 7 && counts.forwarded == UINT64_MAX && counts.refused == 2);
}

TEST(test_report_of_no_direction)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_refused refused;

    ipc_encode_refused(&writer, &(struct ipc_refused){.direction = 2});
    assert_int_equal(ipc_decode_refused(room, writer.length, &refused), ERROR_SYNTAX);
}

TEST(test_orders)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_cut_session session;
    struct ipc_cut_surface surface;
    struct ipc_extend extend;

    ipc_encode_cut_session(&writer, &(struct ipc_cut_session){"s", REASON_SESSION_REVOKED});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_CUT_SESSION);
    assert_int_equal(ipc_decode_cut_session(room, writer.length, &session), OK);
    assert_string_equal(session.session_id, "s");
    assert_int_equal(session.reason, REASON_SESSION_REVOKED);
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode_cut_session(&writer, &(struct ipc_cut_session){NULL, REASON_SESSION_REVOKED});
    assert_int_equal(ipc_decode_cut_session(room, writer.length, &session), OK);
    assert_null(session.session_id); /* all of them */
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode_cut_surface(&writer, &(struct ipc_cut_surface){4, REASON_SURFACE_KILLED});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_CUT_SURFACE);
    assert_int_equal(ipc_decode_cut_surface(room, writer.length, &surface), OK);
    assert_true(surface.surface == 4 && surface.reason == REASON_SURFACE_KILLED);
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode_extend(&writer, &(struct ipc_extend){"s", 1234567890123});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_EXTEND);
    assert_int_equal(ipc_decode_extend(room, writer.length, &extend), OK);
    assert_string_equal(extend.session_id, "s");
    assert_true(extend.expires_at == 1234567890123);
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode_extend(&writer, &(struct ipc_extend){NULL, 1}); /* never all of them */
    assert_int_equal(ipc_decode_extend(room, writer.length, &extend), ERROR_SYNTAX);
    for (int bare = 0; bare < 2; bare++) {
        enum ipc_type type = bare == 0 ? IPC_READY : IPC_DRAIN;

        writer = (struct ipc_writer){.bytes = room};
        ipc_encode_bare(&writer, type);
        assert_int_equal(ipc_type_of(room, writer.length), type);
        assert_int_equal(ipc_decode_bare(room, writer.length), OK);
        assert_int_equal(ipc_decode_bare(room, writer.length + 1), ERROR_SYNTAX);
        assert_int_equal(ipc_decode_bare(room, 0), ERROR_SYNTAX);
    }
}

/* What is missing of a pair makes no message; an authority for clients may be. */
TEST(test_tls)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_tls out;

    ipc_encode_tls(
        &writer, &(struct ipc_tls){.surface = 7, .certificate = "c", .key = "k", .client_ca = "a"});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_TLS);
    assert_int_equal(ipc_decode_tls(room, writer.length, &out), OK);
    assert_int_equal(out.surface, 7);
    assert_string_equal(out.certificate, "c");
    assert_string_equal(out.key, "k");
    assert_string_equal(out.client_ca, "a");
    writer.length = 0;
    ipc_encode_tls(&writer, &(struct ipc_tls){.certificate = "c"});
    assert_int_equal(ipc_decode_tls(room, writer.length, &out), ERROR_SYNTAX);
    writer.length = 0;
    ipc_encode_tls(&writer, &(struct ipc_tls){.key = "k"});
    assert_int_equal(ipc_decode_tls(room, writer.length, &out), ERROR_SYNTAX);
}

TEST(test_types)
{
    assert_int_equal(ipc_type_of("", 0), IPC_NONE);
    for (unsigned value = 0; value < 256; value++) {
        unsigned char byte = (unsigned char)value;

        assert_int_equal(ipc_type_of(&byte, 1), value < IPC_TYPE_COUNT ? value : IPC_NONE);
    }
}

/* Decodes by type and encodes again; false if it was not decoded. */
static bool decode_and_encode(const void *bytes, size_t length, struct ipc_writer *writer)
{
    union {
        struct ipc_admit admit;
        struct ipc_verdict verdict;
        struct ipc_denied denied;
        struct ipc_refused refused;
        struct ipc_closed closed;
        struct ipc_counts counts;
        struct ipc_cut_session cut_session;
        struct ipc_cut_surface cut_surface;
        struct ipc_dial dial;
        struct ipc_link link;
        struct ipc_extend extend;
        struct ipc_tls tls;
    } message;

    switch (ipc_type_of(bytes, length)) {
#define CASE(TYPE, name)                                                                           \
    case TYPE:                                                                                     \
        if (ipc_decode_##name(bytes, length, &message.name) != OK)                                 \
            return false;                                                                          \
        ipc_encode_##name(writer, &message.name);                                                  \
        return true;
        CASE(IPC_ADMIT, admit)
        CASE(IPC_VERDICT, verdict)
        CASE(IPC_DENIED, denied)
        CASE(IPC_REFUSED, refused)
        CASE(IPC_CLOSED, closed)
        CASE(IPC_COUNTS, counts)
        CASE(IPC_CUT_SESSION, cut_session)
        CASE(IPC_CUT_SURFACE, cut_surface)
        CASE(IPC_DIAL, dial)
        CASE(IPC_LINK, link)
        CASE(IPC_EXTEND, extend)
        CASE(IPC_TLS, tls)
#undef CASE
    default:
        return false;
    }
}

static void encode_one(unsigned which, struct ipc_writer *writer)
{
    struct ipc_admit admit = full_admit();
    struct ipc_verdict verdict = full_verdict();

    switch (which) {
    case 0:
        ipc_encode_admit(writer, &admit);
        break;
    case 1:
        ipc_encode_verdict(writer, &verdict);
        break;
    case 2:
        ipc_encode_denied(writer, &(struct ipc_denied){.path = "/p", .request_id = "r"});
        break;
    case 3:
        ipc_encode_refused(writer, &(struct ipc_refused){.verb = "v", .target = "t"});
        break;
    case 4:
        ipc_encode_closed(writer, &(struct ipc_closed){.session_id = "s"});
        break;
    case 5:
        ipc_encode_counts(writer, &(struct ipc_counts){.surface = 1});
        break;
    case 6:
        ipc_encode_cut_session(writer, &(struct ipc_cut_session){.session_id = "s"});
        break;
    case 7:
        ipc_encode_extend(writer, &(struct ipc_extend){"s", 1});
        break;
    case 8:
        ipc_encode_tls(writer, &(struct ipc_tls){.certificate = "c", .key = "k"});
        break;
    default:
        ipc_encode_cut_surface(writer, &(struct ipc_cut_surface){.surface = 1});
    }
}

/* One byte too few or too many is a fault, in every message. */
TEST(test_exact_length)
{
    for (unsigned which = 0; which < 10; which++) {
        struct ipc_writer writer = {.bytes = room}, out = {.bytes = again};

        encode_one(which, &writer);
        assert_true(decode_and_encode(room, writer.length, &out));
        assert_int_equal(out.length, writer.length);
        assert_memory_equal(again, room, writer.length);
        for (size_t length = 0; length <= writer.length + 1; length++) {
            unsigned char *copy = calloc(1, length + 1);

            assert_non_null(copy);
            memcpy(copy, room, length < writer.length ? length : writer.length);
            out = (struct ipc_writer){.bytes = again};
            assert_int_equal(decode_and_encode(copy, length, &out), length == writer.length);
            free(copy);
        }
    }
}

/* There is one encoding of everything: what decodes encodes to the same bytes. */
TEST(test_mutated)
{
    srandom(1);
    for (unsigned i = 0; i < MUTATIONS; i++) {
        struct ipc_writer writer = {.bytes = room}, out = {.bytes = again};
        unsigned changes = 1 + (unsigned)random() % 4;
        unsigned char *copy;

        encode_one(i % 10, &writer);
        copy = malloc(writer.length);
        assert_non_null(copy);
        memcpy(copy, room, writer.length);
        for (unsigned j = 0; j < changes; j++)
            copy[(size_t)random() % writer.length] = (unsigned char)random();
        if (decode_and_encode(copy, writer.length, &out)) {
            assert_false(out.failed);
            assert_int_equal(out.length, writer.length);
            assert_memory_equal(again, copy, writer.length);
        }
        free(copy);
    }
}
