#include "options.h"

#include "call.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_tokens(const char *path, struct options *options)
{
    FILE *file = fopen(path, "re");
    char line[CLIENT_TOKEN_BYTES_MAX];
    if (file == NULL) {
        (void)fprintf(stderr, "bench_load: cannot open %s: %s\n", path, strerror(errno));
        return false;
    }
    while (options->token_count < OPTIONS_TOKENS_MAX && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, " \r\n")] = '\0';
        options->tokens[options->token_count++] = strdup(line);
    }
    (void)fclose(file);
    return options->token_count > 0;
}

const char *options_token(const struct options *options, unsigned turn)
{
    return options->token_count > 0 ? options->tokens[turn % options->token_count] : NULL;
}

enum option_name {
    PORT = 1,
    SOCKET,
    TLS,
    PATH,
    TOKENS,
    TOOL,
    HTTP,
    RESULT_BYTES,
    REQUEST_BYTES,
    CONNECTIONS,
    WARMUP,
    MESSAGES,
    REFUSED,
    IDLE,
    STREAMS,
    IDLE_HTTP,
    SESSIONS,
    CONTROL,
    REVOKE,
    PIDS
};

static const struct option option_table[] = {
    {"port", required_argument, NULL, PORT},
    {"socket", required_argument, NULL, SOCKET},
    {"tls", no_argument, NULL, TLS},
    {"path", required_argument, NULL, PATH},
    {"token-file", required_argument, NULL, TOKENS},
    {"tool", required_argument, NULL, TOOL},
    {"http", no_argument, NULL, HTTP},
    {"result-bytes", required_argument, NULL, RESULT_BYTES},
    {"request-bytes", required_argument, NULL, REQUEST_BYTES},
    {"connections", required_argument, NULL, CONNECTIONS},
    {"warmup", required_argument, NULL, WARMUP},
    {"messages", required_argument, NULL, MESSAGES},
    {"refused", no_argument, NULL, REFUSED},
    {"idle", required_argument, NULL, IDLE},
    {"streams", no_argument, NULL, STREAMS},
    {"idle-http", required_argument, NULL, IDLE_HTTP},
    {"sessions", required_argument, NULL, SESSIONS},
    {"control", required_argument, NULL, CONTROL},
    {"revoke", required_argument, NULL, REVOKE},
    {"pids", required_argument, NULL, PIDS},
    {NULL, 0, NULL, 0},
};

/* A number from 1 to `most`; false on anything else. */
static bool read_number(const char *text, unsigned long most, unsigned long *out)
{
    char *end;
    *out = strtoul(text, &end, 10);
    return *end == '\0' && *text >= '0' && *text <= '9' && *out > 0 && *out <= most;
}

static bool read_count(const char *text, unsigned long most, unsigned *out)
{
    unsigned long number;
    bool read = read_number(text, most, &number);
    *out = (unsigned)number;
    return read;
}

static bool take_number(struct options *options, int name, const char *value)
{
    switch (name) {
    case PORT:
        return read_count(value, UINT16_MAX, &options->target.stream.port);
    case CONNECTIONS:
        return read_count(value, OPTIONS_CONNECTIONS_MAX, &options->connections);
    case IDLE:
        return read_count(value, OPTIONS_CONNECTIONS_MAX, &options->idle);
    case SESSIONS:
        return read_count(value, OPTIONS_CONNECTIONS_MAX, &options->sessions);
    case WARMUP:
        return read_number(value, UINT32_MAX, &options->warmup);
    case MESSAGES:
        return read_number(value, UINT32_MAX, &options->messages);
    case RESULT_BYTES:
        return read_number(value, CLIENT_REQUEST_BYTES_MAX, &options->target.result_bytes);
    case REQUEST_BYTES:
        return read_number(value, CLIENT_REQUEST_BYTES_MAX, &options->target.request_bytes) &&
               options->target.request_bytes > CALL_BYTES;
    default:
        return false;
    }
}

static bool take_text(struct options *options, int name, const char *value)
{
    switch (name) {
    case SOCKET:
        options->target.stream.socket_path = value;
        return true;
    case PATH:
        options->target.path = value;
        return true;
    case TOKENS:
        return read_tokens(value, options);
    case TOOL:
        options->target.tool = value;
        return true;
    case IDLE_HTTP:
        options->idle_http = value;
        return true;
    case CONTROL:
        options->control = value;
        return true;
    case REVOKE:
        options->revoke = value;
        return true;
    case PIDS:
        return usage_parse(value, &options->processes);
    default:
        return take_number(options, name, value);
    }
}

static bool take_option(struct options *options, int name, const char *value)
{
    switch (name) {
    case TLS:
        options->target.stream.tls = true;
        return true;
    case HTTP:
        options->target.http = true;
        return true;
    case REFUSED:
        options->refused = true;
        return true;
    case STREAMS:
        options->streams = true;
        return true;
    default:
        return take_text(options, name, value);
    }
}

bool options_read(int argc, char **argv, struct options *options)
{
    *options = (struct options){
        .load = "pings",
        .target = {.stream.port = 80, .path = "/", .tool = "echo"},
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
    if (optind < argc) {
        options->load = argv[optind++];
    }
    return optind == argc;
}
