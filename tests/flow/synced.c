/*
 * The program itself, but for one thing: where the thread that runs the event loop waits for the
 * disk, it says so and dies. For flow.synced.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

int __real_uv_run(uv_loop_t *loop, uv_run_mode mode);
int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode);

static bool running;

int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    int left;

    running = mode == UV_RUN_DEFAULT;
    left = __real_uv_run(loop, mode);
    running = false;
    return left;
}

static void check(void)
{
    static const char text[] = "flow.synced: the loop waits for the disk\n";

    if (!running || syscall(SYS_gettid) != getpid())
        return;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    abort();
}

/* In the place of libc's, for SQLite as well. */
int fsync(int fd)
{
    check();
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    check();
    return (int)syscall(SYS_fdatasync, fd);
}
