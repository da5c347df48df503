/*
 * Several workers at once, which say anything and are replaced, against a model of what each was
 * granted: nobody but the process that asked is answered, nothing is granted that was not asked
 * for, and the table of connections has what the model has. The broker's own code, with a real
 * store, between a client's socket and a service's.
 */
#define FIXTURE_CALLERS "\"self\""
#define FIXTURE_STUDIO_KEYS                                                                        \
    ",\"routes\":[{\"path\":\"/ws\",\"kind\":\"websocket\"},"                                      \
    "{\"path\":\"/plain/{id}\",\"kind\":\"http\",\"methods\":[\"GET\"]},"                          \
    "{\"path\":\"/body\",\"kind\":\"http\",\"methods\":[\"POST\"],\"query\":{},"                   \
    "\"body\":{\"member\":\"server_params\",\"from\":\"\"}},"                                      \
    "{\"path\":\"/slow\",\"kind\":\"websocket\",\"prepare\":{\"path\":\"/connect\","               \
    "\"member\":\"m\",\"from\":\"\",\"answer\":\"id\",\"then\":\"/slow/{answer}\"}}]"
#include "../unit/operations_fixture.h"

#include "broker/admission/takers.h"
#include "broker/admission/waiting.h"
#include "broker/core/workers.h"
#include "fuzz.h"
#include "system/caller.h"
#include "wire/http_body.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define WORKERS     3
#define CONNECTIONS 8 /* numbers 0 to 7; 0 is none */
#define STEPS_MAX   1000
#define PEERS_MAX   64

enum standing { NOTHING = 0, ASKED, HELD };

/* What the model knows of one process. */
struct process {
    uint64_t generation;
    enum standing standing[CONNECTIONS];
};

static struct {
    struct broker_fixture *fixture;
    struct surface_listener listener;
    int client, accepted, pipe[2], service;
    char host[64];
    char tokens[2][TOKEN_BYTES_MAX + 16]; /* of a session with a record, and of one without */
    struct process processes[WORKERS];
    uint64_t generations;
    uint64_t answered; /* how many answers were given, to anybody */
    int peers[PEERS_MAX];
    size_t peer_count;
} world;

static unsigned char room[IPC_MESSAGE_BYTES_MAX];

static struct gate *gate(void)
{
    return &world.fixture->gate;
}

/* The process that lives; of one that has gone nothing is ever to be heard. */
static struct process *living(struct incarnation worker)
{
    struct process *process = &world.processes[worker.worker];

    require(worker.worker < WORKERS && process->generation == worker.generation);
    return process;
}

void workers_take_ready(struct workers *workers, struct incarnation from, const struct proof *proof)
{
    (void)proof;
    (void)workers;
    (void)living(from);
}

/* A yes is only for who has asked, and never while the switch is on or the session over. */
void workers_answer(struct workers *workers, struct incarnation to, enum ipc_type type,
                    const void *message, int fd)
{
    const struct ipc_verdict *verdict = message;
    const struct ipc_link *link = message;
    uint64_t connection = type == IPC_VERDICT ? verdict->connection : link->connection;
    enum reason reason = type == IPC_VERDICT ? verdict->reason : link->reason;
    struct process *process = living(to);

    (void)workers;
    require(connection > 0 && connection < CONNECTIONS);
    require(process->standing[connection] == (type == IPC_VERDICT ? ASKED : HELD));
    require(fd < 0 || reason_allows(reason));
    if (reason_allows(reason)) {
        require(!gate()->surfaces.items[0].killed && fixture_now == FIXTURE_NOW);
        if (type == IPC_VERDICT)
            process->standing[connection] = HELD;
    } else if (type == IPC_VERDICT) {
        process->standing[connection] = NOTHING;
    }
    world.answered++;
    if (fd >= 0)
        close(fd);
}

/* ---- The world, made once ---- */

static void listen_for_clients(void)
{
    struct listener listeners[2];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t count;
    char why[WHY_SIZE];

    require(listener_open("127.0.0.1", 0, listeners, &count, why) == OK);
    world.listener = (struct surface_listener){.fd = listeners[0].fd, .port = listeners[0].port};
    snprintf(world.listener.host, sizeof(world.listener.host), "127.0.0.1");
    snprintf(world.host, sizeof(world.host), "localhost:%u", listeners[0].port);
    address.sin_port = htons(listeners[0].port);
    world.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(connect(world.client, (struct sockaddr *)&address, sizeof(address)) == 0);
    world.accepted = accept4(listeners[0].fd, NULL, NULL, SOCK_CLOEXEC);
    require(world.accepted >= 0 && pipe(world.pipe) == 0);
    gate()->surfaces.items[0].listeners = &world.listener;
    gate()->surfaces.items[0].listener_count = 1;
}

static void listen_as_service(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s",
             world.fixture->config->surfaces[0].upstream_socket);
    world.service = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    require(bind(world.service, (struct sockaddr *)&address, sizeof(address)) == 0);
    require(listen(world.service, PEERS_MAX) == 0);
}

static void make_session(const char *params, char out[TOKEN_BYTES_MAX + 16])
{
    struct wish wish = {{.surface = "studio"}, 60};
    char token[TOKEN_BYTES_MAX + 1];

    if (params != NULL)
        snprintf(wish.session.params_name, sizeof(wish.session.params_name), "%s", params);
    require(create(world.fixture, &wish, NULL, token) == OK);
    snprintf(out, TOKEN_BYTES_MAX + 16, "Bearer %s", token);
}

static void drop_world(void)
{
    void *state = world.fixture;

    caller_lookup_destroy(gate()->callers);
    uv_loop_close(&gate()->loop);
    broker_fixture_drop(&state);
}

static void make_world(void)
{
    void *state = NULL;

    require(broker_fixture_make(&state) == 0);
    world.fixture = state;
    require(uv_loop_init(&gate()->loop) == 0);
    require(caller_lookup_create(&gate()->callers) == OK);
    listen_for_clients();
    listen_as_service();
    require(put(world.fixture, "record", "studio", RECORD) == OK);
    make_session("record", world.tokens[0]);
    make_session(NULL, world.tokens[1]);
    require(atexit(drop_world) == 0);
}

/* ---- What happens ---- */

struct input {
    const uint8_t *data;
    size_t size, at;
};

static unsigned next(struct input *input)
{
    return input->at < input->size ? input->data[input->at++] : 0;
}

static struct incarnation name(unsigned worker)
{
    return (struct incarnation){worker, world.processes[worker].generation};
}

static void forget_one(void *context, const struct connection_entry *entry)
{
    (void)context;
    (void)entry;
}

/* As core/workers.c does when a process has ended. */
static void replace(unsigned worker)
{
    waiting_forget(gate(), name(worker));
    connections_end_worker(&gate()->connections, name(worker));
    while (connections_remove_ended(&gate()->connections, name(worker), 3, forget_one, NULL))
        ;
    world.processes[worker] = (struct process){.generation = ++world.generations};
}

/* Says it, and is replaced if it may not; whether it might. */
static bool say(unsigned worker, enum ipc_type type, const void *message, int fd)
{
    struct ipc_writer writer = {.bytes = room};
    bool taken;

    ipc_encode(&writer, type, message);
    taken = inbox_take(
                gate(), name(worker),
                &(struct workers_message){
                    .state = IPC_RUNNING, .bytes = room, .length = writer.length, .fd = fd}) == OK;
    if (!taken)
        replace(worker);
    return taken;
}

static void admit(struct input *input, unsigned worker)
{
    static const char *const paths[] = {"/ws", "/plain/1", "/body", "/slow", "/nowhere", "/../x"};
    unsigned connection = next(input) % (CONNECTIONS + 1), path = next(input) % 11 % 6;
    unsigned descriptor = next(input) % 16, token = next(input) % 8;
    int fd = descriptor == 0 ? -1 : descriptor == 1 ? world.pipe[0] : world.accepted;
    struct process *process = &world.processes[worker];
    bool sound = connection > 0 && connection < CONNECTIONS &&
                 process->standing[connection] == NOTHING && path != 5 && fd == world.accepted;
    struct ipc_admit message = {
        .connection = connection < CONNECTIONS ? connection : IPC_CONNECTION_MAX + 1,
        .request_id = "0123456789abcdef",
        .request = {.method = path == 2 ? "POST" : "GET",
                    .raw_path = paths[path],
                    .host = world.host,
                    .authorization = token > 0 ? world.tokens[token / 7] : NULL,
                    .upgrade = path == 0 || path == 3}};

    if (sound)
        process->standing[connection] = ASKED;
    require(say(worker, IPC_ADMIT, &message, fd) == sound);
}

static bool holds(unsigned worker, unsigned connection)
{
    return connection < CONNECTIONS && world.processes[worker].standing[connection] == HELD;
}

/* One that the process holds, if it can be; now and then any. */
static unsigned pick(struct input *input, unsigned worker)
{
    unsigned number = next(input), any = number % CONNECTIONS;

    for (unsigned i = 0; number >= 32 && i < CONNECTIONS; i++) {
        if (holds(worker, (any + i) % CONNECTIONS))
            return (any + i) % CONNECTIONS;
    }
    return any;
}

static void dial(struct input *input, unsigned worker)
{
    static const char *const fields[] = {NULL, "", "A: b\r\n", "A: b\n", "Host: x\r\n"};
    unsigned connection = pick(input, worker), way = next(input) % 10;
    bool body = (way & 1) != 0;
    unsigned field = way / 2 % 5;
    struct ipc_dial message = {.connection = connection,
                               .request_id = "0123456789abcdef",
                               .method = body ? "POST" : "GET",
                               .path = body ? "/body" : "/plain/1",
                               .host = world.host,
                               .fields = fields[field]};
    bool held = holds(worker, connection), taken;
    uint64_t answered = world.answered;

    taken = say(worker, IPC_DIAL, &message, -1);
    require(held || !taken);
    require(!held || field > 0 || taken); /* nothing to be written is always a fair question */
    require(world.answered == answered + taken);
}

static void report(struct input *input, unsigned worker)
{
    unsigned connection = pick(input, worker), way = next(input) % 4;
    bool held = holds(worker, connection);

    if (way == 0) {
        require(say(worker, IPC_REFUSED, &(struct ipc_refused){.connection = connection}, -1) ==
                held);
    } else if (way == 1) {
        require(say(worker, IPC_DENIED, &(struct ipc_denied){.connection = connection}, -1) ==
                (held || connection == 0));
    } else if (way == 2) {
        require(say(worker, IPC_COUNTS, &(struct ipc_counts){.forwarded = 1}, -1));
    } else if (say(worker, IPC_CLOSED, &(struct ipc_closed){.connection = connection}, -1)) {
        require(held);
        world.processes[worker].standing[connection] = NOTHING;
    } else {
        require(!held);
    }
}

/* Bytes of the input as they are: whatever comes of them, no connection is anybody's by it. */
static void babble(struct input *input, unsigned worker)
{
    size_t length = next(input), left = input->size - input->at;
    enum error error;

    length = length < left ? length : left;
    error = inbox_take(
        gate(), name(worker),
        &(struct workers_message){
            .state = IPC_RUNNING, .bytes = input->data + input->at, .length = length, .fd = -1});
    input->at += length;
    if (error != OK || length > 0)
        replace(worker);
}

/* Whether the broker asks something there; the peer is a link if not. */
static bool is_post(int peer)
{
    char head[4096]; /* all of it: what is left unread would end the answer */

    return recv(peer, head, sizeof(head), MSG_DONTWAIT) > 4 && memcmp(head, "POST", 4) == 0;
}

/* The service takes what has come, and answers the oldest POST, or goes. */
static void serve(struct input *input)
{
    static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\":\"x\"}";
    bool answers = next(input) % 4 > 0;
    int peer;

    while (world.peer_count < PEERS_MAX &&
           (peer = accept4(world.service, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        if (is_post(peer))
            world.peers[world.peer_count++] = peer;
        else
            close(peer);
    }
    if (world.peer_count > 0) {
        peer = world.peers[0];
        if (answers)
            (void)!send(peer, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
        close(peer);
        memmove(world.peers, world.peers + 1, --world.peer_count * sizeof(world.peers[0]));
    }
    uv_run(&gate()->loop, UV_RUN_NOWAIT);
}

static void step(struct input *input)
{
    unsigned what = next(input), worker = what / 16 % WORKERS;

    switch (what % 16) {
    case 0:
        replace(worker);
        break;
    case 1:
        babble(input, worker);
        break;
    case 2:
        gate()->surfaces.items[0].killed = next(input) % 2 == 0;
        break;
    case 3:
        fixture_now = next(input) % 8 == 0 ? FIXTURE_NOW + 3600 : FIXTURE_NOW;
        break;
    case 4:
    case 5:
    case 6:
        serve(input);
        break;
    case 7:
    case 8:
    case 9:
        report(input, worker);
        break;
    case 10:
    case 11:
        dial(input, worker);
        break;
    default:
        admit(input, worker);
    }
}

/* The table has what the model has, and waits for what the model waits for. */
static void compare(void)
{
    size_t held = 0;

    for (unsigned worker = 0; worker < WORKERS; worker++) {
        for (unsigned connection = 1; connection < CONNECTIONS; connection++) {
            enum standing standing = world.processes[worker].standing[connection];
            const struct connection_entry *entry =
                connections_find(&gate()->connections, name(worker), connection);

            require((entry != NULL) == (standing == HELD));
            require(waiting_for(gate(), name(worker), connection) == (standing == ASKED));
            held += standing == HELD;
        }
    }
    require(gate()->connections.count == held);
}

static void begin_anew(void)
{
    for (unsigned worker = 0; worker < WORKERS; worker++)
        replace(worker);
    gate()->surfaces.items[0].killed = false;
    fixture_now = FIXTURE_NOW;
}

static void clear_away(void)
{
    struct input nothing = {0};

    begin_anew();
    require(gate()->waiting == NULL && gate()->connections.count == 0);
    do
        serve(&nothing);
    while (world.peer_count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.data = data, .size = size};

    if (world.fixture == NULL)
        make_world();
    begin_anew();
    for (unsigned i = 0; i < STEPS_MAX && input.at < input.size; i++) {
        step(&input);
        compare();
    }
    clear_away();
    return 0;
}
