/*
 * One tree, for tests: starts what stands behind `--`, says what happens as JSON on standard
 * output, a line an event, and does what it is told on standard input:
 *
 *     expose PORT PATH    from now on whoever connects to the Unix socket PATH reaches the port
 *     dial PORT COUNT     connects so often, one after the other, and says how long that took
 *     list                says which ports there are
 *     signal NUMBER       to the service's first process
 *     kill
 *
 *     sidelock_launch [--connect-port PORT|none]... [--refuse-network NETWORK]... [--no-udp]
 *         [--directory PATH] [--execute FILE]... [--hide PATH]...
 *         [--libraries PATH]... [--listeners COUNT] [--seal] [--uid UID] [--write PATH]...
 *         [--write-nothing] -- COMMAND...
 */
#include "launch/keeper/spawner.h"
#include "launch/launcher.h"

#include "base/buffer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES  4096
#define DIALS_MAX_COUNT 100000
#define LIST_MAX        32

static struct list {
    char *items[LIST_MAX + 1];
    size_t count;
} hidden, executables, libraries, writes;

static uv_loop_t *loop;
static struct launcher *launcher;
static struct tree *tree;
static uint64_t killed_at;

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

/* ---- events ---- */

static void on_started(void *data, const struct proof *proof, pid_t pid)
{
    struct proof_found found;
    char held[FENCE_NAMES_SIZE];

    (void)data;
    proof_judge(proof, pid, FENCES_ALL, &found);
    if (proof->status >= 0)
        close(proof->status);
    printf("{\"event\":\"started\",\"held\":\"%s\"}\n", fence_kinds_print(found.held, held));
}

static void on_port(void *data, const struct port *port)
{
    char address[INET6_ADDRSTRLEN];

    (void)data;
    inet_ntop(AF_INET6, port->address, address, sizeof(address));
    printf("{\"event\":\"port\",\"protocol\":\"%s\",\"address\":\"%s\",\"port\":%u,\"program\":"
           "\"%s\"}\n",
           port->protocol == IPPROTO_TCP ? "tcp" : "udp", address, port->number, port->program);
}

static void on_refused(void *data, const struct refusal *refusal)
{
    (void)data;
    printf("{\"event\":\"refused\",\"call\":%u,\"family\":%u,\"type\":%u,\"protocol\":%u,"
           "\"error\":\"%s\",\"program\":\"%s\",\"path\":\"%s\",\"port\":%u}\n",
           refusal->call, refusal->family, refusal->type, refusal->protocol,
           strerrorname_np(refusal->error), refusal->program, refusal->path, refusal->port);
}

static void on_listed(void *data)
{
    (void)data;
    printf("{\"event\":\"listed\"}\n");
}

static void on_ended(void *data, int status, const char *why)
{
    struct buffer shown;

    (void)data;
    buffer_init(&shown, LINE_MAX_BYTES);
    buffer_append_json_string(&shown, why, strlen(why));
    printf("{\"event\":\"ended\",\"code\":%d,\"signal\":%d,\"why\":%s,\"killedUs\":%llu}\n",
           WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
           shown.data, killed_at == 0 ? 0 : (unsigned long long)(now_us() - killed_at));
    exit(EXIT_SUCCESS);
}

/* ---- dial ---- */

static struct {
    unsigned port, count, done;
    uint64_t began_us;
    uint64_t *taken_us;
} dialing;

static void dial_next(void);

static int compare(const void *left, const void *right)
{
    uint64_t l = *(const uint64_t *)left, r = *(const uint64_t *)right;

    return l < r ? -1 : l > r;
}

static void tell_dials(void)
{
    qsort(dialing.taken_us, dialing.count, sizeof(dialing.taken_us[0]), compare);
    printf("{\"event\":\"dialed\",\"count\":%u,\"p50Us\":%llu,\"p99Us\":%llu,\"maxUs\":%llu}\n",
           dialing.count, (unsigned long long)dialing.taken_us[dialing.count / 2],
           (unsigned long long)dialing.taken_us[dialing.count * 99 / 100],
           (unsigned long long)dialing.taken_us[dialing.count - 1]);
}

static void on_dialed(void *data, int fd, int error)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    socklen_t length = sizeof(error);

    (void)data;
    if (fd >= 0 && poll(&writable, 1, 5000) == 1)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
        printf("{\"event\":\"dialed\",\"error\":\"%s\"}\n", strerrorname_np(error));
        if (fd >= 0)
            close(fd);
        return;
    }
    dialing.taken_us[dialing.done++] = now_us() - dialing.began_us;
    close(fd);
    if (dialing.done == dialing.count)
        tell_dials();
    else
        dial_next();
}

static void dial_next(void)
{
    dialing.began_us = now_us();
    if (tree_dial(tree, (uint16_t)dialing.port, on_dialed, NULL) != OK)
        printf("{\"event\":\"dialed\",\"error\":\"EAGAIN\"}\n");
}

/* ---- expose: bytes from one socket to the other ---- */

struct exposed {
    uv_pipe_t listener;
    uint16_t port;
};

struct end;
struct pair {
    struct end {
        uv_stream_t *stream;
        union {
            uv_pipe_t pipe;
            uv_tcp_t tcp;
        } as;
        struct pair *pair;
        struct end *other;
    } client, service;
    unsigned open, ended;
};

static void on_end_closed(uv_handle_t *handle)
{
    struct end *end = handle->data;

    if (--end->pair->open == 0)
        free(end->pair);
}

static void close_pair(struct pair *pair)
{
    if (!uv_is_closing((uv_handle_t *)pair->client.stream))
        uv_close((uv_handle_t *)pair->client.stream, on_end_closed);
    if (pair->service.stream != NULL && !uv_is_closing((uv_handle_t *)pair->service.stream))
        uv_close((uv_handle_t *)pair->service.stream, on_end_closed);
}

static void on_allocate(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    (void)handle;
    out->base = malloc(size);
    out->len = size;
}

static void on_written(uv_write_t *request, int status)
{
    (void)status;
    free(request->data);
    free(request);
}

static void on_shut(uv_shutdown_t *request, int status)
{
    struct pair *pair = request->data;

    free(request);
    if (status != 0 || pair->ended == 2)
        close_pair(pair);
}

static void on_bytes(uv_stream_t *stream, ssize_t length, const uv_buf_t *bytes)
{
    struct end *end = stream->data;

    if (length > 0) {
        uv_write_t *request = malloc(sizeof(*request));
        uv_buf_t piece = uv_buf_init(bytes->base, (unsigned)length);

        request->data = bytes->base;
        if (uv_write(request, end->other->stream, &piece, 1, on_written) == 0)
            return;
        free(request);
    } else if (length == UV_EOF) {
        uv_shutdown_t *request = malloc(sizeof(*request));

        request->data = end->pair;
        end->pair->ended++;
        if (uv_shutdown(request, end->other->stream, on_shut) != 0) {
            free(request);
            close_pair(end->pair);
        }
    } else if (length < 0) {
        close_pair(end->pair);
    }
    free(bytes->base);
}

static void on_pair_dialed(void *data, int fd, int error)
{
    struct pair *pair = data;

    if (error != 0) {
        close_pair(pair);
        return;
    }
    uv_tcp_init(loop, &pair->service.as.tcp);
    uv_tcp_open(&pair->service.as.tcp, fd);
    pair->service.stream = (uv_stream_t *)&pair->service.as.tcp;
    pair->service.stream->data = &pair->service;
    pair->open++;
    uv_read_start(pair->client.stream, on_allocate, on_bytes);
    uv_read_start(pair->service.stream, on_allocate, on_bytes);
}

static void on_client(uv_stream_t *listener, int status)
{
    struct exposed *exposed = listener->data;
    struct pair *pair = calloc(1, sizeof(*pair));

    (void)status;
    pair->open = 1;
    pair->client.pair = pair->service.pair = pair;
    pair->client.other = &pair->service;
    pair->service.other = &pair->client;
    pair->client.stream = (uv_stream_t *)&pair->client.as.pipe;
    uv_pipe_init(loop, &pair->client.as.pipe, 0);
    pair->client.stream->data = &pair->client;
    if (uv_accept(listener, pair->client.stream) != 0 ||
        tree_dial(tree, exposed->port, on_pair_dialed, pair) != OK)
        close_pair(pair);
}

static void expose(unsigned port, const char *path)
{
    struct exposed *exposed = calloc(1, sizeof(*exposed));

    exposed->port = (uint16_t)port;
    uv_pipe_init(loop, &exposed->listener, 0);
    exposed->listener.data = exposed;
    if (uv_pipe_bind(&exposed->listener, path) != 0 ||
        uv_listen((uv_stream_t *)&exposed->listener, 128, on_client) != 0)
        abort();
    printf("{\"event\":\"exposed\"}\n");
}

/* ---- commands ---- */

static unsigned number_of(const char *text)
{
    return text == NULL ? 0 : (unsigned)strtoul(text, NULL, 10);
}

static void dial(unsigned port, unsigned count)
{
    if (count == 0 || count > DIALS_MAX_COUNT)
        abort();
    free(dialing.taken_us);
    dialing.port = port;
    dialing.count = count;
    dialing.done = 0;
    dialing.taken_us = calloc(count, sizeof(dialing.taken_us[0]));
    dial_next();
}

static void obey(char *line)
{
    char *rest, *verb = strtok_r(line, " ", &rest);
    const char *first = strtok_r(NULL, " ", &rest), *second = strtok_r(NULL, " ", &rest);

    if (strcmp(verb, "expose") == 0 && second != NULL) {
        expose(number_of(first), second);
    } else if (strcmp(verb, "dial") == 0) {
        dial(number_of(first), number_of(second));
    } else if (strcmp(verb, "list") == 0) {
        (void)!tree_list(tree);
    } else if (strcmp(verb, "signal") == 0) {
        (void)!tree_signal(tree, (int)number_of(first));
    } else if (strcmp(verb, "kill") == 0) {
        killed_at = now_us();
        tree_kill(tree);
    } else {
        abort();
    }
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    static char line[LINE_MAX_BYTES];
    static size_t length;
    ssize_t got = read(STDIN_FILENO, line + length, sizeof(line) - length);
    char *end;

    (void)status;
    (void)events;
    if (got <= 0) {
        uv_poll_stop(poll);
        return;
    }
    length += (size_t)got;
    while ((end = memchr(line, '\n', length)) != NULL) {
        *end = '\0';
        obey(line);
        length -= (size_t)(end + 1 - line);
        memmove(line, end + 1, length);
    }
}

static void add(struct list *list, char *item)
{
    if (list->count == LIST_MAX)
        exit(EXIT_FAILURE);
    list->items[list->count++] = item;
}

static void read_reach(int option, struct reach *reach)
{
    if (option == 'x') {
        reach->no_datagrams = 1;
    } else if (option == 'c') {
        reach->ports_limited = 1;
        if (strcmp(optarg, "none") != 0)
            reach->ports[reach->port_count++] = (uint16_t)strtoul(optarg, NULL, 10);
    } else if (!subnet_read(optarg, &reach->networks[reach->network_count++])) {
        exit(EXIT_FAILURE);
    }
}

static void read_options(int count, char **arguments, struct tree_options *options)
{
    static const struct option known[] = {{"connect-port", required_argument, NULL, 'c'},
                                          {"directory", required_argument, NULL, 'd'},
                                          {"execute", required_argument, NULL, 'e'},
                                          {"hide", required_argument, NULL, 'h'},
                                          {"libraries", required_argument, NULL, 'b'},
                                          {"listeners", required_argument, NULL, 'l'},
                                          {"memory", required_argument, NULL, 'm'},
                                          {"processes", required_argument, NULL, 'p'},
                                          {"no-udp", no_argument, NULL, 'x'},
                                          {"refuse-network", required_argument, NULL, 'f'},
                                          {"require", required_argument, NULL, 'r'},
                                          {"seal", no_argument, NULL, 's'},
                                          {"uid", required_argument, NULL, 'u'},
                                          {"write", required_argument, NULL, 'w'},
                                          {"write-nothing", no_argument, NULL, 'n'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(count, arguments, "+", known, NULL)) != -1) {
        if (option == 'd') {
            options->command.directory = optarg;
        } else if (option == 'l') {
            options->command.listeners_max = (uint32_t)strtoul(optarg, NULL, 10);
        } else if (option == 'm') {
            options->command.memory_mib = (uint32_t)strtoul(optarg, NULL, 10);
        } else if (option == 'p') {
            options->command.processes = (uint32_t)strtoul(optarg, NULL, 10);
        } else if (strchr("cfx", option) != NULL) {
            read_reach(option, &options->command.reach);
        } else if (option == 'r') {
            options->command.required = (uint32_t)strtoul(optarg, NULL, 0);
        } else if (option == 's') {
            options->command.seal_memfds = true;
        } else if (option == 'h') {
            add(&hidden, optarg);
        } else if (option == 'e') {
            add(&executables, optarg);
        } else if (option == 'b') {
            add(&libraries, optarg);
        } else if (option == 'w') {
            options->command.limit_writes = true;
            add(&writes, optarg);
        } else if (option == 'n') {
            options->command.limit_writes = true;
        } else if (option == 'u') {
            options->command.switch_user = true;
            options->command.uid = options->command.gid = (uint32_t)strtoul(optarg, NULL, 10);
        } else {
            exit(EXIT_FAILURE);
        }
    }
    options->command.arguments = arguments + optind;
}

int main(int count, char **arguments)
{
    struct tree_options options = {
        .command = {.environment = environ,
                    .directory = "/",
                    .hidden = hidden.items,
                    .executables = executables.items,
                    .libraries = libraries.items,
                    .writable = writes.items},
        .standard = {-1, STDERR_FILENO, STDERR_FILENO},
        .events = {on_started, on_port, on_refused, on_listed, on_ended}};
    uv_poll_t input;
    int channel;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (spawner_start(&channel, NULL) != OK)
        return EXIT_FAILURE;
    read_options(count, arguments, &options);
    loop = uv_default_loop();
    uv_poll_init(loop, &input, STDIN_FILENO);
    uv_poll_start(&input, UV_READABLE, on_input);
    if (launcher_create(loop, channel, &launcher) != OK ||
        launcher_start(launcher, &options, &tree) != OK)
        return EXIT_FAILURE;
    return uv_run(loop, UV_RUN_DEFAULT);
}
