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
            .state = CONNECTION_ASKING,
            .client = &clients[i],
            .caller_known = true,
            .caller_uid = i == 0 ? 1 : 2,
            .lobby_next = i < CROWD ? &connections[i + 1] : NULL,
        };
    }
    worker->lobby_oldest = &connections[0];
}

LOBBY_TEST(test_who_has_most)
{
    crowd(60000, 1000);
    assert_ptr_equal(lobby_last_in_line(worker), &connections[1]);
    connections[5].state = CONNECTION_LINGERING;
    assert_ptr_equal(lobby_last_in_line(worker), &connections[5]);
}

/* A crowd of which nobody goes yet takes no place of somebody else's. */
LOBBY_TEST(test_who_has_only_come)
{
    crowd(60000, 0);
    assert_null(lobby_last_in_line(worker));
    clients[CROWD].asked_ms -= 1000;
    assert_ptr_equal(lobby_last_in_line(worker), &connections[CROWD]);
}

LOBBY_TEST(test_nobody)
{
    assert_null(lobby_last_in_line(worker));
}
