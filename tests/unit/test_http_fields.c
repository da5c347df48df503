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
    };
    static const char *const bad[] = {
        "",
        "application/jsonp",
        "application/json-rpc",
        "application/vnd.x+json",
        "text/plain",
        "text/json",
        "application/json; charset=utf-16",
        "application/json; charset=utf-16le",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json; charset='utf-8'",
        "application/json; charset=\"utf-8",
        "application/json; charset=utf-8x",
        "application/json; charset = utf-8",
        "application/json; profile=x",
        "application/json;",
        "application/json, text/plain",
        "application/json application/json",
        "multipart/form-data; boundary=application/json",
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        if (!http_media_type_is_json(span_of(good[i])))
            fail_msg("%s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (http_media_type_is_json(span_of(bad[i])))
            fail_msg("%s", bad[i]);
    }
    assert_false(http_media_type_is_json((struct span){0}));
    assert_false(http_media_type_is_json((struct span){"application/json\0", 17}));
}
