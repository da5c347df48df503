/* Messages with every field filled, and room to encode one. */
#pragma once

#include "ipc/messages.h"
#include "unit.h"

#include <string.h>

static unsigned char room[IPC_MESSAGE_BYTES_MAX];

static inline struct ipc_admit full_admit(void)
{
    struct ipc_admit admit = {.connection = IPC_CONNECTION_MAX,
                              .surface = 3,
                              .request_id = "0123456789abcdef",
                              .request.method = "GET",
                              .request.raw_path = "/api/mcp/ws/12",
                              .request.query = "server_params=x",
                              .request.host = "localhost:8081",
                              .request.origin = "http://localhost:8081",
                              .request.authorization = "Bearer x",
                              .request.subprotocols = "mcp",
                              .request.cookie = "c",
                              .request.fetch_site = "none",
                              .request.referer = "http://localhost:8081/",
                              .request.strays = "x",
                              .request.certificate = "d",
                              .request.login_code = "b",
                              .request.upgrade = true,
                              .header_count = IPC_HEADERS_MAX};

    for (uint32_t i = 0; i < IPC_HEADERS_MAX; i++)
        admit.headers[i] = (struct ipc_header_pair){"x-name", i % 2 != 0 ? "value" : ""};
    return admit;
}

static inline struct ipc_verdict full_verdict(void)
{
    struct ipc_verdict verdict = {.connection = 1,
                                  .reason = REASON_ALLOWED,
                                  .session_id = "00112233445566778899aabbccddeeff",
                                  .expires_at = -1,
                                  .route = 63,
                                  .accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                                  .offer = "mcp, other",
                                  .answer = "{}",
                                  .set_cookie = "a=b",
                                  .verbs = {.set = true, .count = IPC_LIST_MAX},
                                  .targets = {.set = true}};

    memset(verdict.match_digest, 'd', IPC_DIGEST_SIZE - 1);
    for (uint32_t i = 0; i < IPC_LIST_MAX; i++)
        verdict.verbs.items[i] = "list_tools";
    return verdict;
}
