#include "launch/supervise/lone.h"

#include "launch/common/passing.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

void lone_init(struct lone *lone)
{
    *lone = (struct lone){.slot = 0};
    for (size_t i = 0; i < ERRAND_STANDARDS; i++)
        lone->standard[i] = -1;
}

void lone_clear(struct lone *lone)
{
    for (size_t i = 0; i < ERRAND_STANDARDS; i++)
        passing_close(&lone->standard[i]);
}

enum error lone_take_standard(struct lone *lone, const struct errand *errand, int fd)
{
    if (errand->number >= ERRAND_STANDARDS || lone->standard[errand->number] >= 0)
        return ERROR_SYNTAX;
    lone->standard[errand->number] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return lone->standard[errand->number] >= 0 ? OK : ERROR_IO;
}

enum error lone_begin(struct lone *lone, const struct errand *errand)
{
    if (lone->name[0] != '\0')
        return ERROR_SYNTAX;
    snprintf(lone->name, sizeof(lone->name), "%s", errand->text);
    lone->slot = errand->place;
    return OK;
}

bool lone_is(const struct lone *lone, const struct errand *errand)
{
    return lone->name[0] != '\0' && errand->place == lone->slot &&
           strcmp(errand->text, lone->name) == 0;
}

bool lone_is_told(const struct lone *lone, const struct life *life)
{
    return life->alone == NULL || lone->told;
}
