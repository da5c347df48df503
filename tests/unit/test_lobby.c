/* Who gives way among those that were granted nothing (worker/client/lobby.h). */
#include "unit.h"

#include "worker/client/client.h"
#include "worker/client/lobby.h"

#include <stdlib.h>

#define CROWD 10

static struct worker *worker;
static struct connection connections[CROWD + 1];
static struct client clients[CROWD + 1];

static int set_up(void **state)
{
    (void)state;
    worker = calloc(1, sizeof(*worker));
    return worker != NULL && uv_loop_init(&worker->loop) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    uv_loop_close(&worker->loop);
    free(worker);
    return 0;
}

#define LOBBY_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

/* The first is user 1's, the others are user 2's; since when the broker has been asked about them.
 */
static void crowd(uint64_t first_ms, uint64_t others_ms)
{
    for (size_t i = 0; i <= CROWD; i++) {
        clients[i].asked_ms = worker_now_ms(worker) - (i == 0 ? first_ms : others_ms);
        connections[i] = (struct connection){
            .worker = worker,
            .state = CONNECTION_ASKING,
            .client = &clients[i],
            .caller_known = true,
            .caller_uid = i == 0 ? 1 : 2,
            .party = NO_PARTY,
        };
        connection_enter_lobby(&connections[i]);
    }
}

LOBBY_TEST(test_who_has_most)
{
    crowd(60000, 1000);
    assert_ptr_equal(lobby_last_in_line(worker), &connections[1]);
    connection_set_state(&connections[5], CONNECTION_LINGERING);
    assert_ptr_equal(lobby_last_in_line(worker), &connections[5]);
}

/* A crowd of which nobody goes yet takes no place of somebody else's. */
LOBBY_TEST(test_who_has_only_come)
{
    crowd(60000, 0);
    assert_null(lobby_last_in_line(worker));
    for (size_t i = 0; i <= CROWD; i++)
        clients[i].asked_ms -= 1000;
    assert_ptr_equal(lobby_last_in_line(worker), &connections[1]);
}

/* Who was asked about again is behind the others. */
LOBBY_TEST(test_who_has_waited_longest)
{
    crowd(1000, 1000);
    connection_set_state(&connections[1], CONNECTION_ASKING);
    assert_ptr_equal(lobby_last_in_line(worker), &connections[2]);
}

/* Who leaves the lobby is no longer in anybody's way. */
LOBBY_TEST(test_who_leaves)
{
    crowd(1000, 1000);
    for (size_t i = 1; i < CROWD; i++)
        connection_leave_lobby(&connections[i]);
    connection_leave_lobby(&connections[CROWD]);
    assert_ptr_equal(lobby_last_in_line(worker), &connections[0]);
    connection_leave_lobby(&connections[0]);
    assert_null(lobby_last_in_line(worker));
}

/* Beyond those that are told apart the rest are one, and nobody is lost. */
LOBBY_TEST(test_more_parties_than_places)
{
    static struct connection many[2 * LOBBY_PARTIES_MAX];
    static struct client theirs[2 * LOBBY_PARTIES_MAX];
    struct connection *last;
    size_t gone = 0;

    for (size_t i = 0; i < 2 * LOBBY_PARTIES_MAX; i++) {
        theirs[i].asked_ms = worker_now_ms(worker) - 1000;
        many[i] = (struct connection){.worker = worker,
                                      .state = CONNECTION_ASKING,
                                      .client = &theirs[i],
                                      .caller_known = true,
                                      .caller_uid = (uint32_t)i,
                                      .party = NO_PARTY};
        connection_enter_lobby(&many[i]);
    }
    while ((last = lobby_last_in_line(worker)) != NULL) {
        connection_leave_lobby(last);
        gone++;
    }
    assert_int_equal(gone, 2 * LOBBY_PARTIES_MAX);
}

LOBBY_TEST(test_nobody)
{
    assert_null(lobby_last_in_line(worker));
}
