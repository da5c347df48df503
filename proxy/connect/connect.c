#include "connect/connect.h"

#include "connect/http/streamable.h"
#include "connect/websocket.h"

int connect_run(const struct connect_control *control)
{
    static const struct transport *const transports[] = {
        [CONNECT_WEBSOCKET] = &websocket_transport,
        [CONNECT_HTTP] = &streamable_transport,
    };

    return bridge_run(control, transports);
}
