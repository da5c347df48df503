#include "connect/connect.h"

#include "connect/bridge/bridge.h"

int connect_run(const struct connect_control *control)
{
    static const struct transport *const transports[] = {
        [CONNECT_WEBSOCKET] = &websocket_transport,
        [CONNECT_HTTP] = &streamable_transport,
    };

    return bridge_run(control, transports);
}
