/*
 * Any bytes as a message from the other process: decoded within their bounds
 * or refused, and there is one encoding of everything, so that what was
 * decoded encodes to the same bytes.
 */
#include "ipc/messages.h"

#include "../unit/every_message.h"

#include "fuzz.h"

#include <string.h>

static void check_text(const char *text, const uint8_t *data, size_t size)
{
    const uint8_t *at = (const uint8_t *)text;

    require(text == NULL || (at > data && at < data + size));
    require(text == NULL || at + strlen(text) < data + size);
}

static void check_admit(const struct ipc_admit *admit, const uint8_t *data, size_t size)
{
    const char *const texts[] = {admit->request_id,
                                 admit->request.method,
                                 admit->request.raw_path,
                                 admit->request.query,
                                 admit->request.host,
                                 admit->request.origin,
                                 admit->request.authorization,
                                 admit->request.subprotocols,
                                 admit->request.cookie,
                                 admit->request.fetch_site,
                                 admit->request.referer,
                                 admit->request.strays,
                                 admit->request.certificate,
                                 admit->request.login_code};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_text(texts[i], data, size);
    require(admit->request_id != NULL && admit->request.method != NULL &&
            admit->request.raw_path != NULL);
    require(admit->connection <= IPC_CONNECTION_MAX);
    require(admit->header_count <= IPC_HEADERS_MAX);
    for (uint32_t i = 0; i < admit->header_count; i++) {
        require(admit->headers[i].name != NULL && admit->headers[i].value != NULL);
        check_text(admit->headers[i].name, data, size);
        check_text(admit->headers[i].value, data, size);
    }
}

static void check_list(const struct ipc_list *list, const uint8_t *data, size_t size)
{
    require(list->count <= IPC_LIST_MAX);
    for (uint32_t i = 0; i < list->count; i++) {
        require(list->items[i] != NULL);
        check_text(list->items[i], data, size);
    }
}

static void check_verdict(const struct ipc_verdict *verdict, const uint8_t *data, size_t size)
{
    require((unsigned)verdict->reason < REASON_COUNT);
    require(strlen(verdict->session_id) < IPC_SESSION_ID_SIZE);
    require(strlen(verdict->accept) < IPC_ACCEPT_SIZE);
    require(strlen(verdict->match_digest) < IPC_DIGEST_SIZE);
    check_text(verdict->offer, data, size);
    check_list(&verdict->verbs, data, size);
    check_list(&verdict->targets, data, size);
    check_text(verdict->answer, data, size);
    check_text(verdict->set_cookie, data, size);
}

static void check_denied(const struct ipc_denied *denied, const uint8_t *data, size_t size)
{
    require((unsigned)denied->reason < REASON_COUNT);
    check_text(denied->target, data, size);
    check_text(denied->path, data, size);
    check_text(denied->request_id, data, size);
    check_text(denied->method, data, size);
    check_text(denied->host, data, size);
    check_text(denied->seen, data, size);
}

static void check_refused(const struct ipc_refused *refused, const uint8_t *data, size_t size)
{
    require((unsigned)refused->reason < REASON_COUNT && refused->direction <= 1);
    check_text(refused->verb, data, size);
    check_text(refused->target, data, size);
}

static void check_suppressed(const struct ipc_suppressed *suppressed, const uint8_t *data,
                             size_t size)
{
    require(suppressed->session_id != NULL);
    check_text(suppressed->session_id, data, size);
}

static void check_closed(const struct ipc_closed *closed, const uint8_t *data, size_t size)
{
    require((unsigned)closed->reason < REASON_COUNT);
    check_text(closed->request_id, data, size);
    check_text(closed->path, data, size);
    check_text(closed->host, data, size);
    check_text(closed->seen, data, size);
}

static void check_counts(const struct ipc_counts *counts, const uint8_t *data, size_t size)
{
    (void)counts;
    (void)data;
    require(size == 1 + 4 + 4 * 8 + HISTOGRAM_NUMBERS * 8 + (size_t)2 * QUOTA_COUNT * 8);
}

static void check_cut_session(const struct ipc_cut_session *cut, const uint8_t *data, size_t size)
{
    require((unsigned)cut->reason < REASON_COUNT);
    check_text(cut->session_id, data, size);
}

static void check_cut_surface(const struct ipc_cut_surface *cut, const uint8_t *data, size_t size)
{
    (void)data;
    require((unsigned)cut->reason < REASON_COUNT && size == 1 + 4 + 4);
}

static void check_dial(const struct ipc_dial *dial, const uint8_t *data, size_t size)
{
    const char *const texts[] = {dial->request_id, dial->method, dial->path,      dial->query,
                                 dial->host,       dial->fields, dial->body_value};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_text(texts[i], data, size);
    require(dial->request_id != NULL && dial->method != NULL);
    require(dial->path != NULL && dial->host != NULL);
}

static void check_link(const struct ipc_link *link, const uint8_t *data, size_t size)
{
    (void)data;
    require((unsigned)link->reason < REASON_COUNT && size == 1 + 8 + 4 + 4);
}

static void check_extend(const struct ipc_extend *extend, const uint8_t *data, size_t size)
{
    require(extend->session_id != NULL);
    check_text(extend->session_id, data, size);
}

static void check_tls(const struct ipc_tls *tls, const uint8_t *data, size_t size)
{
    require(tls->certificate != NULL && tls->key != NULL);
    check_text(tls->certificate, data, size);
    check_text(tls->key, data, size);
    check_text(tls->client_ca, data, size);
}

static void check_listen(const struct ipc_listen *listen, const uint8_t *data, size_t size)
{
    (void)listen;
    (void)data;
    require(size == 1 + 4);
}

static void check_config(const struct ipc_config *config, const uint8_t *data, size_t size)
{
    (void)config;
    (void)data;
    require(size == 1 + IPC_SURFACES_MAX * 8);
}

static void check_ready(const struct ipc_ready *ready, const uint8_t *data, size_t size)
{
    (void)ready;
    (void)data;
    require(size == 1 + 3 * 4);
}

static void check_vacated(const struct ipc_vacated *vacated, const uint8_t *data, size_t size)
{
    (void)vacated;
    (void)data;
    require(size == 1 + 4);
}

static void check_vitals(const struct ipc_vitals *vitals, const uint8_t *data, size_t size)
{
    (void)vitals;
    (void)data;
    require(size == 1 + 2 * 8 + HISTOGRAM_NUMBERS * 8);
}

static void check_scraped(const struct ipc_scraped *scraped, const uint8_t *data, size_t size)
{
    (void)scraped;
    (void)data;
    require(size == 1 + 4 + 8);
}

/* Decodes by type, checks and encodes again; false if the message was refused. */
static bool translate(const uint8_t *data, size_t size, struct ipc_writer *writer)
{
    union every_message message;
    enum ipc_type type = ipc_type_of(data, size);

    switch (type) {
#define CASE(TYPE, name)                                                                           \
    case TYPE:                                                                                     \
        if (ipc_decode(TYPE, data, size, &message.name) != OK)                                     \
            return false;                                                                          \
        check_##name(&message.name, data, size);                                                   \
        ipc_encode(writer, TYPE, &message.name);                                                   \
        return true;
        EVERY_MESSAGE(CASE)
#undef CASE
    case IPC_SWITCH:
    case IPC_SWITCHED:
    case IPC_SCRAPE:
    case IPC_DRAIN:
        ipc_encode(writer, type, NULL);
        return ipc_decode(type, data, size, NULL) == OK;
    default:
        return false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char bytes[IPC_MESSAGE_BYTES_MAX];
    struct ipc_writer writer = {.bytes = bytes};

    if (size <= IPC_MESSAGE_BYTES_MAX && translate(data, size, &writer)) {
        require(!writer.failed && writer.length == size);
        require(memcmp(bytes, data, size) == 0);
    }
    return 0;
}
