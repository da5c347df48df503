/* A WebSocket surface: one connection, made anew when it is lost. */
#pragma once

#include "connect/bridge/bridge.h"

extern const struct transport websocket_transport;
