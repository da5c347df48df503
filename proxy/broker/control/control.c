#include "broker/control/control.h"

#include "base/log.h"
#include "broker/control/http.h"
#include "broker/core/journal.h"
#include "setup/directories.h"
#include "system/access_list.h"
#include "system/unix_listener.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCEPTS_MAX        64  /* in one turn of the loop */
#define PAUSE_MS           200 /* without accepting, when descriptors have run out */
#define CLOSING_ROUNDS_MAX 16

struct control {
    struct gate *gate;
    int fd;
    dev_t device; /* of the socket's path, so that nobody else's is removed */
    ino_t inode;
    uv_poll_t listener;
    uv_timer_t pause;
    unsigned handles; /* of the two above, not closed yet */
    struct control_http http;
};

/* Lets operators connect: they alone, where the file system knows lists of users. */
static enum error admit_operators(const struct config *config)
{
    const char *path = config->control_socket;

    if (access_list_set(path, config->operator_uids, config->operator_uid_count) == OK)
        return OK;
    log_warning("the control socket %s can have no list of its operators (%s), so every user can "
                "connect to it and is refused only then; set control_socket on another file system",
                path, strerror(errno));
    if (chmod(path, 0666) == 0)
        return OK;
    log_error("the control socket %s cannot be opened to operators: %s", path, strerror(errno));
    return ERROR_IO;
}

enum error control_socket_listen(const struct config *config, int *out)
{
    char directory[CONFIG_SOCKET_BYTES_MAX + 1];
    enum error error = directories_make_control(config, directory);
    int fd = -1;

    if (error == OK)
        error = unix_listener_open(config->control_socket, "control_socket", 0600, &fd);
    if (error == OK && config->operator_uid_count > 0)
        error = admit_operators(config);
    if (error == OK)
        *out = fd;
    else if (fd >= 0)
        close(fd);
    return error;
}

bool control_socket_permits(const struct config *config, int fd, uint32_t *uid)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || length != sizeof(peer))
        return false;
    *uid = peer.uid;
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    for (size_t i = 0; i < config->operator_uid_count; i++) {
        if (config->operator_uids[i] == peer.uid)
            return true;
    }
    return false;
}

/* Nothing is made for one who is refused, and beyond its share of lines nothing written or said. */
static void refuse_operator(struct control *control, int fd, uint32_t uid)
{
    struct audit *audit =
        journal_begin(control->gate, "operator_refused", lines_client(NULL, true, uid));

    control->gate->operators_refused++;
    if (audit == NULL) {
        close(fd);
        return;
    }
    audit_number(audit, "uid", uid);
    journal_commit(audit);
    control_http_turn_away(fd, 403,
                           "only the user that runs Sidelock, root and its operators may do this");
}

static void serve(struct control *control, int fd)
{
    uint32_t uid = UINT32_MAX;

    if (!control_socket_permits(control->gate->surfaces.config, fd, &uid)) {
        refuse_operator(control, fd, uid);
        return;
    }
    if (!control_http_serve(&control->http, fd, uid))
        control_http_turn_away(fd, 503, "too many operators at once; try again");
}

static void on_connection(uv_poll_t *handle, int status, int events);

static void on_resume(uv_timer_t *timer)
{
    struct control *control = timer->data;

    uv_poll_start(&control->listener, UV_READABLE, on_connection);
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
    struct control *control = handle->data;
    unsigned accepted = 0;
    int fd;

    (void)events;
    if (status < 0)
        log_warning("the control socket: %s", uv_strerror(status));
    while (accepted++ < ACCEPTS_MAX &&
           (fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        serve(control, fd);
    /* What is left makes it readable again, after what others have to say. */
    if (accepted > ACCEPTS_MAX)
        return;
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
        return;
    /* The connection stays in the queue and the socket readable: do not spin on it. */
    log_warning("the control socket cannot accept: %s", strerror(errno));
    uv_poll_stop(handle);
    uv_timer_start(&control->pause, on_resume, PAUSE_MS, 0);
}

static void remember_path(struct control *control)
{
    struct stat status;

    if (lstat(control->gate->surfaces.config->control_socket, &status) == 0) {
        control->device = status.st_dev;
        control->inode = status.st_ino;
    }
}

static enum error watch_listener(struct control *control)
{
    control->listener.data = control;
    control->pause.data = control;
    if (uv_poll_init(&control->gate->loop, &control->listener, control->fd) != 0)
        return ERROR_IO;
    uv_timer_init(&control->gate->loop, &control->pause);
    control->handles = 2;
    return uv_poll_start(&control->listener, UV_READABLE, on_connection) == 0 ? OK : ERROR_IO;
}

/* Tokens and records pass through jansson's values: nothing of them stays in freed memory. */
static void wipe_and_free(void *memory)
{
    if (memory != NULL)
        secret_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

enum error control_create(struct gate *gate, struct control **out)
{
    struct control *control = calloc(1, sizeof(*control));
    enum error error;

    if (control == NULL)
        return ERROR_MEMORY;
    json_set_alloc_funcs(malloc, wipe_and_free);
    control->gate = gate;
    control->http.gate = gate;
    control->fd = -1;
    error = control_socket_listen(gate->surfaces.config, &control->fd);
    if (error == OK) {
        remember_path(control);
        error = watch_listener(control);
    }
    if (error != OK) {
        control_destroy(control);
        return error;
    }
    *out = control;
    return OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;

    control->handles--;
}

static void remove_path(const struct control *control)
{
    const char *path = control->gate->surfaces.config->control_socket;
    struct stat status;

    if (lstat(path, &status) == 0 && status.st_dev == control->device &&
        status.st_ino == control->inode)
        unlink(path);
}

void control_destroy(struct control *control)
{
    if (control == NULL)
        return;
    if (control->handles > 0) {
        uv_close((uv_handle_t *)&control->pause, on_closed);
        uv_close((uv_handle_t *)&control->listener, on_closed);
    }
    control_http_close(&control->http);
    for (int i = 0; i < CLOSING_ROUNDS_MAX && control->handles + control->http.count > 0; i++)
        uv_run(&control->gate->loop, UV_RUN_NOWAIT);
    if (control->fd >= 0) {
        remove_path(control);
        close(control->fd);
    }
    free(control);
}
