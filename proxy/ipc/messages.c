#include "ipc/messages.h"

#include <string.h>

bool ipc_permits_from_worker(enum ipc_state state, enum ipc_type type)
{
    switch (type) {
    case IPC_READY:
        return state == IPC_STARTING;
    case IPC_ADMIT:
    case IPC_DIAL:
        return state == IPC_RUNNING;
    case IPC_DENIED:
    case IPC_REFUSED:
    case IPC_CLOSED:
    case IPC_COUNTS:
        return state == IPC_RUNNING || state == IPC_DRAINING;
    default:
        return false;
    }
}

bool ipc_permits_from_broker(enum ipc_type type)
{
    return type == IPC_VERDICT || type == IPC_LINK || type == IPC_CUT_SESSION ||
           type == IPC_CUT_SURFACE || type == IPC_EXTEND || type == IPC_TLS || type == IPC_DRAIN;
}

static void put_type(struct ipc_writer *writer, enum ipc_type type)
{
    ipc_put_u8(writer, (uint8_t)type);
}

static void put_reason(struct ipc_writer *writer, enum reason reason)
{
    ipc_put_u32(writer, (uint32_t)reason);
}

static struct ipc_reader open_message(const void *bytes, size_t length)
{
    struct ipc_reader reader = {.bytes = bytes, .length = length};

    ipc_get_u8(&reader); /* the type, which the caller has read */
    return reader;
}

static enum error finish(const struct ipc_reader *reader)
{
    return ipc_reader_done(reader) ? OK : ERROR_SYNTAX;
}

static enum reason get_reason(struct ipc_reader *reader)
{
    uint32_t value = ipc_get_u32(reader);

    if (value >= REASON_COUNT)
        reader->failed = true;
    return reader->failed ? REASON_INTERNAL : (enum reason)value;
}

enum ipc_type ipc_type_of(const void *bytes, size_t length)
{
    uint8_t type = length > 0 ? *(const uint8_t *)bytes : 0;

    return type < IPC_TYPE_COUNT ? (enum ipc_type)type : IPC_NONE;
}

void ipc_encode_bare(struct ipc_writer *writer, enum ipc_type type)
{
    put_type(writer, type);
}

enum error ipc_decode_bare(const void *bytes, size_t length)
{
    struct ipc_reader reader = open_message(bytes, length);

    return finish(&reader);
}

void ipc_encode_admit(struct ipc_writer *writer, const struct ipc_admit *admit)
{
    put_type(writer, IPC_ADMIT);
    ipc_put_u64(writer, admit->connection);
    ipc_put_u32(writer, admit->surface);
    ipc_put_text(writer, admit->request_id);
    ipc_put_text(writer, admit->listener_address);
    ipc_put_u32(writer, admit->listener_port);
    ipc_put_text(writer, admit->method);
    ipc_put_text(writer, admit->path);
    ipc_put_text(writer, admit->query);
    ipc_put_text(writer, admit->host);
    ipc_put_text(writer, admit->origin);
    ipc_put_text(writer, admit->authorization);
    ipc_put_text(writer, admit->subprotocols);
    ipc_put_text(writer, admit->cookie);
    ipc_put_text(writer, admit->fetch_site);
    ipc_put_text(writer, admit->certificate);
    ipc_put_text(writer, admit->body);
    ipc_put_u8(writer, admit->secure);
    ipc_put_u8(writer, admit->upgrade);
    ipc_put_u8(writer, admit->caller_known);
    ipc_put_u32(writer, admit->caller_uid);
    ipc_put_u32(writer, admit->header_count);
    writer->failed = writer->failed || admit->header_count > IPC_HEADERS_MAX;
    for (uint32_t i = 0; !writer->failed && i < admit->header_count; i++) {
        ipc_put_text(writer, admit->headers[i].name);
        ipc_put_text(writer, admit->headers[i].value);
    }
}

enum error ipc_decode_admit(const void *bytes, size_t length, struct ipc_admit *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_admit){0};
    out->connection = ipc_get_u64(&reader);
    out->surface = ipc_get_u32(&reader);
    out->request_id = ipc_get_text(&reader);
    out->listener_address = ipc_get_text(&reader);
    out->listener_port = ipc_get_u32(&reader);
    out->method = ipc_get_text(&reader);
    out->path = ipc_get_text(&reader);
    out->query = ipc_get_text(&reader);
    out->host = ipc_get_text(&reader);
    out->origin = ipc_get_text(&reader);
    out->authorization = ipc_get_text(&reader);
    out->subprotocols = ipc_get_text(&reader);
    out->cookie = ipc_get_text(&reader);
    out->fetch_site = ipc_get_text(&reader);
    out->certificate = ipc_get_text(&reader);
    out->body = ipc_get_text(&reader);
    out->secure = ipc_get_bool(&reader);
    out->upgrade = ipc_get_bool(&reader);
    out->caller_known = ipc_get_bool(&reader);
    out->caller_uid = ipc_get_u32(&reader);
    out->header_count = ipc_get_u32(&reader);
    if (out->header_count > IPC_HEADERS_MAX)
        return ERROR_SYNTAX;
    for (uint32_t i = 0; i < out->header_count; i++) {
        out->headers[i].name = ipc_get_text(&reader);
        out->headers[i].value = ipc_get_text(&reader);
        if (out->headers[i].name == NULL || out->headers[i].value == NULL)
            return ERROR_SYNTAX;
    }
    if (out->request_id == NULL || out->listener_address == NULL ||
        out->listener_port > UINT16_MAX || out->method == NULL || out->path == NULL)
        return ERROR_SYNTAX;
    return finish(&reader);
}

static void put_list(struct ipc_writer *writer, const struct ipc_list *list)
{
    ipc_put_u8(writer, list->set);
    ipc_put_u32(writer, list->count);
    writer->failed = writer->failed || list->count > IPC_LIST_MAX;
    for (uint32_t i = 0; !writer->failed && i < list->count; i++)
        ipc_put_text(writer, list->items[i]);
}

static void get_list(struct ipc_reader *reader, struct ipc_list *list)
{
    list->set = ipc_get_bool(reader);
    list->count = ipc_get_u32(reader);
    if (list->count > IPC_LIST_MAX)
        reader->failed = true;
    for (uint32_t i = 0; !reader->failed && i < list->count; i++) {
        list->items[i] = ipc_get_text(reader);
        if (list->items[i] == NULL)
            reader->failed = true;
    }
}

void ipc_encode_verdict(struct ipc_writer *writer, const struct ipc_verdict *verdict)
{
    put_type(writer, IPC_VERDICT);
    ipc_put_u64(writer, verdict->connection);
    ipc_put_u32(writer, verdict->surface);
    put_reason(writer, verdict->reason);
    ipc_put_text(writer, verdict->session_id);
    ipc_put_u64(writer, (uint64_t)verdict->expires_at);
    ipc_put_u32(writer, verdict->route);
    ipc_put_text(writer, verdict->accept);
    ipc_put_text(writer, verdict->offer);
    ipc_put_text(writer, verdict->match_digest);
    put_list(writer, &verdict->verbs);
    put_list(writer, &verdict->targets);
    ipc_put_text(writer, verdict->answer);
    ipc_put_text(writer, verdict->set_cookie);
}

enum error ipc_decode_verdict(const void *bytes, size_t length, struct ipc_verdict *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_verdict){0};
    out->connection = ipc_get_u64(&reader);
    out->surface = ipc_get_u32(&reader);
    out->reason = get_reason(&reader);
    ipc_get_text_into(&reader, out->session_id, sizeof(out->session_id));
    out->expires_at = (int64_t)ipc_get_u64(&reader);
    out->route = ipc_get_u32(&reader);
    ipc_get_text_into(&reader, out->accept, sizeof(out->accept));
    out->offer = ipc_get_text(&reader);
    ipc_get_text_into(&reader, out->match_digest, sizeof(out->match_digest));
    get_list(&reader, &out->verbs);
    get_list(&reader, &out->targets);
    out->answer = ipc_get_text(&reader);
    out->set_cookie = ipc_get_text(&reader);
    return finish(&reader);
}

void ipc_encode_dial(struct ipc_writer *writer, const struct ipc_dial *dial)
{
    put_type(writer, IPC_DIAL);
    ipc_put_u64(writer, dial->connection);
    ipc_put_u32(writer, dial->surface);
    ipc_put_text(writer, dial->request_id);
    ipc_put_text(writer, dial->session_id);
    ipc_put_text(writer, dial->method);
    ipc_put_text(writer, dial->path);
    ipc_put_text(writer, dial->query);
    ipc_put_text(writer, dial->host);
    ipc_put_text(writer, dial->fields);
    ipc_put_text(writer, dial->body_value);
    ipc_put_u8(writer, dial->caller_known);
    ipc_put_u32(writer, dial->caller_uid);
}

enum error ipc_decode_dial(const void *bytes, size_t length, struct ipc_dial *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_dial){0};
    out->connection = ipc_get_u64(&reader);
    out->surface = ipc_get_u32(&reader);
    out->request_id = ipc_get_text(&reader);
    out->session_id = ipc_get_text(&reader);
    out->method = ipc_get_text(&reader);
    out->path = ipc_get_text(&reader);
    out->query = ipc_get_text(&reader);
    out->host = ipc_get_text(&reader);
    out->fields = ipc_get_text(&reader);
    out->body_value = ipc_get_text(&reader);
    out->caller_known = ipc_get_bool(&reader);
    out->caller_uid = ipc_get_u32(&reader);
    if (out->request_id == NULL || out->session_id == NULL || out->method == NULL ||
        out->path == NULL || out->host == NULL)
        return ERROR_SYNTAX;
    return finish(&reader);
}

void ipc_encode_link(struct ipc_writer *writer, const struct ipc_link *link)
{
    put_type(writer, IPC_LINK);
    ipc_put_u64(writer, link->connection);
    ipc_put_u32(writer, link->surface);
    put_reason(writer, link->reason);
}

enum error ipc_decode_link(const void *bytes, size_t length, struct ipc_link *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_link){0};
    out->connection = ipc_get_u64(&reader);
    out->surface = ipc_get_u32(&reader);
    out->reason = get_reason(&reader);
    return finish(&reader);
}

void ipc_encode_denied(struct ipc_writer *writer, const struct ipc_denied *denied)
{
    put_type(writer, IPC_DENIED);
    ipc_put_u32(writer, denied->surface);
    put_reason(writer, denied->reason);
    ipc_put_u8(writer, denied->caller_known);
    ipc_put_u32(writer, denied->caller_uid);
    ipc_put_text(writer, denied->query);
    ipc_put_text(writer, denied->path);
    ipc_put_text(writer, denied->request_id);
    ipc_put_text(writer, denied->session_id);
}

enum error ipc_decode_denied(const void *bytes, size_t length, struct ipc_denied *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_denied){0};
    out->surface = ipc_get_u32(&reader);
    out->reason = get_reason(&reader);
    out->caller_known = ipc_get_bool(&reader);
    out->caller_uid = ipc_get_u32(&reader);
    out->query = ipc_get_text(&reader);
    out->path = ipc_get_text(&reader);
    out->request_id = ipc_get_text(&reader);
    out->session_id = ipc_get_text(&reader);
    return finish(&reader);
}

void ipc_encode_refused(struct ipc_writer *writer, const struct ipc_refused *refused)
{
    put_type(writer, IPC_REFUSED);
    ipc_put_u64(writer, refused->connection);
    ipc_put_u32(writer, refused->surface);
    ipc_put_u32(writer, refused->direction);
    ipc_put_u8(writer, refused->observed);
    put_reason(writer, refused->reason);
    ipc_put_text(writer, refused->session_id);
    ipc_put_text(writer, refused->verb);
    ipc_put_text(writer, refused->target);
}

enum error ipc_decode_refused(const void *bytes, size_t length, struct ipc_refused *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_refused){0};
    out->connection = ipc_get_u64(&reader);
    out->surface = ipc_get_u32(&reader);
    out->direction = ipc_get_u32(&reader);
    out->observed = ipc_get_bool(&reader);
    out->reason = get_reason(&reader);
    out->session_id = ipc_get_text(&reader);
    out->verb = ipc_get_text(&reader);
    out->target = ipc_get_text(&reader);
    if (out->direction > 1)
        return ERROR_SYNTAX;
    return finish(&reader);
}

void ipc_encode_closed(struct ipc_writer *writer, const struct ipc_closed *closed)
{
    put_type(writer, IPC_CLOSED);
    ipc_put_u64(writer, closed->connection);
    ipc_put_u32(writer, closed->surface);
    ipc_put_u8(writer, closed->opened);
    put_reason(writer, closed->reason);
    ipc_put_u32(writer, closed->close_code);
    ipc_put_text(writer, closed->session_id);
    ipc_put_u64(writer, closed->requests);
    ipc_put_u64(writer, closed->messages_c2s);
    ipc_put_u64(writer, closed->messages_s2c);
}

enum error ipc_decode_closed(const void *bytes, size_t length, struct ipc_closed *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_closed){0};
    out->connection = ipc_get_u64(&reader);
    out->surface = ipc_get_u32(&reader);
    out->opened = ipc_get_bool(&reader);
    out->reason = get_reason(&reader);
    out->close_code = ipc_get_u32(&reader);
    out->session_id = ipc_get_text(&reader);
    out->requests = ipc_get_u64(&reader);
    out->messages_c2s = ipc_get_u64(&reader);
    out->messages_s2c = ipc_get_u64(&reader);
    return finish(&reader);
}

void ipc_encode_counts(struct ipc_writer *writer, const struct ipc_counts *counts)
{
    put_type(writer, IPC_COUNTS);
    ipc_put_u32(writer, counts->surface);
    ipc_put_u64(writer, counts->forwarded);
    ipc_put_u64(writer, counts->refused);
}

enum error ipc_decode_counts(const void *bytes, size_t length, struct ipc_counts *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_counts){0};
    out->surface = ipc_get_u32(&reader);
    out->forwarded = ipc_get_u64(&reader);
    out->refused = ipc_get_u64(&reader);
    return finish(&reader);
}

void ipc_encode_cut_session(struct ipc_writer *writer, const struct ipc_cut_session *cut)
{
    put_type(writer, IPC_CUT_SESSION);
    ipc_put_text(writer, cut->session_id);
    put_reason(writer, cut->reason);
}

enum error ipc_decode_cut_session(const void *bytes, size_t length, struct ipc_cut_session *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_cut_session){0};
    out->session_id = ipc_get_text(&reader);
    out->reason = get_reason(&reader);
    return finish(&reader);
}

void ipc_encode_cut_surface(struct ipc_writer *writer, const struct ipc_cut_surface *cut)
{
    put_type(writer, IPC_CUT_SURFACE);
    ipc_put_u32(writer, cut->surface);
    put_reason(writer, cut->reason);
}

enum error ipc_decode_cut_surface(const void *bytes, size_t length, struct ipc_cut_surface *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_cut_surface){0};
    out->surface = ipc_get_u32(&reader);
    out->reason = get_reason(&reader);
    return finish(&reader);
}

void ipc_encode_extend(struct ipc_writer *writer, const struct ipc_extend *extend)
{
    put_type(writer, IPC_EXTEND);
    ipc_put_text(writer, extend->session_id);
    ipc_put_u64(writer, (uint64_t)extend->expires_at);
}

enum error ipc_decode_extend(const void *bytes, size_t length, struct ipc_extend *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_extend){0};
    out->session_id = ipc_get_text(&reader);
    out->expires_at = (int64_t)ipc_get_u64(&reader);
    if (out->session_id == NULL)
        return ERROR_SYNTAX;
    return finish(&reader);
}

void ipc_encode_tls(struct ipc_writer *writer, const struct ipc_tls *tls)
{
    put_type(writer, IPC_TLS);
    ipc_put_u32(writer, tls->surface);
    ipc_put_text(writer, tls->certificate);
    ipc_put_text(writer, tls->key);
    ipc_put_text(writer, tls->client_ca);
}

enum error ipc_decode_tls(const void *bytes, size_t length, struct ipc_tls *out)
{
    struct ipc_reader reader = open_message(bytes, length);

    *out = (struct ipc_tls){0};
    out->surface = ipc_get_u32(&reader);
    out->certificate = ipc_get_text(&reader);
    out->key = ipc_get_text(&reader);
    out->client_ca = ipc_get_text(&reader);
    if (out->certificate == NULL || out->key == NULL)
        return ERROR_SYNTAX;
    return finish(&reader);
}
