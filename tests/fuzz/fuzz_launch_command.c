/* Any bytes as a packed command: either refused, or lists of strings that all lie in the bytes. */
#include "fuzz.h"
#include "launch/common/command.h"

#include <string.h>

static void require_within(char *const *strings, const char *bytes, size_t size)
{
    for (; *strings != NULL; strings++) {
        require(*strings >= bytes && *strings < bytes + size);
        require(memchr(*strings, '\0', (size_t)(bytes + size - *strings)) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1);
    struct command command;

    memcpy(bytes, data, size);
    if (command_unpack(bytes, size, &command) == OK) {
        require(command.arguments[0] != NULL);
        require(command.group_count <= COMMAND_GROUPS_MAX);
        require_within(command.arguments, bytes, size);
        require_within(command.environment, bytes, size);
        require_within(command.hidden, bytes, size);
        require_within(command.executables, bytes, size);
        require_within(command.libraries, bytes, size);
        command_clear(&command);
    }
    free(bytes);
    return 0;
}
