#include "options.h"

#include "call.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_token(const char *path, struct options *options)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)fprintf(stderr, "bench_load: cannot open %s: %s\n", path, strerror(errno));
        return false;
    }
    size_t length = fread(options->token, 1, sizeof options->token - 1, file);
    (void)fclose(file);
    options->token[length] = '\0';
    options->token[strcspn(options->token, "\r\n")] = '\0';
    options->target.token = options->token;
    return true;
}

enum option_name {
    PORT = 1,
    SOCKET,
    PATH,
    TOKEN,
    TOOL,
    CONNECTIONS,
    WARMUP,
    MESSAGES,
    IDLE,
    STREAMS,
    HTTP,
    RESULT_BYTES,
    REQUEST_BYTES,
    PIDS,
    PROBE,
    FREE_PORTS
};

static const struct option option_table[] = {
    {"port", required_argument, NULL, PORT},
    {"socket", required_argument, NULL, SOCKET},
    {"path", required_argument, NULL, PATH},
    {"token-file", required_argument, NULL, TOKEN},
    {"tool", required_argument, NULL, TOOL},
    {"connections", required_argument, NULL, CONNECTIONS},
    {"warmup", required_argument, NULL, WARMUP},
    {"messages", required_argument, NULL, MESSAGES},
    {"idle", required_argument, NULL, IDLE},
    {"streams", no_argument, NULL, STREAMS},
    {"http", no_argument, NULL, HTTP},
    {"result-bytes", required_argument, NULL, RESULT_BYTES},
    {"request-bytes", required_argument, NULL, REQUEST_BYTES},
    {"pids", required_argument, NULL, PIDS},
    {"probe", no_argument, NULL, PROBE},
    {"free-ports", required_argument, NULL, FREE_PORTS},
    {NULL, 0, NULL, 0},
};

/* A number from 1 to `most`; false on anything else. */
static bool read_number(const char *text, unsigned long most, unsigned long *out)
{
    char *end;
    *out = strtoul(text, &end, 10);
    return *end == '\0' && *text >= '0' && *text <= '9' && *out > 0 && *out <= most;
}

static bool take_number(struct options *options, int name, const char *value)
{
    unsigned long number = 0;
    unsigned long most = name == CONNECTIONS || name == IDLE ? OPTIONS_CONNECTIONS_MAX
                         : name == PORT                      ? UINT16_MAX
                         : name == REQUEST_BYTES             ? CLIENT_REQUEST_BYTES_MAX
                         : name == FREE_PORTS                ? OPTIONS_FREE_PORTS_MAX
                                                             : 100000000;
    if (!read_number(value, most, &number)) {
        return false;
    }
    switch (name) {
    case PORT:
        options->target.port = (unsigned)number;
        return true;
    case CONNECTIONS:
        options->connections = (unsigned)number;
        return true;
    case WARMUP:
        options->warmup = number;
        return true;
    case MESSAGES:
        options->messages = number;
        return true;
    case IDLE:
        options->idle = (unsigned)number;
        return true;
    case RESULT_BYTES:
        options->target.result_bytes = number;
        return true;
    case REQUEST_BYTES:
        options->target.request_bytes = number;
        return number > CALL_BYTES;
    case FREE_PORTS:
        options->free_ports = (unsigned)number;
        return true;
    default:
        return false;
    }
}

static bool take_option(struct options *options, int name, const char *value)
{
    switch (name) {
    case SOCKET:
        options->target.socket_path = value;
        return true;
    case PATH:
        options->target.path = value;
        return true;
    case TOKEN:
        return read_token(value, options);
    case TOOL:
        options->target.tool = value;
        return true;
    case PIDS:
        return usage_parse(value, &options->processes);
    case HTTP:
        options->target.http = true;
        return true;
    case STREAMS:
        options->streams = true;
        return true;
    case PROBE:
        options->probe = true;
        return true;
    default:
        return take_number(options, name, value);
    }
}

bool options_read(int argc, char **argv, struct options *options)
{
    *options = (struct options){
        .target = {.port = 80, .path = "/", .tool = "echo"},
        .connections = 1,
        .warmup = 1,
        .messages = 1,
    };
    int name;
    while ((name = getopt_long(argc, argv, "", option_table, NULL)) != -1) {
        if (name == '?' || !take_option(options, name, optarg)) {
            return false;
        }
    }
    return true;
}
