/*
 * What the load generator is told to do:
 *
 *   bench_load [TARGET] [--connections N] [--warmup N] [--messages N] [--idle N [--streams]]
 *              [--pids LIST]
 *   bench_load [TARGET] --probe
 *   bench_load --free-ports N
 *
 * TARGET: --port P | --socket PATH, --path PATH, --token-file FILE, --tool NAME,
 *         --http, --result-bytes N, --request-bytes N.
 */
#pragma once

#include "client.h"
#include "usage.h"

#define OPTIONS_CONNECTIONS_MAX 8192
#define OPTIONS_FREE_PORTS_MAX  16

struct options {
    struct client_target target;
    char token[CLIENT_TOKEN_BYTES_MAX]; /* target.token, once it is read */
    unsigned connections;
    unsigned idle;
    bool streams; /* the idle ones are streams of events */
    unsigned long warmup;
    unsigned long messages;
    struct usage_processes processes;
    bool probe;
    unsigned free_ports; /* 0: none are asked for */
};

/* Fills `options`, which then points into itself; false on a bad option or value. */
bool options_read(int argc, char **argv, struct options *options);
