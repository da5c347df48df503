/* command.c: what is packed comes out again, and nothing else is taken for it. */
#include "launch/common/command.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char packed[4096];
static size_t packed_length;

static void pack(const struct command *command)
{
    int fd;

    assert_int_equal(command_pack(command, &fd), OK);
    packed_length = (size_t)pread(fd, packed, sizeof(packed), 0);
    close(fd);
}

static struct command sample(void)
{
    static char program[] = "service", flag[] = "--port=1", empty[] = "", secret[] = "KEY=secret";
    static char *arguments[] = {program, flag, empty, NULL}, *environment[] = {secret, NULL};
    static char socket[] = "/run/docker.sock", *hidden[] = {socket, NULL};
    struct command command = {.arguments = arguments,
                              .environment = environment,
                              .directory = "/srv",
                              .hidden = hidden,
                              .writable = hidden,
                              .limit_writes = true,
                              .switch_user = true,
                              .uid = 1000,
                              .gid = 1001,
                              .groups = {5, 6},
                              .group_count = 2,
                              .seal_memfds = true,
                              .listeners_max = 3,
                              .required = 0x400,
                              .memory_mib = 512,
                              .processes = 50,
                              .reach = {.ports_limited = 1, .port_count = 1, .ports = {443}}};

    return command;
}

TEST(test_round_trip)
{
    struct command command = sample(), read;

    pack(&command);
    assert_int_equal(command_unpack(packed, packed_length, &read), OK);
    assert_string_equal(read.directory, "/srv");
    assert_string_equal(read.arguments[0], "service");
    assert_string_equal(read.arguments[1], "--port=1");
    assert_string_equal(read.arguments[2], "");
    assert_null(read.arguments[3]);
    assert_string_equal(read.environment[0], "KEY=secret");
    assert_null(read.environment[1]);
    assert_string_equal(read.hidden[0], "/run/docker.sock");
    assert_null(read.hidden[1]);
    assert_true(read.limit_writes);
    assert_string_equal(read.writable[0], "/run/docker.sock");
    assert_null(read.writable[1]);
    assert_true(read.switch_user && read.seal_memfds);
    assert_int_equal(read.uid, 1000);
    assert_int_equal(read.gid, 1001);
    assert_int_equal(read.group_count, 2);
    assert_int_equal(read.groups[1], 6);
    assert_int_equal(read.listeners_max, 3);
    assert_int_equal(read.required, 0x400);
    assert_int_equal(read.memory_mib, 512);
    assert_int_equal(read.processes, 50);
    assert_int_equal(read.reach.ports[0], 443);
    assert_true(reach_is_limited(&read.reach));
    command_clear(&read);
}

TEST(test_what_is_packed_stays)
{
    struct command command = sample();
    int fd;

    assert_int_equal(command_pack(&command, &fd), OK);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    close(fd);
}

TEST(test_every_shorter_one_is_refused)
{
    struct command command = sample(), read;

    pack(&command);
    for (size_t length = 0; length < packed_length; length++)
        assert_int_not_equal(command_unpack(packed, length, &read), OK);
    packed[packed_length] = '\0';
    assert_int_equal(command_unpack(packed, packed_length + 1, &read), ERROR_SYNTAX);
}

TEST(test_counts_beyond_the_limits_are_refused)
{
    struct command command = sample(), read;

    for (size_t field = 0; field < 13; field++) {
        uint32_t huge = UINT32_MAX;

        if (field == 7 || field == 8)
            continue; /* uid, gid: any number */
        pack(&command);
        memcpy(packed + field * sizeof(huge), &huge, sizeof(huge));
        assert_int_equal(command_unpack(packed, packed_length, &read), ERROR_LIMIT);
    }
}

TEST(test_a_reach_that_is_none_is_refused)
{
    struct command command = sample();
    int fd;

    command.reach.network_count = REACH_NETWORKS_MAX + 1;
    assert_int_equal(command_pack(&command, &fd), ERROR_LIMIT);
}

TEST(test_a_command_needs_a_program)
{
    char *none[] = {NULL};
    struct command command = sample();
    int fd;

    command.arguments = none;
    assert_int_equal(command_pack(&command, &fd), ERROR_INVALID);
}

TEST(test_too_much_is_refused)
{
    char *large = calloc(1, COMMAND_BYTES_MAX + 2);
    char *arguments[] = {large, NULL};
    struct command command = sample();
    int fd;

    memset(large, 'a', COMMAND_BYTES_MAX + 1);
    command.arguments = arguments;
    assert_int_equal(command_pack(&command, &fd), ERROR_LIMIT);
    free(large);
}
