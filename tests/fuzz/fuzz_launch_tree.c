/*
 * Any bytes as what the spawner and the keeper of a tree say to the launcher: messages, each who
 * says it and whether a descriptor comes along, its length, and bytes. The tree ends once, whoever
 * waits for a connection is told once at most, and every descriptor is closed in the end.
 */
#include "fuzz.h"
#include "launch/common/passing.h"
#include "launch/keeper/keeper.h"
#include "launch/keeper/spawner.h"
#include "launch/launcher.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIALS 4

static struct tree *tree;
static unsigned ends, told[DIALS];

static void on_event(void *data)
{
    (void)data;
    require(ends == 0);
}

static void on_port(void *data, const struct port *port)
{
    on_event(data);
    require(memchr(port->program, '\0', sizeof(port->program)) != NULL);
}

static void on_refused(void *data, const struct refusal *refusal)
{
    on_event(data);
    require(memchr(refusal->program, '\0', sizeof(refusal->program)) != NULL);
}

static void on_started(void *data, const struct proof *proof, pid_t pid)
{
    struct proof_found found;

    (void)data;
    proof_judge(proof, pid, FENCES_SERVICE, &found);
    require(found.unknown == 0 || (found.unknown & (found.held | found.missing)) == 0);
    if (proof->status >= 0)
        close(proof->status);
}

static void on_ended(void *data, int status, const char *why)
{
    (void)data;
    (void)status;
    require(++ends == 1 && strlen(why) < 4096);
}

static void on_dialed(void *data, int fd, int error)
{
    unsigned *times = data;

    require(++*times == 1 && (fd >= 0 || error != 0));
    if (fd >= 0)
        close(fd);
}

/* Of a process that has ended, so that nobody is killed. */
static int dead_pidfd(void)
{
    static pid_t child;

    if (child == 0) {
        child = fork();
        if (child == 0)
            _exit(0);
        require(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT) == 0);
    }
    return (int)syscall(SYS_pidfd_open, child, 0);
}

/* The keeper's end of the channel, as the spawner is given it. */
static int receive_channel(int spawner)
{
    struct spawner_ask ask = {0};
    int given[2] = {-1, -1};
    size_t count = 2;

    require(passing_receive(spawner, &ask, sizeof(ask), given, &count) == OK && count == 2);
    close(given[0]);
    return given[1];
}

/* As long as any word, and as what an input can give one. */
#define WORD_BYTES_MAX 512
_Static_assert(sizeof(struct keeper_word) <= WORD_BYTES_MAX && UINT8_MAX <= WORD_BYTES_MAX,
               "all of a word is there");

static void speak(uv_loop_t *loop, const int channels[2], int pidfd, const uint8_t *data,
                  size_t size)
{
    while (size >= 2) {
        size_t length = data[1], whole = (data[0] & 1) != 0 ? sizeof(struct keeper_word)
                                                            : sizeof(struct spawner_word);
        uint8_t bytes[WORD_BYTES_MAX] = {0};

        length = length < size - 2 ? length : size - 2;
        memcpy(bytes, data + 2, length);
        whole = (data[0] & 4) != 0 ? length : whole; /* else its bytes that are not there are 0 */
        (void)!passing_send(channels[data[0] & 1], bytes, whole, &pidfd, (data[0] & 2) != 0);
        if ((data[0] & 8) == 0) /* else the next comes at once */
            uv_run(loop, UV_RUN_NOWAIT);
        data += 2 + length;
        size -= 2 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *arguments[] = {(char[]){"/bin/cat"}, NULL}, *none[] = {NULL};
    struct tree_options options = {
        .command = {.arguments = arguments, .environment = none, .directory = "/", .hidden = none},
        .standard = {-1, -1, -1},
        .events = {on_started, on_port, on_refused, on_event, on_ended}};
    struct launcher *launcher = NULL;
    uv_loop_t loop;
    int before, after, channels[2], pidfd = dead_pidfd(), pair[2];

    before = dup(STDERR_FILENO);
    close(before);
    ends = 0;
    memset(told, 0, sizeof(told));
    require(uv_loop_init(&loop) == 0 && passing_pair(pair, 1) == OK);
    require(launcher_create(&loop, pair[0], &launcher) == OK);
    require(launcher_start(launcher, &options, &tree) == OK);
    for (size_t i = 0; i < DIALS; i++)
        require(tree_dial(tree, 80, on_dialed, &told[i]) == OK);
    channels[0] = pair[1];
    channels[1] = receive_channel(pair[1]);
    speak(&loop, channels, pidfd, data, size);
    close(channels[1]);
    close(channels[0]); /* without its spawner it ends, if it never was made */
    for (size_t i = 0; ends == 0 && i < size + 4; i++) /* a word that waits takes a turn */
        uv_run(&loop, UV_RUN_NOWAIT);
    require(ends == 1);
    launcher_destroy(launcher);
    uv_run(&loop, UV_RUN_DEFAULT);
    require(uv_loop_close(&loop) == 0);
    after = dup(STDERR_FILENO);
    close(after);
    close(pidfd);
    require(before == after);
    return 0;
}
