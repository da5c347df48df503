#include "setup/fences.h"

#include "system/execution_fence.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint32_t fences_promised(const struct surface_command *command)
{
    return FENCES_SERVICE | (command->execute_anything ? 0 : FENCE(EXECUTE));
}

uint32_t fences_lacking(uint32_t promised, unsigned landlock)
{
    uint32_t lacking = fence_kinds_lacking(promised, landlock);

    if (execution_fence_lacks(landlock) != NULL)
        lacking |= promised & FENCE(EXECUTE);
    return lacking;
}

__attribute__((format(printf, 2, 3))) static void append(char out[FENCES_SENTENCE_SIZE],
                                                         const char *format, ...)
{
    size_t length = strlen(out);
    va_list arguments;

    if (length > 0 && length + 2 < FENCES_SENTENCE_SIZE) {
        memcpy(out + length, "; ", sizeof("; "));
        length += 2;
    }
    va_start(arguments, format);
    vsnprintf(out + length, FENCES_SENTENCE_SIZE - length, format, arguments);
    va_end(arguments);
}

bool fences_tell_lacking(uint32_t lacking, unsigned landlock, char out[FENCES_SENTENCE_SIZE])
{
    const uint32_t advisory = lacking & ~(FENCES_SECOND_LOCKS | FENCE(EXECUTE));
    const char *unheld = execution_fence_lacks(landlock);
    char names[FENCE_NAMES_SIZE];

    out[0] = '\0';
    if ((lacking & FENCE(EXECUTE)) != 0)
        append(out, "what it may execute is advisory alone (this kernel lacks %s)",
               unheld != NULL ? unheld : "what holds it");
    if (advisory != 0)
        append(out, "of its fences these are advisory: %s", fence_kinds_print(advisory, names));
    if ((lacking & FENCES_SECOND_LOCKS) != 0)
        append(out, "these second locks are not there: %s",
               fence_kinds_print(lacking & FENCES_SECOND_LOCKS, names));
    return out[0] != '\0';
}
