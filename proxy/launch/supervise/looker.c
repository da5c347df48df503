#include "launch/supervise/looker.h"

#include "base/log.h"
#include "ipc/errand.h"
#include "launch/common/passing.h"
#include "system/caller_program.h"
#include "system/fence.h"
#include "system/proof.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define QUESTION_BYTES_MAX 64 /* one that is longer is none of ours */

/* `fd` (-1: none) comes along, and stays this process's. */
static bool say(int channel, const struct errand *errand, int fd)
{
    unsigned char bytes[CALLER_PROGRAM_SIZE + QUESTION_BYTES_MAX];
    struct ipc_writer writer = {.bytes = bytes};

    errand_encode(&writer, errand);
    return passing_send(channel, bytes, writer.length, &fd, fd >= 0) == OK;
}

static bool harden(struct proof *proof)
{
    const struct rlimit none = {0, 0};

    return prctl(PR_SET_NAME, "looker") == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
           setrlimit(RLIMIT_CORE, &none) == 0 && proof_hold(FENCES_LOOKER, NULL, 0, proof) == OK &&
           fence_looker_calls() == OK;
}

/* False: the broker has gone, or what speaks is none. */
static bool answer_one(int channel)
{
    unsigned char bytes[QUESTION_BYTES_MAX];
    char program[CALLER_PROGRAM_SIZE];
    ssize_t length = recv(channel, bytes, sizeof(bytes), MSG_TRUNC);
    struct errand errand;

    if (length <= 0 || length > (ssize_t)sizeof(bytes) ||
        errand_decode(bytes, (size_t)length, &errand) != OK || errand.kind != ERRAND_CALLER)
        return false;
    errand.kind = ERRAND_PROGRAM;
    errand.text = caller_program(errand.place, errand.number, program) == OK ? program : "";
    return say(channel, &errand, -1);
}

/* exit(3) would do more than the fence permits: with a sanitizer's runtime, wait for ever. */
_Noreturn void looker_run(int channel)
{
    struct proof proof;

    log_set_name("looker");
    if (!harden(&proof)) {
        log_error("the looker cannot be fenced; programs that call stay unknown");
        _exit(EX_SOFTWARE);
    }
    if (say(channel,
            &(struct errand){.kind = ERRAND_PROOF,
                             .place = proof.landlock,
                             .number = proof.tried << 16 | proof.refused},
            proof.status)) {
        while (answer_one(channel))
            ;
    }
    _exit(EX_OK);
}
