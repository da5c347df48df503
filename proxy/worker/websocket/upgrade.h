/* The service's 101 (RFC 6455 section 4.1): what a client checks of it. */
#pragma once

#include "ipc/messages.h"
#include "wire/http_head.h"

#define UPGRADE_ANSWER_SIZE 512

struct upgrade;

/* What the service was offered and owes; `ticket` is what the client is answered if the service
 * chooses nothing. NULL without memory. */
struct upgrade *upgrade_create(const struct ipc_verdict *verdict, const char *ticket);
void upgrade_destroy(struct upgrade *upgrade);
/* More of the service's response has come. HTTP_FAULT with the reason for the client. */
enum http_progress upgrade_read(struct upgrade *upgrade, const unsigned char *bytes, size_t length,
                                enum reason *reason);
/* The first line of what the service answered, as far as it is there. */
struct span upgrade_status_line(const struct upgrade *upgrade);
/* Once it is complete: what the client is answered ("": nothing), and the bytes behind the head. */
const char *upgrade_subprotocol(const struct upgrade *upgrade);
/* The 101 that the client is answered (section 4.2.2), who showed this key: its length. */
size_t upgrade_answer(const struct upgrade *upgrade, const char *key,
                      char out[UPGRADE_ANSWER_SIZE]);
struct span upgrade_rest(const struct upgrade *upgrade);
