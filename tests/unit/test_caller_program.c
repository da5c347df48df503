/* caller_program.c: what the processes execute that hold a socket, where that is one program. */
#include "system/caller_program.h"

#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLEEPER "/bin/sleep"

static void own_path(char out[CALLER_PROGRAM_SIZE])
{
    ssize_t length = readlink("/proc/self/exe", out, CALLER_PROGRAM_SIZE - 1);

    assert_true(length > 0);
    out[length] = '\0';
}

/* A socket, and its inode. */
static int make_socket(uint32_t *inode)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat facts;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &facts), 0);
    *inode = (uint32_t)facts.st_ino;
    return fd;
}

/* A child that holds it; with `program` one that executes that, once `ready` is closed. */
static pid_t hand_on(int fd, const char *program)
{
    int ready[2];
    char byte;
    pid_t child;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)fcntl(fd, F_SETFD, 0);
        if (program != NULL)
            execl(program, program, "1000", (char *)NULL);
        else
            close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 0);
    close(ready[0]);
    return child;
}

static void end(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

TEST(test_own)
{
    char own[CALLER_PROGRAM_SIZE] = "", found[CALLER_PROGRAM_SIZE] = "";
    uint32_t inode = 0;
    int fd = make_socket(&inode);

    own_path(own);
    assert_int_equal(caller_program(getuid(), inode, found), OK);
    assert_string_equal(found, own);
    if (getuid() != 0) /* whose processes may hold anybody's */
        assert_int_equal(caller_program(getuid() + 1, inode, found), ERROR_NOT_FOUND);
    close(fd);
    assert_int_equal(caller_program(getuid(), inode, found), ERROR_NOT_FOUND);
}

TEST(test_handed_on)
{
    char own[CALLER_PROGRAM_SIZE] = "", found[CALLER_PROGRAM_SIZE] = "";
    uint32_t inode = 0;
    int fd = make_socket(&inode);
    pid_t same = hand_on(fd, NULL), other;

    own_path(own);
    assert_int_equal(caller_program(getuid(), inode, found), OK);
    assert_string_equal(found, own);
    other = hand_on(fd, SLEEPER);
    assert_int_equal(caller_program(getuid(), inode, found), ERROR_NOT_FOUND);
    end(same);
    close(fd);
    assert_int_equal(caller_program(getuid(), inode, found), OK);
    assert_non_null(strstr(found, "/sleep"));
    end(other);
}

static void copy_program(const char *from, const char *to)
{
    char bytes[4096];
    ssize_t length;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

    assert_true(in >= 0 && out >= 0);
    while ((length = read(in, bytes, sizeof(bytes))) > 0)
        assert_int_equal(write(out, bytes, (size_t)length), length);
    assert_int_equal(length, 0);
    close(in);
    close(out);
}

/* What is executed is not there any more, and what is there is not executed. */
TEST(test_replaced)
{
    char folder[] = "/tmp/sidelock-XXXXXX", found[CALLER_PROGRAM_SIZE] = "";
    char program[64] = "", other[64] = "";
    uint32_t inode = 0;
    int fd = make_socket(&inode);
    pid_t child;

    assert_non_null(mkdtemp(folder));
    snprintf(program, sizeof(program), "%s/program", folder);
    snprintf(other, sizeof(other), "%s/other", folder);
    copy_program(SLEEPER, program);
    copy_program(SLEEPER, other);
    child = hand_on(fd, program);
    close(fd);
    assert_int_equal(caller_program(getuid(), inode, found), OK);
    assert_string_equal(found, program);
    assert_int_equal(rename(other, program), 0);
    assert_int_equal(caller_program(getuid(), inode, found), ERROR_NOT_FOUND);
    end(child);
    unlink(program);
    rmdir(folder);
}
