/* The load generator: options.h says how it is called. A load prints one line of name=value. */
#include "loads.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FREE_PORTS_MAX 16

/* One connection and one call: the HTTP status, and `result` or `error` if the answer is one. */
static bool probe(const struct options *options)
{
    struct client client;
    enum client_event event = CLIENT_DENIED;
    if (client_open(&client, &options->target, options_token(options, 0), 0)) {
        event = client_call(&client);
    }
    const char *what = event == CLIENT_ANSWERED  ? " result"
                       : event == CLIENT_REFUSED ? " error"
                       : event == CLIENT_FAILED  ? " nothing"
                                                 : "";
    (void)printf("%u%s\n", client.status, what);
    client_close(&client);
    return client.status != 0;
}

/* Ports that were free a moment ago: held together, so that they differ. */
static bool print_free_ports(const struct options *options)
{
    int held[FREE_PORTS_MAX];
    unsigned open = 0;
    bool done = options->connections <= FREE_PORTS_MAX;
    for (; done && open < options->connections; open++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        held[open] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        done = held[open] >= 0 &&
               bind(held[open], (const struct sockaddr *)&address, length) == 0 &&
               getsockname(held[open], (struct sockaddr *)&address, &length) == 0;
        (void)printf("%u\n", ntohs(address.sin_port));
    }
    while (open > 0) {
        (void)close(held[--open]);
    }
    return done;
}

int main(int argc, char **argv)
{
    static struct options options;
    static const struct {
        const char *name;
        bool (*run)(const struct options *options);
    } loads[] = {
        {"pings", load_pings},
        {"handshakes", load_handshakes},
        {"mcp-sessions", load_mcp_sessions},
        {"ends", load_ends},
        {"probe", probe},
        {"free-ports", print_free_ports},
    };
    if (options_read(argc, argv, &options)) {
        for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
            if (strcmp(options.load, loads[i].name) == 0) {
                return loads[i].run(&options) ? 0 : 1;
            }
        }
    }
    (void)fprintf(stderr, "bench_load: a bad option or value: see options.h\n");
    return 64;
}
