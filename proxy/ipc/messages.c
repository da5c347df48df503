#include "ipc/messages.h"

#include <string.h>

enum kind {
    END = 0,
    U32,     /* at most `limit` */
    U64,     /* also int64_t */
    FLAG,    /* bool */
    REASON,  /* one that there is */
    TEXT,    /* may be NULL */
    NEEDED,  /* a text that may not */
    CHARS,   /* copied, `limit` bytes with its NUL */
    HEADERS, /* pairs, whose count lies at `limit` */
    LIST     /* struct ipc_list */
};

/* Where a member lies in its structure, and what may be in it. */
struct field {
    enum kind kind;
    size_t offset;
    size_t limit;
};

/* The members of each message, in the order in which they travel. */
#define AT(kind, member)                                                                           \
    {                                                                                              \
        kind, offsetof(MESSAGE, member), UINT32_MAX                                                \
    }
#define LIMITED(kind, member, max)                                                                 \
    {                                                                                              \
        kind, offsetof(MESSAGE, member), max                                                       \
    }

#define MESSAGE struct ipc_admit
static const struct field admit_fields[] = {
    AT(U64, connection),
    AT(U32, surface),
    AT(NEEDED, request_id),
    AT(NEEDED, listener_address),
    LIMITED(U32, listener_port, UINT16_MAX),
    AT(NEEDED, method),
    AT(NEEDED, path),
    AT(TEXT, query),
    AT(TEXT, host),
    AT(TEXT, origin),
    AT(TEXT, authorization),
    AT(TEXT, subprotocols),
    AT(TEXT, cookie),
    AT(TEXT, fetch_site),
    AT(TEXT, certificate),
    AT(TEXT, body),
    AT(FLAG, secure),
    AT(FLAG, upgrade),
    AT(FLAG, caller_known),
    AT(U32, caller_uid),
    LIMITED(HEADERS, headers, offsetof(MESSAGE, header_count)),
    {END, 0, 0},
};
#undef MESSAGE

#define MESSAGE struct ipc_verdict
static const struct field verdict_fields[] = {
    AT(U64, connection),
    AT(U32, surface),
    AT(REASON, reason),
    LIMITED(CHARS, session_id, IPC_SESSION_ID_SIZE),
    AT(U64, expires_at),
    AT(U32, route),
    LIMITED(CHARS, accept, IPC_ACCEPT_SIZE),
    AT(TEXT, offer),
    LIMITED(CHARS, match_digest, IPC_DIGEST_SIZE),
    AT(LIST, verbs),
    AT(LIST, targets),
    AT(TEXT, answer),
    AT(TEXT, set_cookie),
    {END, 0, 0},
};
#undef MESSAGE

#define MESSAGE struct ipc_dial
static const struct field dial_fields[] = {
    AT(U64, connection), AT(U32, surface),     AT(NEEDED, request_id), AT(NEEDED, session_id),
    AT(NEEDED, method),  AT(NEEDED, path),     AT(TEXT, query),        AT(NEEDED, host),
    AT(TEXT, fields),    AT(TEXT, body_value), AT(FLAG, caller_known), AT(U32, caller_uid),
    {END, 0, 0},
};
#undef MESSAGE

#define MESSAGE struct ipc_link
static const struct field link_fields[] = {
    AT(U64, connection), AT(U32, surface), AT(REASON, reason), {END, 0, 0}};
#undef MESSAGE

#define MESSAGE struct ipc_denied
static const struct field denied_fields[] = {
    AT(U32, surface),     AT(REASON, reason),   AT(FLAG, caller_known),
    AT(U32, caller_uid),  AT(TEXT, query),      AT(TEXT, path),
    AT(TEXT, request_id), AT(TEXT, session_id), {END, 0, 0},
};
#undef MESSAGE

#define MESSAGE struct ipc_refused
static const struct field refused_fields[] = {
    AT(U64, connection), AT(U32, surface),   LIMITED(U32, direction, 1),
    AT(FLAG, observed),  AT(REASON, reason), AT(TEXT, session_id),
    AT(TEXT, verb),      AT(TEXT, target),   {END, 0, 0},
};
#undef MESSAGE

#define MESSAGE struct ipc_closed
static const struct field closed_fields[] = {
    AT(U64, connection),   AT(U32, surface),     AT(FLAG, opened),  AT(REASON, reason),
    AT(U32, close_code),   AT(TEXT, session_id), AT(U64, requests), AT(U64, messages_c2s),
    AT(U64, messages_s2c), {END, 0, 0},
};
#undef MESSAGE

#define MESSAGE struct ipc_counts
static const struct field counts_fields[] = {
    AT(U32, surface), AT(U64, forwarded), AT(U64, refused), {END, 0, 0}};
#undef MESSAGE

#define MESSAGE struct ipc_cut_session
static const struct field cut_session_fields[] = {
    AT(TEXT, session_id), AT(REASON, reason), {END, 0, 0}};
#undef MESSAGE

#define MESSAGE struct ipc_cut_surface
static const struct field cut_surface_fields[] = {
    AT(U32, surface), AT(REASON, reason), {END, 0, 0}};
#undef MESSAGE

#define MESSAGE struct ipc_extend
static const struct field extend_fields[] = {
    AT(NEEDED, session_id), AT(U64, expires_at), {END, 0, 0}};
#undef MESSAGE

#define MESSAGE struct ipc_tls
static const struct field tls_fields[] = {
    AT(U32, surface), AT(NEEDED, certificate), AT(NEEDED, key), AT(TEXT, client_ca), {END, 0, 0}};
#undef MESSAGE

static const struct field no_fields[] = {{END, 0, 0}};

static const struct {
    const struct field *fields; /* NULL: there is no such message */
    size_t size;
} messages[IPC_TYPE_COUNT] = {
    [IPC_READY] = {no_fields, 0},
    [IPC_DRAIN] = {no_fields, 0},
    [IPC_ADMIT] = {admit_fields, sizeof(struct ipc_admit)},
    [IPC_VERDICT] = {verdict_fields, sizeof(struct ipc_verdict)},
    [IPC_DIAL] = {dial_fields, sizeof(struct ipc_dial)},
    [IPC_LINK] = {link_fields, sizeof(struct ipc_link)},
    [IPC_DENIED] = {denied_fields, sizeof(struct ipc_denied)},
    [IPC_REFUSED] = {refused_fields, sizeof(struct ipc_refused)},
    [IPC_CLOSED] = {closed_fields, sizeof(struct ipc_closed)},
    [IPC_COUNTS] = {counts_fields, sizeof(struct ipc_counts)},
    [IPC_CUT_SESSION] = {cut_session_fields, sizeof(struct ipc_cut_session)},
    [IPC_CUT_SURFACE] = {cut_surface_fields, sizeof(struct ipc_cut_surface)},
    [IPC_EXTEND] = {extend_fields, sizeof(struct ipc_extend)},
    [IPC_TLS] = {tls_fields, sizeof(struct ipc_tls)},
};

enum ipc_type ipc_type_of(const void *bytes, size_t length)
{
    uint8_t type = length > 0 ? *(const uint8_t *)bytes : 0;

    return type < IPC_TYPE_COUNT ? (enum ipc_type)type : IPC_NONE;
}

/* A count, and whether there is room for so many. */
static void put_count(struct ipc_writer *writer, uint32_t count, uint32_t max)
{
    ipc_put_u32(writer, count);
    writer->failed = writer->failed || count > max;
}

static uint32_t get_count(struct ipc_reader *reader, uint32_t max)
{
    uint32_t count = ipc_get_u32(reader);

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
    ipc_put_u8(writer, list->set);
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
        ipc_put_u32(writer, *(const uint32_t *)at);
        break;
    case U64:
        ipc_put_u64(writer, *(const uint64_t *)at);
        break;
    case FLAG:
        ipc_put_u8(writer, *(const bool *)at);
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
    case END:
        break;
    }
}

static void get_field(struct ipc_reader *reader, const struct field *field, char *message)
{
    void *at = message + field->offset;

    switch (field->kind) {
    case U32:
        *(uint32_t *)at = ipc_get_u32(reader);
        reader->failed = reader->failed || *(uint32_t *)at > field->limit;
        break;
    case REASON:
        *(enum reason *)at = (enum reason)get_count(reader, REASON_COUNT - 1);
        break;
    case U64:
        *(uint64_t *)at = ipc_get_u64(reader);
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
    case END:
        break;
    }
}

_Static_assert(sizeof(enum reason) == sizeof(uint32_t), "a reason travels as a u32");
_Static_assert(REASON_INTERNAL == 0, "what could not be read is a denial");

void ipc_encode(struct ipc_writer *writer, enum ipc_type type, const void *message)
{
    ipc_put_u8(writer, (uint8_t)type);
    for (const struct field *field = messages[type].fields; field->kind != END; field++)
        put_field(writer, field, message);
}

enum error ipc_decode(enum ipc_type type, const void *bytes, size_t length, void *out)
{
    struct ipc_reader reader = {.bytes = bytes, .length = length};

    if (messages[type].fields == NULL || (out == NULL && messages[type].size > 0))
        return ERROR_SYNTAX;
    if (out != NULL)
        memset(out, 0, messages[type].size);
    if (ipc_get_u8(&reader) != type)
        return ERROR_SYNTAX;
    for (const struct field *field = messages[type].fields; field->kind != END; field++)
        get_field(&reader, field, out);
    return ipc_reader_done(&reader) ? OK : ERROR_SYNTAX;
}
