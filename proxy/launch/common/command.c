#include "launch/common/command.h"

#include "base/buffer.h"
#include "launch/common/ports.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct header {
    uint32_t argument_count, environment_count, hidden_count, executable_count, library_count,
        writable_count;
    uint32_t switch_user, uid, gid, group_count;
    uint32_t seal_memfds, listeners_max, limit_writes, required, memory_mib, processes;
    uint32_t groups[COMMAND_GROUPS_MAX];
    struct reach reach;
};

static bool within_limits(const struct header *header)
{
    return header->argument_count >= 1 && header->argument_count < COMMAND_STRINGS_MAX &&
           header->environment_count < COMMAND_STRINGS_MAX &&
           header->hidden_count < COMMAND_STRINGS_MAX &&
           header->executable_count <= COMMAND_EXECUTABLES_MAX &&
           header->library_count <= COMMAND_EXECUTABLES_MAX &&
           header->writable_count <= COMMAND_WRITABLE_MAX && header->limit_writes <= 1 &&
           header->group_count <= COMMAND_GROUPS_MAX && header->switch_user <= 1 &&
           header->seal_memfds <= 1 && header->listeners_max <= PORTS_MAX &&
           reach_is_sound(&header->reach);
}

static uint32_t put_strings(struct buffer *buffer, char *const *strings)
{
    uint32_t count = 0;

    for (; strings != NULL && strings[count] != NULL && count < COMMAND_STRINGS_MAX; count++)
        buffer_append(buffer, strings[count], strlen(strings[count]) + 1);
    return count;
}

static enum error pack(const struct command *command, struct buffer *buffer)
{
    struct header header = {.switch_user = command->switch_user,
                            .uid = command->uid,
                            .gid = command->gid,
                            .group_count = command->group_count,
                            .seal_memfds = command->seal_memfds,
                            .listeners_max = command->listeners_max,
                            .limit_writes = command->limit_writes,
                            .required = command->required,
                            .memory_mib = command->memory_mib,
                            .processes = command->processes,
                            .reach = command->reach};

    if (command->group_count > COMMAND_GROUPS_MAX || command->arguments[0] == NULL)
        return ERROR_INVALID;
    memcpy(header.groups, command->groups, command->group_count * sizeof(header.groups[0]));
    buffer_append(buffer, &header, sizeof(header));
    buffer_append(buffer, command->directory, strlen(command->directory) + 1);
    header.argument_count = put_strings(buffer, command->arguments);
    header.environment_count = put_strings(buffer, command->environment);
    header.hidden_count = put_strings(buffer, command->hidden);
    header.executable_count = put_strings(buffer, command->executables);
    header.library_count = put_strings(buffer, command->libraries);
    header.writable_count = put_strings(buffer, command->writable);
    if (buffer_failed(buffer) || !within_limits(&header))
        return ERROR_LIMIT;
    memcpy(buffer->data, &header, sizeof(header));
    return OK;
}

static enum error write_sealed(const struct buffer *buffer, int *out)
{
    int fd = memfd_create("command", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return ERROR_IO;
    if (write(fd, buffer->data, buffer->length) != (ssize_t)buffer->length ||
        fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
        close(fd);
        return ERROR_IO;
    }
    *out = fd;
    return OK;
}

enum error command_pack(const struct command *command, int *out)
{
    struct buffer buffer;
    enum error error;

    buffer_init(&buffer, COMMAND_BYTES_MAX);
    error = pack(command, &buffer);
    if (error == OK)
        error = write_sealed(&buffer, out);
    buffer_wipe(&buffer);
    return error;
}

/* The string that begins at *at, which moves behind it; NULL if none ends before `end`. */
static char *take_string(char **at, const char *end)
{
    char *string = *at, *nul = memchr(string, '\0', (size_t)(end - string));

    if (nul == NULL)
        return NULL;
    *at = nul + 1;
    return string;
}

static char **take_strings(char **at, const char *end, uint32_t count)
{
    char **strings = calloc((size_t)count + 1, sizeof(*strings));

    for (uint32_t i = 0; strings != NULL && i < count; i++) {
        strings[i] = take_string(at, end);
        if (strings[i] == NULL) {
            free(strings);
            return NULL;
        }
    }
    return strings;
}

enum error command_unpack(char *bytes, size_t length, struct command *out)
{
    struct header header;
    struct command command = {0};
    char *at, *end;

    if (length <= sizeof(header) || length > COMMAND_BYTES_MAX)
        return ERROR_LIMIT;
    memcpy(&header, bytes, sizeof(header));
    if (!within_limits(&header))
        return ERROR_LIMIT;
    at = bytes + sizeof(header);
    end = bytes + length;
    command.directory = take_string(&at, end);
    if (command.directory != NULL)
        command.arguments = take_strings(&at, end, header.argument_count);
    if (command.arguments != NULL)
        command.environment = take_strings(&at, end, header.environment_count);
    if (command.environment != NULL)
        command.hidden = take_strings(&at, end, header.hidden_count);
    if (command.hidden != NULL)
        command.executables = take_strings(&at, end, header.executable_count);
    if (command.executables != NULL)
        command.libraries = take_strings(&at, end, header.library_count);
    if (command.libraries != NULL)
        command.writable = take_strings(&at, end, header.writable_count);
    if (command.writable == NULL || at != end) {
        command_clear(&command);
        return ERROR_SYNTAX;
    }
    command.switch_user = header.switch_user != 0;
    command.uid = header.uid;
    command.gid = header.gid;
    command.group_count = header.group_count;
    memcpy(command.groups, header.groups, header.group_count * sizeof(header.groups[0]));
    command.seal_memfds = header.seal_memfds != 0;
    command.listeners_max = header.listeners_max;
    command.limit_writes = header.limit_writes != 0;
    command.required = header.required;
    command.memory_mib = header.memory_mib;
    command.processes = header.processes;
    command.reach = header.reach;
    *out = command;
    return OK;
}

void command_clear(struct command *command)
{
    free(command->arguments);
    free(command->environment);
    free(command->hidden);
    free(command->executables);
    free(command->libraries);
    free(command->writable);
    *command = (struct command){0};
}

const char *const command_libraries[COMMAND_LIBRARIES] = {
    "/usr/lib",    "/usr/lib32",     "/usr/lib64",      "/lib", "/lib32", "/lib64",
    "/usr/libx32", "/usr/local/lib", "/usr/local/lib64"};

const char *const command_private[] = {"/tmp", "/var/tmp", "/dev/shm", NULL};

bool command_has_own(const struct command *command, const char *directory)
{
    const size_t length = strlen(directory);

    for (char **path = command->writable; command->limit_writes && *path != NULL; path++) {
        if (strncmp(*path, directory, length) == 0 &&
            ((*path)[length] == '/' || (*path)[length] == '\0'))
            return false;
    }
    return command->limit_writes;
}
