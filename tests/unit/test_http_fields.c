/* http_fields.c: media types; the rest is tested through requests and responses. */
#include "wire/http_fields.h"

#include "unit.h"

#include <stdint.h>
#include <string.h>

TEST(test_media_types)
{
    static const char *const good[] = {
        "text/event-stream",
        "Text/Event-STREAM",
        " text/event-stream\t",
        "text/event-stream;charset=utf-8",
        "text/event-stream \t; charset=latin1; x",
        "text/event-stream;",
    };
    static const char *const bad[] = {
        "",
        "text/event-streams",
        "text/event-strea",
        "text/event-stream, text/html",
        "text/event-stream charset=utf-8",
        "; text/event-stream",
        "application/json; text/event-stream",
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        if (!http_media_type_is(span_of(good[i]), "text/event-stream"))
            fail_msg("%s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (http_media_type_is(span_of(bad[i]), "text/event-stream"))
            fail_msg("%s", bad[i]);
    }
    assert_false(http_media_type_is((struct span){0}, "text/event-stream"));
    assert_false(http_media_type_is((struct span){"text/html\0", 10}, "text/html"));
}

TEST(test_json_types)
{
    static const char *const good[] = {
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/json ; Charset=\"UTF-8\"",
        " application/json\t",
        "application/json; charset=utf-8 ",
        "application/json; charset=utf8",
        "application/json;",
        "application/json; ",
        "application/json;; charset=utf-8 ;",
        "application/json; profile=x",
        "application/json;odata.metadata=minimal;charset=utf-8",
        "application/json; charset=utf-8; charset=\"UTF-8\"",
        "application/json; x=\"a;\\\"b, charset=utf-16\"",
    };
    static const struct {
        const char *value;
        enum reason reason;
    } bad[] = {
        {"", REASON_TYPE_OTHER},
        {";charset=utf-8", REASON_TYPE_OTHER},
        {"application/jsonp", REASON_TYPE_OTHER},
        {"application/json-rpc", REASON_TYPE_OTHER},
        {"application/vnd.x+json", REASON_TYPE_OTHER},
        {"text/plain", REASON_TYPE_OTHER},
        {"text/json", REASON_TYPE_OTHER},
        {"application/json, text/plain", REASON_TYPE_OTHER},
        {"application/json application/json", REASON_TYPE_OTHER},
        {"multipart/form-data; boundary=application/json", REASON_TYPE_OTHER},
        {"application/json; charset=utf-16", REASON_TYPE_CHARSET},
        {"application/json; charset=utf-16le", REASON_TYPE_CHARSET},
        {"application/json; charset=us-ascii", REASON_TYPE_CHARSET},
        {"application/json; charset=utf-8; charset=utf-16", REASON_TYPE_CHARSET},
        {"application/json; charset=\"utf-16\"; charset=utf-8", REASON_TYPE_CHARSET},
        {"application/json; charset='utf-8'", REASON_TYPE_CHARSET},
        {"application/json; charset=\"utf-8 \"", REASON_TYPE_CHARSET},
        {"application/json; charset=\"\\utf-8\"", REASON_TYPE_CHARSET},
        {"application/json; charset=\"\"", REASON_TYPE_CHARSET},
        {"application/json; charset=utf-8x", REASON_TYPE_CHARSET},
        {"application/json; charset=\"utf-8", REASON_TYPE_PARAMETER},
        {"application/json; charset=\"utf-8\\\"", REASON_TYPE_PARAMETER},
        {"application/json; charset=utf-8 x", REASON_TYPE_PARAMETER},
        {"application/json; charset = utf-8", REASON_TYPE_PARAMETER},
        {"application/json; charset=", REASON_TYPE_PARAMETER},
        {"application/json; charset", REASON_TYPE_PARAMETER},
        {"application/json; =utf-8", REASON_TYPE_PARAMETER},
        {"application/json; charset=utf-8, text/plain", REASON_TYPE_PARAMETER},
        {"application/json; x=\"a\"b", REASON_TYPE_PARAMETER},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        if (!reason_allows(http_media_type_json(span_of(good[i]))))
            fail_msg("%s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        enum reason reason = http_media_type_json(span_of(bad[i].value));

        if (reason != bad[i].reason)
            fail_msg("%s: %s", bad[i].value, reason_info(reason)->text);
    }
    assert_int_equal(http_media_type_json((struct span){0}), REASON_TYPE_MISSING);
    assert_int_equal(http_media_type_json((struct span){"application/json\0", 17}),
                     REASON_TYPE_OTHER);
}
