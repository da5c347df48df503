/* Tells a service manager that the service is up (sd_notify(3) protocol). */
#pragma once

/* Sends READY=1 to $NOTIFY_SOCKET; nothing if that is not set. */
void notify_ready(void);
