/* Ids in the place of others within a message. */
#include "launch/relay/splice.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct json_scan *scan;

static struct rpc read_message(char *text)
{
    struct rpc rpc = {.kind = RPC_OTHER};

    assert_int_equal(rpc_read(scan, text, strlen(text), &rpc), OK);
    return rpc;
}

static void check(struct span text, struct splice one, struct splice other, const char *wanted)
{
    struct buffer out;

    buffer_init(&out, 4096);
    splice_write(&out, text, one, other);
    assert_string_equal(out.data, wanted);
    buffer_clear(&out);
}

TEST(test_in_either_order)
{
    char text[] =
        "{\"params\":{\"_meta\":{\"progressToken\":\"t\"}},\"id\":\"a\",\"method\":\"m\"}";
    char other[] = "{\"id\":7,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":0}}}";
    struct rpc rpc = read_message(text);

    check(span_of(text), (struct splice){rpc.id, "1"},
          (struct splice){splice_asked_token(scan), "1"},
          "{\"params\":{\"_meta\":{\"progressToken\":1}},\"id\":1,\"method\":\"m\"}");
    rpc = read_message(other);
    check(span_of(other), (struct splice){rpc.id, "21"},
          (struct splice){splice_asked_token(scan), "21"},
          "{\"id\":21,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":21}}}");
}

TEST(test_what_is_not_there_stays_so)
{
    char text[] = "{\"id\":7,\"method\":\"m\",\"params\":{\"arguments\":{\"progressToken\":5}}}";
    struct rpc rpc = read_message(text);

    assert_null(splice_asked_token(scan).data);
    check(span_of(text), (struct splice){rpc.id, "1"}, (struct splice){{NULL, 0}, "1"},
          "{\"id\":1,\"method\":\"m\",\"params\":{\"arguments\":{\"progressToken\":5}}}");
    check(span_of(text), (struct splice){{NULL, 0}, NULL}, (struct splice){{NULL, 0}, NULL}, text);
}

TEST(test_whose_a_notification_is)
{
    char progress[] = "{\"method\":\"p\",\"params\":{\"progressToken\":12,\"progress\":1}}";
    char changed[] = "{\"method\":\"c\",\"params\":{\"_meta\":{"
                     "\"io.modelcontextprotocol/subscriptionId\":\"s\"}}}";
    char odd[] = "{\"method\":\"p\",\"params\":{\"progressToken\":{\"a\":1}}}";

    (void)read_message(progress);
    assert_true(span_equals(splice_told_token(scan), "12"));
    assert_null(splice_subscription(scan).data);
    (void)read_message(changed);
    assert_true(span_equals(splice_subscription(scan), "\"s\""));
    (void)read_message(odd);
    assert_null(splice_told_token(scan).data);
}

static int begin(void **state)
{
    (void)state;
    return json_scan_create(&scan) == OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    json_scan_destroy(scan);
    return 0;
}

CMFixtureFunction unit_set_up = begin, unit_tear_down = end;
