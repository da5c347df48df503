/* upgrade.c: the service's 101, in one piece and byte by byte, and everything that is none. */
#include "worker/websocket/upgrade.h"

#include "unit.h"

#include <string.h>

#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define HEAD                                                                                       \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Accept: " ACCEPT "\r\n"
#define TICKET "sidelock.ticket.abc"

struct upgrade_case {
    const char *response;
    enum http_progress progress;
    enum reason reason;      /* with HTTP_FAULT */
    const char *subprotocol; /* with HTTP_COMPLETE: what the client is answered */
    const char *rest;
};

static struct upgrade *offering(const char *offer)
{
    struct ipc_verdict verdict = {.accept = ACCEPT, .offer = offer};
    struct upgrade *upgrade = upgrade_create(&verdict, TICKET);

    assert_non_null(upgrade);
    return upgrade;
}

static enum http_progress feed(struct upgrade *upgrade, const char *response, size_t piece,
                               enum reason *reason)
{
    enum http_progress progress = HTTP_MORE;
    size_t length = strlen(response);

    for (size_t at = 0; at < length && progress == HTTP_MORE; at += piece)
        progress = upgrade_read(upgrade, (const unsigned char *)response + at,
                                length - at < piece ? length - at : piece, reason);
    return progress;
}

static void check(const char *offer, const struct upgrade_case *expected)
{
    size_t length = strlen(expected->response), pieces[] = {1, 7, length};

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct upgrade *upgrade = offering(offer);
        enum reason reason = REASON_ALLOWED;

        assert_int_equal(feed(upgrade, expected->response, pieces[i], &reason), expected->progress);
        if (expected->progress == HTTP_FAULT)
            assert_int_equal(reason, expected->reason);
        if (expected->progress == HTTP_COMPLETE) {
            assert_string_equal(upgrade_subprotocol(upgrade), expected->subprotocol);
            /* What follows comes with the head only where one read brings both. */
            if (pieces[i] == length)
                assert_memory_equal(upgrade_rest(upgrade).data, expected->rest,
                                    strlen(expected->rest));
        }
        upgrade_destroy(upgrade);
    }
}

TEST(test_nothing_offered)
{
    static const struct upgrade_case cases[] = {
        {HEAD "\r\n", HTTP_COMPLETE, REASON_ALLOWED, TICKET, ""},
        {HEAD "\r\n\x81\x02hi", HTTP_COMPLETE, REASON_ALLOWED, TICKET, "\x81\x02hi"},
        {HEAD, HTTP_MORE, REASON_ALLOWED, NULL, NULL},
        {HEAD "Sec-WebSocket-Protocol: mcp\r\n\r\n", HTTP_FAULT, REASON_UPGRADE_SUBPROTOCOL, NULL,
         NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check("", &cases[i]);
}

TEST(test_one_of_those_offered_or_none)
{
    static const struct upgrade_case cases[] = {
        {HEAD "Sec-WebSocket-Protocol: mcp\r\n\r\n", HTTP_COMPLETE, REASON_ALLOWED, "mcp", ""},
        {HEAD "\r\n", HTTP_COMPLETE, REASON_ALLOWED, "", ""},
        {HEAD "Sec-WebSocket-Protocol: mc\r\n\r\n", HTTP_FAULT, REASON_UPGRADE_SUBPROTOCOL, NULL,
         NULL},
        {HEAD "Sec-WebSocket-Protocol: chat, mcp\r\n\r\n", HTTP_FAULT, REASON_UPGRADE_SUBPROTOCOL,
         NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check("chat, mcp", &cases[i]);
}

TEST(test_refusals)
{
    static const struct upgrade_case cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP_FAULT, REASON_UPGRADE_STATUS, NULL,
         NULL},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
         HTTP_FAULT, REASON_UPGRADE_HANDSHAKE, NULL, NULL},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
         HTTP_FAULT, REASON_UPGRADE_HANDSHAKE, NULL, NULL},
        {"HTTP/1.0 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
         HTTP_FAULT, REASON_UPGRADE_HANDSHAKE, NULL, NULL},
        {HEAD "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", HTTP_FAULT,
         REASON_UPGRADE_EXTENSION, NULL, NULL},
        {"nonsense\r\n\r\n", HTTP_FAULT, REASON_ANSWER_HEAD, NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check("mcp", &cases[i]);
}
