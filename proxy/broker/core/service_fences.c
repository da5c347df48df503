#include "broker/core/service_fences.h"

#include "base/text.h"
#include "broker/core/proven.h"
#include "setup/fences.h"

#include <limits.h>
#include <unistd.h>

enum error service_fences_take_launcher(struct proven *launcher, const struct errand *errand,
                                        int fd)
{
    const struct proof proof = {.status = fd,
                                .landlock = errand->place,
                                .tried = errand->number >> 16 | FENCES_STARTER, /* never 0 */
                                .refused = errand->number & UINT16_MAX};

    if (fd < 0 || !proof_is_status(fd) || launcher->proof.tried != 0) {
        if (fd >= 0)
            close(fd);
        return ERROR_SYNTAX;
    }
    proven_take(launcher, &proof);
    return OK;
}

enum error service_fences_take(struct surface_state *surface, const struct errand *errand, int fd,
                               unsigned landlock)
{
    const struct proof proof = {.status = fd,
                                .landlock = landlock,
                                .tried = errand->number >> 16 | FENCE(PRIVILEGES), /* never 0 */
                                .refused = errand->number & UINT16_MAX};
    uint64_t pid;

    if (surface == NULL || fd < 0 || !proof_is_status(fd) ||
        !text_number(span_of(errand->text), 10, &pid) || pid == 0 || pid > INT_MAX) {
        if (fd >= 0)
            close(fd);
        return ERROR_SYNTAX;
    }
    surface->service.program.pid = (pid_t)pid;
    proven_take(&surface->service.program, &proof);
    return OK;
}

bool service_fences_judge(const struct surface_state *surface, struct proof_found *out)
{
    const struct proven *program = &surface->service.program;

    if (program->proof.tried == 0)
        return false;
    proof_judge(&program->proof, program->pid, fences_promised(&surface->config->command), out);
    return true;
}
