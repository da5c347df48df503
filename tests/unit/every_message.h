/* Every message of ipc/messages.h that has fields, by its type and its name. */
#pragma once

#include "ipc/messages.h"

#define EVERY_MESSAGE(X)                                                                           \
    X(IPC_READY, ready)                                                                            \
    X(IPC_ADMIT, admit)                                                                            \
    X(IPC_VERDICT, verdict)                                                                        \
    X(IPC_DENIED, denied)                                                                          \
    X(IPC_REFUSED, refused)                                                                        \
    X(IPC_SUPPRESSED, suppressed)                                                                  \
    X(IPC_CLOSED, closed)                                                                          \
    X(IPC_COUNTS, counts)                                                                          \
    X(IPC_CUT_SESSION, cut_session)                                                                \
    X(IPC_CUT_SURFACE, cut_surface)                                                                \
    X(IPC_DIAL, dial)                                                                              \
    X(IPC_LINK, link)                                                                              \
    X(IPC_EXTEND, extend)                                                                          \
    X(IPC_TLS, tls)                                                                                \
    X(IPC_LISTEN, listen)                                                                          \
    X(IPC_CONFIG, config)                                                                          \
    X(IPC_VACATED, vacated)                                                                        \
    X(IPC_VITALS, vitals)                                                                          \
    X(IPC_SCRAPED, scraped)

union every_message {
#define MEMBER(TYPE, name) struct ipc_##name name;
    EVERY_MESSAGE(MEMBER)
#undef MEMBER
};
