#include "broker/core/lanes.h"

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    lane_reap(poll->data);
}

enum error lanes_watch(uv_loop_t *loop, uv_poll_t *poll, struct lane *lane)
{
    if (uv_poll_init(loop, poll, lane_fd(lane)) != 0)
        return ERROR_IO;
    poll->data = lane;
    return uv_poll_start(poll, UV_READABLE, on_readable) == 0 ? OK : ERROR_IO;
}
