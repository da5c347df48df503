/* launch/supervise/supervisor.c: what the broker may say without being taken for somebody else. */
#include "launch/supervise/supervisor.h"

#include "config/config.h"
#include "ipc/channel.h"
#include "ipc/errand.h"
#include "unit.h"

#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

static struct errand told;

/* A launcher to which the broker says that once; then it has gone; the parent has not. */
static int supervise(void)
{
    unsigned char bytes[64];
    struct ipc_writer writer = {.bytes = bytes};
    struct channel *broker = NULL;
    int ends[3][2];

    for (int i = 0; i < 3; i++) {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends[i]) < 0)
            return EX_OSERR;
    }
    errand_encode(&writer, &told);
    if (channel_create(ends[1][1], &broker) != OK || channel_send(broker, &writer, -1) != OK)
        return EX_OSERR;
    channel_destroy(broker);
    close(ends[2][1]);
    return supervisor_run(&(struct supervisor_options){
        .parent = ends[0][0], .broker = ends[1][0], .spawner = ends[2][0]});
}

/* It may have gone while that was on its way; other services are not to pay for it. */
TEST(test_one_that_has_gone_is_ended_once_more)
{
    told = (struct errand){.kind = ERRAND_END, .place = 3};
    assert_int_equal(unit_status_of(supervise), EX_OK);
}

TEST(test_what_nobody_of_ours_says)
{
    told = (struct errand){.kind = ERRAND_END, .place = CONFIG_SLOTS_MAX};
    assert_int_equal(unit_status_of(supervise), EX_SOFTWARE);
    told = (struct errand){.kind = ERRAND_START, .place = 3, .text = "one"};
    assert_int_equal(unit_status_of(supervise), EX_SOFTWARE);
}

/* A parent that is there, and hands over what cannot be read: no reason to end without a word. */
static int supervise_unread(void)
{
    const struct errand errand = {.kind = ERRAND_CONFIG};
    unsigned char bytes[64];
    struct ipc_writer writer = {.bytes = bytes};
    struct channel *parent = NULL;
    int ends[3][2], unread[2];

    for (int i = 0; i < 3; i++) {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends[i]) < 0)
            return EX_OSERR;
    }
    errand_encode(&writer, &errand);
    if (pipe(unread) < 0 || channel_create(ends[0][1], &parent) != OK ||
        channel_send(parent, &writer, unread[0]) != OK)
        return EX_OSERR;
    return supervisor_run(&(struct supervisor_options){
        .parent = ends[0][0], .broker = ends[1][0], .spawner = ends[2][0]});
}

TEST(test_a_failure_is_not_an_end)
{
    assert_int_equal(unit_status_of(supervise_unread), EX_SOFTWARE);
}
