#include "ipc/messages.h"

#include "wire/http_body.h"

#include <string.h>

enum kind {
    U32,     /* at most `limit` */
    U64,     /* also int64_t */
    NUMBER,  /* of a connection: at most IPC_CONNECTION_MAX */
    FLAG,    /* bool */
    REASON,  /* one that there is */
    TEXT,    /* may be NULL */
    NEEDED,  /* a text that may not */
    CHARS,   /* copied, `limit` bytes with its NUL */
    HEADERS, /* pairs, whose count lies at `limit` */
    LIST,    /* struct ipc_list */
    NUMBERS  /* `limit` of uint64_t */
};

/* A member of a message: where it lies in its structure, and what may be in it. */
struct field {
    enum ipc_type message;
    enum kind kind;
    size_t offset;
    size_t limit;
};

#define LIMITED(TYPE, type, kind, member, max)                                                     \
    {                                                                                              \
        IPC_##TYPE, kind, offsetof(struct ipc_##type, member), max                                 \
    }
#define AT(TYPE, type, kind, member) LIMITED(TYPE, type, kind, member, UINT32_MAX)

/* The members of all messages, in the order in which they travel. */
static const struct field fields[] = {
    AT(READY, ready, U32, landlock),
    AT(READY, ready, U32, tried),
    AT(READY, ready, U32, refused),
    AT(ADMIT, admit, NUMBER, connection),
    AT(ADMIT, admit, U32, surface),
    AT(ADMIT, admit, NEEDED, request_id),
    AT(ADMIT, admit, NEEDED, request.method),
    AT(ADMIT, admit, NEEDED, request.raw_path),
    AT(ADMIT, admit, TEXT, request.query),
    AT(ADMIT, admit, TEXT, request.host),
    AT(ADMIT, admit, TEXT, request.origin),
    AT(ADMIT, admit, TEXT, request.authorization),
    AT(ADMIT, admit, TEXT, request.subprotocols),
    AT(ADMIT, admit, TEXT, request.cookie),
    AT(ADMIT, admit, TEXT, request.fetch_site),
    AT(ADMIT, admit, TEXT, request.referer),
    AT(ADMIT, admit, TEXT, request.certificate),
    AT(ADMIT, admit, TEXT, request.login_code),
    AT(ADMIT, admit, TEXT, request.strays),
    AT(ADMIT, admit, FLAG, request.upgrade),
    LIMITED(ADMIT, admit, HEADERS, headers, offsetof(struct ipc_admit, header_count)),
    AT(VERDICT, verdict, NUMBER, connection),
    AT(VERDICT, verdict, U32, surface),
    AT(VERDICT, verdict, REASON, reason),
    LIMITED(VERDICT, verdict, CHARS, session_id, IPC_SESSION_ID_SIZE),
    AT(VERDICT, verdict, U64, expires_at),
    AT(VERDICT, verdict, U32, route),
    LIMITED(VERDICT, verdict, CHARS, accept, IPC_ACCEPT_SIZE),
    AT(VERDICT, verdict, TEXT, offer),
    LIMITED(VERDICT, verdict, CHARS, match_digest, IPC_DIGEST_SIZE),
    AT(VERDICT, verdict, LIST, verbs),
    AT(VERDICT, verdict, LIST, targets),
    AT(VERDICT, verdict, FLAG, once),
    AT(VERDICT, verdict, FLAG, crowded),
    AT(VERDICT, verdict, TEXT, answer),
    AT(VERDICT, verdict, TEXT, set_cookie),
    AT(DIAL, dial, NUMBER, connection),
    AT(DIAL, dial, U32, surface),
    AT(DIAL, dial, NEEDED, request_id),
    AT(DIAL, dial, NEEDED, method),
    AT(DIAL, dial, NEEDED, path),
    AT(DIAL, dial, TEXT, query),
    AT(DIAL, dial, NEEDED, host),
    AT(DIAL, dial, TEXT, fields),
    AT(DIAL, dial, TEXT, body_value),
    LIMITED(DIAL, dial, U32, body, HTTP_BODY_CHUNKED),
    AT(DIAL, dial, U64, body_bytes),
    AT(LINK, link, NUMBER, connection),
    AT(LINK, link, U32, surface),
    AT(LINK, link, REASON, reason),
    AT(DENIED, denied, NUMBER, connection),
    AT(DENIED, denied, U32, surface),
    AT(DENIED, denied, REASON, reason),
    AT(DENIED, denied, FLAG, caller_told),
    AT(DENIED, denied, U32, caller_uid_told),
    AT(DENIED, denied, TEXT, target),
    AT(DENIED, denied, TEXT, path),
    AT(DENIED, denied, TEXT, request_id),
    AT(DENIED, denied, TEXT, method),
    AT(DENIED, denied, TEXT, host),
    AT(DENIED, denied, TEXT, peer_told),
    AT(DENIED, denied, TEXT, seen),
    AT(REFUSED, refused, NUMBER, connection),
    AT(REFUSED, refused, U32, surface),
    LIMITED(REFUSED, refused, U32, direction, 1),
    AT(REFUSED, refused, FLAG, observed),
    AT(REFUSED, refused, REASON, reason),
    AT(REFUSED, refused, TEXT, verb),
    AT(REFUSED, refused, TEXT, target),
    AT(SUPPRESSED, suppressed, U32, surface),
    AT(SUPPRESSED, suppressed, NEEDED, session_id),
    AT(SUPPRESSED, suppressed, U64, count),
    AT(CLOSED, closed, NUMBER, connection),
    AT(CLOSED, closed, U32, surface),
    AT(CLOSED, closed, FLAG, opened),
    AT(CLOSED, closed, REASON, reason),
    AT(CLOSED, closed, U32, close_code),
    AT(CLOSED, closed, U64, requests),
    AT(CLOSED, closed, U64, messages_c2s),
    AT(CLOSED, closed, U64, messages_s2c),
    AT(CLOSED, closed, TEXT, request_id),
    AT(CLOSED, closed, TEXT, path),
    AT(CLOSED, closed, TEXT, host),
    AT(CLOSED, closed, TEXT, seen),
    AT(COUNTS, counts, U32, surface),
    AT(COUNTS, counts, U64, forwarded),
    AT(COUNTS, counts, U64, refused),
    AT(COUNTS, counts, U64, denied),
    AT(COUNTS, counts, U64, requests),
    LIMITED(COUNTS, counts, NUMBERS, service, HISTOGRAM_NUMBERS),
    LIMITED(COUNTS, counts, NUMBERS, quotas.refused, QUOTA_COUNT),
    LIMITED(COUNTS, counts, NUMBERS, quotas.gave_way, QUOTA_COUNT),
    AT(CUT_SESSION, cut_session, TEXT, session_id),
    AT(CUT_SESSION, cut_session, REASON, reason),
    AT(CUT_SURFACE, cut_surface, U32, surface),
    AT(CUT_SURFACE, cut_surface, REASON, reason),
    AT(EXTEND, extend, NEEDED, session_id),
    AT(EXTEND, extend, U64, expires_at),
    AT(LISTEN, listen, U32, surface),
    LIMITED(CONFIG, config, NUMBERS, slots, IPC_SURFACES_MAX),
    AT(VACATED, vacated, U32, surface),
    AT(VITALS, vitals, U64, cpu_us),
    AT(VITALS, vitals, U64, strays),
    LIMITED(VITALS, vitals, NUMBERS, loop_lag, HISTOGRAM_NUMBERS),
    AT(SCRAPED, scraped, U32, unready),
    AT(SCRAPED, scraped, U64, bytes),
    AT(TLS, tls, U32, surface),
    AT(TLS, tls, NEEDED, certificate),
    AT(TLS, tls, NEEDED, key),
    AT(TLS, tls, TEXT, client_ca),
};

/* The size of its structure; 0 where a message says nothing more than its type. */
static const size_t sizes[IPC_TYPE_COUNT] = {
    [IPC_READY] = sizeof(struct ipc_ready),
    [IPC_ADMIT] = sizeof(struct ipc_admit),
    [IPC_VERDICT] = sizeof(struct ipc_verdict),
    [IPC_DIAL] = sizeof(struct ipc_dial),
    [IPC_LINK] = sizeof(struct ipc_link),
    [IPC_DENIED] = sizeof(struct ipc_denied),
    [IPC_REFUSED] = sizeof(struct ipc_refused),
    [IPC_CLOSED] = sizeof(struct ipc_closed),
    [IPC_SUPPRESSED] = sizeof(struct ipc_suppressed),
    [IPC_COUNTS] = sizeof(struct ipc_counts),
    [IPC_CUT_SESSION] = sizeof(struct ipc_cut_session),
    [IPC_CUT_SURFACE] = sizeof(struct ipc_cut_surface),
    [IPC_EXTEND] = sizeof(struct ipc_extend),
    [IPC_TLS] = sizeof(struct ipc_tls),
    [IPC_LISTEN] = sizeof(struct ipc_listen),
    [IPC_CONFIG] = sizeof(struct ipc_config),
    [IPC_VACATED] = sizeof(struct ipc_vacated),
    [IPC_VITALS] = sizeof(struct ipc_vitals),
    [IPC_SCRAPED] = sizeof(struct ipc_scraped),
};

enum ipc_type ipc_type_of(const void *bytes, size_t length)
{
    uint8_t type = length > 0 ? *(const uint8_t *)bytes : 0;

    return type < IPC_TYPE_COUNT ? (enum ipc_type)type : IPC_NONE;
}

/* A count, and whether there is room for so many. */
static void put_count(struct ipc_writer *writer, uint32_t count, uint32_t max)
{
    ipc_put_number(writer, count, 4);
    writer->failed = writer->failed || count > max;
}

static uint32_t get_count(struct ipc_reader *reader, uint32_t max)
{
    uint32_t count = (uint32_t)ipc_get_number(reader, 4);

    reader->failed = reader->failed || count > max;
    return reader->failed ? 0 : count;
}

static const char *get_needed(struct ipc_reader *reader)
{
    const char *text = ipc_get_text(reader);

    reader->failed = reader->failed || text == NULL;
    return text;
}

static void put_headers(struct ipc_writer *writer, const struct ipc_header_pair *pairs,
                        uint32_t count)
{
    put_count(writer, count, IPC_HEADERS_MAX);
    for (uint32_t i = 0; !writer->failed && i < count; i++) {
        ipc_put_text(writer, pairs[i].name);
        ipc_put_text(writer, pairs[i].value);
    }
}

static uint32_t get_headers(struct ipc_reader *reader, struct ipc_header_pair *pairs)
{
    uint32_t count = get_count(reader, IPC_HEADERS_MAX);

    for (uint32_t i = 0; i < count; i++) {
        pairs[i].name = get_needed(reader);
        pairs[i].value = get_needed(reader);
    }
    return count;
}

static void put_list(struct ipc_writer *writer, const struct ipc_list *list)
{
    ipc_put_number(writer, list->set, 1);
    put_count(writer, list->count, IPC_LIST_MAX);
    for (uint32_t i = 0; !writer->failed && i < list->count; i++)
        ipc_put_text(writer, list->items[i]);
}

static void get_list(struct ipc_reader *reader, struct ipc_list *list)
{
    list->set = ipc_get_bool(reader);
    list->count = get_count(reader, IPC_LIST_MAX);
    for (uint32_t i = 0; i < list->count; i++)
        list->items[i] = get_needed(reader);
}

static void put_field(struct ipc_writer *writer, const struct field *field, const char *message)
{
    const void *at = message + field->offset;

    switch (field->kind) {
    case U32:
    case REASON:
        ipc_put_number(writer, *(const uint32_t *)at, 4);
        break;
    case U64:
    case NUMBER:
        ipc_put_number(writer, *(const uint64_t *)at, 8);
        break;
    case FLAG:
        ipc_put_number(writer, *(const bool *)at, 1);
        break;
    case TEXT:
    case NEEDED:
        ipc_put_text(writer, *(const char *const *)at);
        break;
    case CHARS:
        ipc_put_text(writer, at);
        break;
    case HEADERS:
        put_headers(writer, at, *(const uint32_t *)(const void *)(message + field->limit));
        break;
    case LIST:
        put_list(writer, at);
        break;
    case NUMBERS:
        for (size_t i = 0; i < field->limit; i++)
            ipc_put_number(writer, ((const uint64_t *)at)[i], 8);
        break;
    }
}

static void get_field(struct ipc_reader *reader, const struct field *field, char *message)
{
    void *at = message + field->offset;

    switch (field->kind) {
    case U32:
        *(uint32_t *)at = (uint32_t)ipc_get_number(reader, 4);
        reader->failed = reader->failed || *(uint32_t *)at > field->limit;
        break;
    case REASON:
        *(enum reason *)at = (enum reason)get_count(reader, REASON_COUNT - 1);
        break;
    case U64:
        *(uint64_t *)at = ipc_get_number(reader, 8);
        break;
    case NUMBER:
        *(uint64_t *)at = ipc_get_number(reader, 8);
        reader->failed = reader->failed || *(uint64_t *)at > IPC_CONNECTION_MAX;
        break;
    case FLAG:
        *(bool *)at = ipc_get_bool(reader);
        break;
    case TEXT:
        *(const char **)at = ipc_get_text(reader);
        break;
    case NEEDED:
        *(const char **)at = get_needed(reader);
        break;
    case CHARS:
        ipc_get_text_into(reader, at, field->limit);
        break;
    case HEADERS:
        *(uint32_t *)(void *)(message + field->limit) = get_headers(reader, at);
        break;
    case LIST:
        get_list(reader, at);
        break;
    case NUMBERS:
        for (size_t i = 0; i < field->limit; i++)
            ((uint64_t *)at)[i] = ipc_get_number(reader, 8);
        break;
    }
}

_Static_assert(sizeof(enum reason) == sizeof(uint32_t), "a reason travels as a u32");
_Static_assert(REASON_INTERNAL == 0, "what could not be read is a denial");

void ipc_encode(struct ipc_writer *writer, enum ipc_type type, const void *message)
{
    ipc_put_number(writer, type, 1);
    for (size_t i = 0; message != NULL && i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].message == type)
            put_field(writer, &fields[i], message);
    }
}

enum error ipc_decode(enum ipc_type type, const void *bytes, size_t length, void *out)
{
    struct ipc_reader reader = {.bytes = bytes, .length = length};

    if (type == IPC_NONE || ipc_get_number(&reader, 1) != type || (out == NULL && sizes[type] > 0))
        return ERROR_SYNTAX;
    if (out != NULL)
        memset(out, 0, sizes[type]);
    for (size_t i = 0; out != NULL && i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].message == type)
            get_field(&reader, &fields[i], out);
    }
    return ipc_reader_done(&reader) ? OK : ERROR_SYNTAX;
}
