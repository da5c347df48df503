/*
 * What the load generator is told to do:
 *
 *   bench_load [pings] [TARGET] [--connections N] [--warmup N] [--messages N] [--refused]
 *              [--idle N [--streams]] [--pids LIST]
 *   bench_load handshakes [TARGET] [--warmup N] [--messages N] [--idle N [--idle-http PATH]]
 *              [--pids LIST]
 *   bench_load mcp-sessions [TARGET] --sessions N [--connections N] [--warmup N] [--messages N]
 *              [--pids LIST]
 *   bench_load ends [TARGET] [--connections N] --control SOCKET --revoke ID
 *   bench_load probe [TARGET]
 *   bench_load free-ports --connections N
 *
 * TARGET: --port P | --socket PATH, --tls, --path PATH, --token-file FILE, --tool NAME,
 *         --http, --result-bytes N, --request-bytes N.
 *
 * A file of tokens has one a line, which ends with the first blank; the connections take
 * turns. What each load does is said where it is: pings.c, rare.c, main.c.
 */
#pragma once

#include "client.h"
#include "usage.h"

#define OPTIONS_CONNECTIONS_MAX 16384
#define OPTIONS_TOKENS_MAX      16384

struct options {
    const char *load; /* its name */
    struct client_target target;
    char *tokens[OPTIONS_TOKENS_MAX]; /* owned, until the process ends */
    unsigned token_count;
    unsigned connections;
    unsigned idle;
    bool streams; /* the idle ones are streams of events */
    const char
        *idle_http;    /* they are HTTP connections that ask for this path; NULL: they are not */
    bool refused;      /* every request is */
    unsigned sessions; /* MCP sessions */
    unsigned long warmup;
    unsigned long messages;
    struct usage_processes processes;
    const char *control; /* the gate's control socket */
    const char *revoke;  /* a session's id */
};

/* Fills `options`; false on a bad option or value. */
bool options_read(int argc, char **argv, struct options *options);

/* The token whose turn it is; NULL: there are none. */
const char *options_token(const struct options *options, unsigned turn);
