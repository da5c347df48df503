#include "launch/supervise/ending.h"

#include <stdio.h>
#include <sys/wait.h>

void ending_describe(const struct ending *ending, char why[WHY_SIZE])
{
    const int status = ending->status;

    if (ending->late[0] != '\0')
        snprintf(why, WHY_SIZE, "%s", ending->late);
    else if (ending->failed[0] != '\0')
        snprintf(why, WHY_SIZE, "its service cannot be started: %s", ending->failed);
    else if (WIFSIGNALED(status))
        snprintf(why, WHY_SIZE, "its service was ended by signal %d", WTERMSIG(status));
    else
        snprintf(why, WHY_SIZE, "its service ended with exit code %d", WEXITSTATUS(status));
}

bool ending_is_followed(const struct ending *ending, const struct surface *surface)
{
    bool failed = ending->late[0] != '\0' || ending->failed[0] != '\0' ||
                  !WIFEXITED(ending->status) || WEXITSTATUS(ending->status) != 0;

    if (surface == NULL || surface->command.restart == RESTART_ALWAYS)
        return true;
    return surface->command.restart == RESTART_ON_FAILURE && failed;
}

uint64_t ending_pause_ms(unsigned failures)
{
    uint64_t pause = ENDING_PAUSE_MIN_MS;

    while (failures-- > 0 && pause < ENDING_PAUSE_MAX_MS)
        pause *= 2;
    return pause < ENDING_PAUSE_MAX_MS ? pause : ENDING_PAUSE_MAX_MS;
}
