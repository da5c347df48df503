#include "crowd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define STALL_MS 10000

bool crowd_create(struct crowd *crowd, const struct options *options, unsigned room)
{
    *crowd =
        (struct crowd){.options = options, .epoll = epoll_create1(EPOLL_CLOEXEC), .room = room};
    crowd->clients = calloc(room, sizeof *crowd->clients);
    return crowd->epoll >= 0 && crowd->clients != NULL;
}

void crowd_destroy(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->opened; i++) {
        client_close(&crowd->clients[i]);
    }
    free(crowd->clients);
    if (crowd->epoll >= 0) {
        (void)close(crowd->epoll);
    }
}

bool crowd_open(struct crowd *crowd, const struct client_target *target, unsigned count)
{
    for (unsigned i = 0; i < count && crowd->opened < crowd->room; i++) {
        struct client *client = &crowd->clients[crowd->opened];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        const char *token = options_token(crowd->options, crowd->opened);
        if (!client_open(client, target, token, crowd->opened) ||
            epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, client->stream.fd, &event) != 0) {
            (void)fprintf(stderr, "bench_load: connection %u was answered with %u\n", crowd->opened,
                          client->status);
            return false;
        }
        crowd->opened++;
    }
    return true;
}

bool crowd_send(const struct crowd *crowd, struct client *client)
{
    if (crowd->sessions != NULL) {
        unsigned tokens = crowd->options->token_count;
        unsigned long turn = (unsigned long)(client - crowd->clients) % tokens;
        unsigned long round = client->id % (crowd->options->sessions / tokens);
        memcpy(client->session, crowd->sessions[turn + round * tokens], sizeof client->session);
    }
    return client_send(client);
}

int crowd_wait(const struct crowd *crowd, struct epoll_event *events, int most)
{
    int count;
    do {
        count = epoll_wait(crowd->epoll, events, most, STALL_MS);
    } while (count < 0 && errno == EINTR);
    if (count == 0) {
        (void)fprintf(stderr, "bench_load: nothing for %d ms\n", STALL_MS);
        return -1;
    }
    return count;
}
