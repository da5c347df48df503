/* messages.c: what one process encodes the other decodes, and nothing else is decoded. */
#include "messages_fixture.h"

#include "every_message.h"

#include "wire/http_body.h"

#include <stdio.h>
#include <stdlib.h>

#define MUTATIONS 20000

static unsigned char again[IPC_MESSAGE_BYTES_MAX];

TEST(test_dial)
{
    struct ipc_dial dial = {.connection = 1,
                            .surface = 2,
                            .request_id = "r",
                            .method = "POST",
                            .path = "/p",
                            .query = "a=b",
                            .host = "localhost",
                            .fields = "A: b\r\n",
                            .body_value = "d",
                            .body = HTTP_BODY_LENGTH,
                            .body_bytes = 3},
                    out;
    const char **needed[] = {&dial.request_id, &dial.method, &dial.path, &dial.host};
    struct ipc_writer writer = {.bytes = room};

    ipc_encode(&writer, IPC_DIAL, &dial);
    assert_int_equal(ipc_type_of(room, writer.length), IPC_DIAL);
    assert_int_equal(ipc_decode(IPC_DIAL, room, writer.length, &out), OK);
    assert_true(out.connection == 1 && out.surface == 2 && out.body == HTTP_BODY_LENGTH &&
                out.body_bytes == 3);
    assert_string_equal(out.request_id, "r");
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
        ipc_encode(&writer, IPC_DIAL, &dial);
        assert_int_equal(ipc_decode(IPC_DIAL, room, writer.length, &out), ERROR_SYNTAX);
        *needed[i] = kept;
    }
}

/* A connection's number has no bits to spare, in whatever message: they could be another's. */
TEST(test_numbers)
{
#define EXPECT(TYPE, type, ...)                                                                    \
    do {                                                                                           \
        struct ipc_writer writer = {.bytes = room};                                                \
        struct ipc_##type out;                                                                     \
                                                                                                   \
        ipc_encode(&writer, IPC_##TYPE,                                                            \
                   &(struct ipc_##type){.connection = IPC_CONNECTION_MAX, __VA_ARGS__});           \
        assert_int_equal(ipc_decode(IPC_##TYPE, room, writer.length, &out), OK);                   \
        writer.length = 0;                                                                         \
        ipc_encode(&writer, IPC_##TYPE,                                                            \
                   &(struct ipc_##type){.connection = IPC_CONNECTION_MAX + 1, __VA_ARGS__});       \
        assert_int_equal(ipc_decode(IPC_##TYPE, room, writer.length, &out), ERROR_SYNTAX);         \
    } while (0)
    EXPECT(ADMIT, admit, .request_id = "r", .request.method = "m", .request.raw_path = "p");
    EXPECT(DIAL, dial, .request_id = "r", .method = "m", .path = "p", .host = "h");
    EXPECT(DENIED, denied, .path = "p");
    EXPECT(REFUSED, refused, .verb = "v");
    EXPECT(CLOSED, closed, .close_code = 1);
    EXPECT(VERDICT, verdict, .offer = "");
    EXPECT(LINK, link, .surface = 1);
#undef EXPECT
}

TEST(test_link)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_link out;

    ipc_encode(&writer, IPC_LINK, &(struct ipc_link){1, 2, REASON_UPSTREAM_UNREACHABLE});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_LINK);
    assert_int_equal(ipc_decode(IPC_LINK, room, writer.length, &out), OK);
    assert_true(out.connection == 1 && out.surface == 2);
    assert_int_equal(out.reason, REASON_UPSTREAM_UNREACHABLE);
    assert_int_equal(ipc_decode(IPC_LINK, room, writer.length - 1, &out), ERROR_SYNTAX);
}

/* Reports may lack what was not known. */
TEST(test_reports)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_denied denied;
    struct ipc_refused refused;
    struct ipc_closed closed;
    struct ipc_counts counts;
    struct ipc_suppressed suppressed;

    ipc_encode(&writer, IPC_DENIED,
               &(struct ipc_denied){6, 7, REASON_MALFORMED, true, 8, "a=b", "/p", "r", "GET", "h",
                                    "10.0.0.2", "s"});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_DENIED);
    assert_int_equal(ipc_decode(IPC_DENIED, room, writer.length, &denied), OK);
    assert_true(denied.connection == 6 && denied.surface == 7);
    assert_int_equal(denied.reason, REASON_MALFORMED);
    assert_true(denied.caller_told && denied.caller_uid_told == 8);
    assert_string_equal(denied.target, "a=b");
    assert_string_equal(denied.path, "/p");
    assert_string_equal(denied.request_id, "r");

    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_REFUSED,
               &(struct ipc_refused){9, 7, 1, true, REASON_TARGET_REFUSED, "call_tool", NULL});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_REFUSED);
    assert_int_equal(ipc_decode(IPC_REFUSED, room, writer.length, &refused), OK);
    assert_true(refused.connection == 9 && refused.surface == 7 && refused.direction == 1);
    assert_true(refused.observed && refused.reason == REASON_TARGET_REFUSED);
    assert_string_equal(refused.verb, "call_tool");
    assert_null(refused.target);

    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_CLOSED,
               &(struct ipc_closed){9, 7, true, REASON_CLIENT_CLOSED, 1000, 10, 11, 12, "r", "/p",
                                    "h", "s"});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_CLOSED);
    assert_int_equal(ipc_decode(IPC_CLOSED, room, writer.length, &closed), OK);
    assert_true(closed.connection == 9 && closed.surface == 7 && closed.opened);
    assert_true(closed.reason == REASON_CLIENT_CLOSED && closed.close_code == 1000);
    assert_true(closed.requests == 10);
    assert_true(closed.messages_c2s == 11 && closed.messages_s2c == 12);

    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_COUNTS,
               &(struct ipc_counts){.surface = 7,
                                    .forwarded = UINT64_MAX,
                                    .refused = 2,
                                    .denied = 3,
                                    .quotas.refused[QUOTA_REPORTS] = 4,
                                    .quotas.gave_way[QUOTA_TICKETS] = 5});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_COUNTS);
    assert_int_equal(ipc_decode(IPC_COUNTS, room, writer.length, &counts), OK);
    assert_true(counts.surface == 7 && counts.forwarded == UINT64_MAX && counts.refused == 2);
    assert_true(counts.denied == 3 && counts.quotas.refused[QUOTA_REPORTS] == 4);
    assert_true(counts.quotas.gave_way[QUOTA_TICKETS] == 5);

    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_SUPPRESSED, &(struct ipc_suppressed){7, "s", UINT64_MAX});
    assert_int_equal(ipc_decode(IPC_SUPPRESSED, room, writer.length, &suppressed), OK);
    assert_true(suppressed.surface == 7 && suppressed.count == UINT64_MAX);
    assert_string_equal(suppressed.session_id, "s");
}

TEST(test_report_of_no_direction)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_refused refused;

    ipc_encode(&writer, IPC_REFUSED, &(struct ipc_refused){.direction = 2});
    assert_int_equal(ipc_decode(IPC_REFUSED, room, writer.length, &refused), ERROR_SYNTAX);
}

TEST(test_orders)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_cut_session session;
    struct ipc_cut_surface surface;
    struct ipc_extend extend;

    ipc_encode(&writer, IPC_CUT_SESSION, &(struct ipc_cut_session){"s", REASON_SESSION_REVOKED});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_CUT_SESSION);
    assert_int_equal(ipc_decode(IPC_CUT_SESSION, room, writer.length, &session), OK);
    assert_string_equal(session.session_id, "s");
    assert_int_equal(session.reason, REASON_SESSION_REVOKED);
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_CUT_SESSION, &(struct ipc_cut_session){NULL, REASON_SESSION_REVOKED});
    assert_int_equal(ipc_decode(IPC_CUT_SESSION, room, writer.length, &session), OK);
    assert_null(session.session_id); /* all of them */
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_CUT_SURFACE, &(struct ipc_cut_surface){4, REASON_SURFACE_KILLED});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_CUT_SURFACE);
    assert_int_equal(ipc_decode(IPC_CUT_SURFACE, room, writer.length, &surface), OK);
    assert_true(surface.surface == 4 && surface.reason == REASON_SURFACE_KILLED);
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_EXTEND, &(struct ipc_extend){"s", 1234567890123});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_EXTEND);
    assert_int_equal(ipc_decode(IPC_EXTEND, room, writer.length, &extend), OK);
    assert_string_equal(extend.session_id, "s");
    assert_true(extend.expires_at == 1234567890123);
    writer = (struct ipc_writer){.bytes = room};
    ipc_encode(&writer, IPC_EXTEND, &(struct ipc_extend){NULL, 1}); /* never all of them */
    assert_int_equal(ipc_decode(IPC_EXTEND, room, writer.length, &extend), ERROR_SYNTAX);
    for (int bare = 0; bare < 2; bare++) {
        enum ipc_type type = bare == 0 ? IPC_SWITCH : IPC_DRAIN;

        writer = (struct ipc_writer){.bytes = room};
        ipc_encode(&writer, type, NULL);
        assert_int_equal(ipc_type_of(room, writer.length), type);
        assert_int_equal(ipc_decode(type, room, writer.length, NULL), OK);
        assert_int_equal(ipc_decode(type, room, writer.length + 1, NULL), ERROR_SYNTAX);
        assert_int_equal(ipc_decode(type, room, 0, NULL), ERROR_SYNTAX);
    }
}

/* What is missing of a pair makes no message; an authority for clients may be. */
TEST(test_tls)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_tls out;

    ipc_encode(&writer, IPC_TLS,
               &(struct ipc_tls){.surface = 7, .certificate = "c", .key = "k", .client_ca = "a"});
    assert_int_equal(ipc_type_of(room, writer.length), IPC_TLS);
    assert_int_equal(ipc_decode(IPC_TLS, room, writer.length, &out), OK);
    assert_int_equal(out.surface, 7);
    assert_string_equal(out.certificate, "c");
    assert_string_equal(out.key, "k");
    assert_string_equal(out.client_ca, "a");
    writer.length = 0;
    ipc_encode(&writer, IPC_TLS, &(struct ipc_tls){.certificate = "c"});
    assert_int_equal(ipc_decode(IPC_TLS, room, writer.length, &out), ERROR_SYNTAX);
    writer.length = 0;
    ipc_encode(&writer, IPC_TLS, &(struct ipc_tls){.key = "k"});
    assert_int_equal(ipc_decode(IPC_TLS, room, writer.length, &out), ERROR_SYNTAX);
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
    union every_message message;

    switch (ipc_type_of(bytes, length)) {
#define CASE(TYPE, name)                                                                           \
    case TYPE:                                                                                     \
        if (ipc_decode(TYPE, bytes, length, &message.name) != OK)                                  \
            return false;                                                                          \
        ipc_encode(writer, TYPE, &message.name);                                                   \
        return true;
        EVERY_MESSAGE(CASE)
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
        ipc_encode(writer, IPC_ADMIT, &admit);
        break;
    case 1:
        ipc_encode(writer, IPC_VERDICT, &verdict);
        break;
    case 2:
        ipc_encode(writer, IPC_DENIED, &(struct ipc_denied){.path = "/p", .request_id = "r"});
        break;
    case 3:
        ipc_encode(writer, IPC_REFUSED, &(struct ipc_refused){.verb = "v", .target = "t"});
        break;
    case 4:
        ipc_encode(writer, IPC_CLOSED, &(struct ipc_closed){.close_code = 1});
        break;
    case 5:
        ipc_encode(writer, IPC_COUNTS, &(struct ipc_counts){.surface = 1});
        break;
    case 6:
        ipc_encode(writer, IPC_CUT_SESSION, &(struct ipc_cut_session){.session_id = "s"});
        break;
    case 7:
        ipc_encode(writer, IPC_EXTEND, &(struct ipc_extend){"s", 1});
        break;
    case 8:
        ipc_encode(writer, IPC_TLS, &(struct ipc_tls){.certificate = "c", .key = "k"});
        break;
    default:
        ipc_encode(writer, IPC_CUT_SURFACE, &(struct ipc_cut_surface){.surface = 1});
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
