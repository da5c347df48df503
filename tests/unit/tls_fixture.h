/*
 * A client that speaks TLS and the gate's side of it, in one thread: turn()
 * gives the gate its turn. Include it in one file of a test program only.
 */
#pragma once

#include "system/authority.h"
#include "unit.h"
#include "worker/client/endpoint.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define TURNS_MAX   20000
#define TURNS_QUIET 64 /* turns in which nothing happens: nothing more will */

static struct authority_pair authority, server, client_pair;

/* One client and the gate's side of it. */
static struct {
    uv_loop_t loop;
    struct endpoints endpoints;
    struct ssl_ctx_st *context;
    struct endpoint gate;
    bool gate_open, ended;
    SSL_CTX *client_context;
    SSL *client;
    int client_fd;
    bool ready;
    enum tls_stage failure; /* 0: none */
    char certificate[SHA256_HEX_SIZE];
    /* What the gate's side does when its endpoint is ready; NULL: nothing. */
    void (*act)(int status, int events);
} world;

static inline void on_secured(struct endpoint *endpoint, enum tls_stage stage)
{
    assert_ptr_equal(endpoint, &world.gate);
    assert_false(world.ready);
    assert_int_equal(world.failure, 0);
    world.ready = stage == TLS_OPEN;
    if (!world.ready)
        world.failure = stage;
    else if (!tls_peer(endpoint->tls, world.certificate))
        world.certificate[0] = '\0';
}

static inline void on_ready(struct endpoint *endpoint, int status, int events)
{
    assert_ptr_equal(endpoint, &world.gate);
    if (world.act != NULL)
        world.act(status, events);
}

static inline void on_closed(struct endpoint *endpoint)
{
    assert_ptr_equal(endpoint, &world.gate);
    assert_false(world.ended);
    world.ended = true;
}

static inline int make_certificates(void **state)
{
    char localhost[] = "localhost", *items[] = {localhost};
    struct text_list names = {.items = items, .count = 1};
    struct authority_request request = {.use = AUTHORITY_SERVER,
                                        .subject = "server",
                                        .names = &names,
                                        .now = (int64_t)time(NULL),
                                        .days = 1};

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (authority_create("Test", request.now, 2, &authority) != OK ||
        authority_issue(&authority, &request, &server) != OK)
        return -1;
    request.use = AUTHORITY_CLIENT;
    request.subject = "a client";
    return authority_issue(&authority, &request, &client_pair) == OK ? 0 : -1;
}

static inline int drop_certificates(void **state)
{
    (void)state;
    authority_pair_clear(&authority);
    authority_pair_clear(&server);
    authority_pair_clear(&client_pair);
    return 0;
}

static inline void begin(bool ask, bool required)
{
    struct tls_context_options rules = {.certificate = server.certificate.data,
                                        .key = server.key.data,
                                        .client_ca = ask ? authority.certificate.data : NULL,
                                        .client_required = required};
    int pair[2];

    memset(&world, 0, sizeof(world));
    assert_int_equal(uv_loop_init(&world.loop), 0);
    world.endpoints.loop = &world.loop;
    assert_int_equal(tls_context_prepare(), OK);
    assert_int_equal(tls_context_create(&rules, &world.context), OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    world.client_fd = pair[1];
    world.gate.ready = on_ready;
    world.gate.closed = on_closed;
    world.gate.secured = on_secured;
    assert_int_equal(endpoint_open(&world.gate, &world.endpoints, pair[0]), OK);
    world.gate_open = true;
    endpoint_watch(&world.gate, UV_READABLE);
    assert_int_equal(endpoint_secure(&world.gate, world.context), OK);
    world.client_context = SSL_CTX_new(TLS_client_method());
    world.client = SSL_new(world.client_context);
    SSL_set_fd(world.client, world.client_fd);
    SSL_set_connect_state(world.client);
    SSL_set_mode(world.client, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static inline void turn(void)
{
    uv_run(&world.loop, UV_RUN_NOWAIT);
    ERR_clear_error();
}

static inline void close_gate(void)
{
    if (world.gate_open)
        endpoint_close(&world.gate);
    world.gate_open = false;
}

static inline void hang_up(void)
{
    if (world.client_fd >= 0)
        close(world.client_fd);
    world.client_fd = -1;
}

static inline void finish(void)
{
    close_gate();
    endpoints_end(&world.endpoints);
    turn();
    assert_true(world.ended);
    hang_up();
    SSL_free(world.client);
    SSL_CTX_free(world.client_context);
    tls_context_destroy(world.context);
    assert_int_equal(uv_loop_close(&world.loop), 0);
}

/* 1: the handshake is done on the client's side; -1: it failed. */
static inline int shake(void)
{
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        int result = SSL_do_handshake(world.client), error;

        if (result == 1) {
            for (unsigned j = 0; j < TURNS_QUIET && !world.ready && world.failure == 0; j++)
                turn();
            return 1;
        }
        error = SSL_get_error(world.client, result);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return -1;
        turn();
    }
    return -1;
}

static inline void expect_ready(void)
{
    assert_int_equal(shake(), 1);
    assert_true(world.ready);
    assert_int_equal(world.failure, 0);
}
