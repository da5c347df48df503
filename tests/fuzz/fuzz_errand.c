/*
 * Any bytes as what a broker says to its parent: several messages, each a length, whether a
 * descriptor comes along, and bytes. Only what the file names is opened, and only what was given
 * is handed to a worker; every descriptor is closed in the end.
 */
#include "fuzz.h"
#include "parent/anew.h"
#include "parent/opening.h"
#include "parent/spawning.h"
#include "system/listener.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char text[] =
    "{\"state_dir\":\"/nowhere/state\",\"control_socket\":\"/nowhere/c.sock\",\"surfaces\":{"
    "\"one\":{\"why\":\"a\",\"can_do\":\"b\",\"listen\":[\"127.0.0.1:0\"],\"upstream\":{\"socket\":"
    "\"/nowhere/one.sock\"},\"dialect\":\"opaque\",\"tls\":{\"certificate\":\"/nowhere/c.pem\","
    "\"key\":\"/nowhere/k.pem\"}}}}";

static struct opening *opening;
static struct spawning spawning;

/* In the place of anew.c: what would be started is ourselves, with numbers. */
enum error anew_start(const struct anew *launch, pid_t *pid, int *pidfd)
{
    require(strcmp(launch->verb, SPAWN_WORKER_VERB) == 0 && launch->count >= 2);
    for (size_t i = 0; i < ANEW_ARGUMENTS; i++)
        require(strspn(launch->arguments[i], "0123456789,") == strlen(launch->arguments[i]));
    for (size_t i = 0; i < launch->count; i++)
        require(fcntl(launch->descriptors[i], F_GETFD) >= 0);
    *pid = 0;
    *pidfd = -1;
    return ERROR_IO;
}

static void prepare(void)
{
    static struct json_faults faults;
    struct config_bundle bundle = {.path = strdup("/nowhere/sidelock.json")};

    require(config_load(text, strlen(text), NULL, 0, getuid(), &bundle.config, &faults) == OK);
    require(opening_create(&bundle, &opening) == OK);
}

static void check_answer(const struct errand *errand, struct opening_answer *answer)
{
    struct listener opened;

    require(answer->count <= 2);
    for (size_t i = 0; i < answer->count; i++) {
        opened.fd = answer->descriptors[i];
        if (errand->kind == ERRAND_LISTEN)
            require(listener_describe(&opened) == OK && strcmp(opened.address, "127.0.0.1") == 0);
        else
            require(errand->kind == ERRAND_READ);
        close(answer->descriptors[i]);
    }
    require(errand->kind != ERRAND_READ || answer->error != OK);
}

static void take(const struct errand *errand, int fd)
{
    struct opening_answer answer;
    struct errand said;
    int pidfd = -1;

    if (errand->kind == ERRAND_GIVE) {
        if (spawning_give(&spawning, errand, fd) != OK)
            spawning_end(&spawning);
        return;
    }
    if (fd >= 0)
        close(fd);
    if (errand->kind == ERRAND_SPAWN) {
        if (spawning_start(&spawning, errand, &said, &pidfd) == OK)
            require(said.kind == ERRAND_SPAWNED && said.number == 0 && pidfd < 0);
    } else if (opening_take(opening, errand, &answer) == OK) {
        check_answer(errand, &answer);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int before;

    if (opening == NULL)
        prepare();
    before = dup(STDERR_FILENO);
    close(before);
    spawning_init(&spawning);
    while (size >= 2) {
        size_t length = data[0] <= size - 2 ? data[0] : size - 2;
        int fd = (data[1] & 1) != 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
        struct errand errand;

        if (errand_decode(data + 2, length, &errand) == OK)
            take(&errand, fd);
        else if (fd >= 0)
            close(fd);
        data += 2 + length;
        size -= 2 + length;
    }
    spawning_end(&spawning);
    require(dup(STDERR_FILENO) == before);
    close(before);
    return 0;
}
