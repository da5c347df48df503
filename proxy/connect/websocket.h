/* A WebSocket surface: one connection, made anew when it is lost. */
#ifndef SIDELOCK_CONNECT_WEBSOCKET_H
#define SIDELOCK_CONNECT_WEBSOCKET_H

#include "connect/bridge/bridge.h"

extern const struct transport websocket_transport;

#endif
