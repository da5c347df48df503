/*
 * Sidelock with workers that were taken over: the linker puts the functions here in the places of
 * those that close the sandbox and carry messages. What they do is the last part of the program's
 * file name: sidelock-hostile-query. With -storm, each process says one thing that none of ours
 * says and goes; which, the file PROGRAM.turn counts, and PROGRAM.total tells how many there are.
 * The worker of surface 0 is honest then, and so is everybody with -nothing.
 *
 * Builds in older trees, too, whose messages had other members; they know no storm.
 */
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "system/sandbox.h"
#include "wire/url.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNEL_FD             3
#define PATIENCE_MS            40 /* for what the broker says to it */
#define PATIENCE_OF_CLIENTS_MS 5000
#define LONG_TEXT              60000
#define OTHER_WORKER           (UINT64_C(1) << 40) /* a bit that was once another's */
#define COUNT(array)           (sizeof(array) / sizeof((array)[0]))

/* How a path travels: as sent, or decoded by the worker as it was once. */
#ifdef URL_ENCODED_SLASH
#define SENT_PATH raw_path
#else
#define SENT_PATH path
#endif

#ifdef IPC_CONNECTION_MAX
#define ASKED(admit) ((admit).request)
#else
#define ASKED(admit) (admit)

static enum error ipc_decode(enum ipc_type type, const void *bytes, size_t length, void *out)
{
    if (type == IPC_ADMIT)
        return ipc_decode_admit(bytes, length, out);
    return type == IPC_DIAL ? ipc_decode_dial(bytes, length, out) : ERROR_SYNTAX;
}

static void ipc_encode(struct ipc_writer *writer, enum ipc_type type, const void *message)
{
    if (type == IPC_ADMIT)
        ipc_encode_admit(writer, message);
    else if (type == IPC_DIAL)
        ipc_encode_dial(writer, message);
    else
        ipc_encode_closed(writer, message);
}
#endif

enum error __real_sandbox_enter(size_t max_descriptors);
enum error __wrap_sandbox_enter(size_t max_descriptors);
enum error __wrap_landlock_hold(uint32_t fences, const void *places, size_t count);
enum error __real_channel_send(struct channel *channel, const struct ipc_writer *message, int fd);
enum error __wrap_channel_send(struct channel *channel, const struct ipc_writer *message, int fd);
enum error __wrap_channel_show(struct channel *channel, const struct ipc_writer *message, int fd);
enum error __real_channel_receive(struct channel *channel, const void **bytes, size_t *length,
                                  int *fd);
enum error __wrap_channel_receive(struct channel *channel, const void **bytes, size_t *length,
                                  int *fd);

enum moment { STARTING, RUNNING, ASKING, GRANTED, MOMENT_COUNT };

static struct {
    bool worker; /* not the broker, which is the same program */
    char mode[32];
    bool storms;
    unsigned long turn;
    uint64_t connection; /* the one that was asked for, or granted, last */
    uint32_t surface;
    char session[IPC_SESSION_ID_SIZE];
    int descriptors[4]; /* a pipe, a pair's end, a file, a socket that listens */
} self;

static unsigned char buffer[IPC_MESSAGE_BYTES_MAX];

static bool is_mode(const char *name)
{
    return strcmp(self.mode, name) == 0;
}

/* ---- One word of an honest worker is another ---- */

static const char *joined(const char *fields, const char *more)
{
    static char out[IPC_MESSAGE_BYTES_MAX];

    snprintf(out, sizeof(out), "%s%s", fields != NULL ? fields : "", more);
    return out;
}

static void change_dial(struct ipc_dial *dial)
{
    static const struct {
        const char *mode, *more;
    } fields[] = {
        {"fields_lf", "X-A: b\nX-Smuggled: yes\r\n"},
        {"fields_length", "Content-Length: 0\r\n"},
        {"fields_chunked", "Transfer-Encoding: chunked\r\n"},
        {"fields_host", "Host: evil.example\r\n"},
        {"fields_hop", "Connection: X-Smuggled\r\n"},
    };

    if (is_mode("query"))
        dial->query = "a=1 HTTP/1.1\r\nX-Smuggled: yes\r\nX-B: c";
    if (is_mode("path"))
        dial->path = "/api/..";
    if (is_mode("host"))
        dial->host = "evil.example\r\nX-Smuggled: yes";
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (is_mode(fields[i].mode))
            dial->fields = joined(dial->fields, fields[i].more);
    }
}

static void change_admit(struct ipc_admit *admit)
{
    if (is_mode("uid")) {
        ASKED(*admit).caller_known = true;
        ASKED(*admit).caller_uid = 54321;
    }
}

/* Says that connections have ended which another worker has. */
static void close_anothers(struct channel *channel, const struct ipc_admit *admit)
{
    for (uint64_t number = 1; number <= 4; number++) {
        struct ipc_writer writer = {.bytes = buffer};

        ipc_encode(&writer, IPC_CLOSED,
                   &(struct ipc_closed){.connection = OTHER_WORKER | number,
                                        .surface = admit->surface,
                                        .opened = true,
                                        .reason = REASON_CLIENT_CLOSED});
        (void)__real_channel_send(channel, &writer, -1);
    }
}

/* Tells the client that its request was read, and asks about it once the client has gone. */
static void see_off(int client)
{
    struct pollfd gone = {.fd = client, .events = POLLRDHUP};

    (void)!send(client, "!", 1, MSG_NOSIGNAL);
    (void)poll(&gone, 1, PATIENCE_OF_CLIENTS_MS);
}

/* What a worker owes after a reload. */
static bool is_kept_back(enum ipc_type type)
{
#ifdef IPC_SURFACES_MAX
    return is_mode("unswitched") && type == IPC_SWITCHED;
#else
    (void)type;
    return false;
#endif
}

static enum error send_changed(struct channel *channel, const struct ipc_writer *message, int fd)
{
    static unsigned char changed[IPC_MESSAGE_BYTES_MAX];
    struct ipc_writer writer = {.bytes = changed};
    struct ipc_admit admit;
    struct ipc_dial dial;

    switch (ipc_type_of(message->bytes, message->length)) {
    case IPC_ADMIT:
        if (ipc_decode(IPC_ADMIT, message->bytes, message->length, &admit) != OK)
            return ERROR_SYNTAX;
        if (is_mode("close") && strcmp(ASKED(admit).SENT_PATH, "/attack") == 0)
            close_anothers(channel, &admit);
        if (is_mode("late"))
            see_off(fd);
        if (is_mode("withhold") && fd >= 0)
            close(fd);
        change_admit(&admit);
        ipc_encode(&writer, IPC_ADMIT, &admit);
        return __real_channel_send(channel, &writer, is_mode("withhold") ? -1 : fd);
    case IPC_DIAL:
        if (ipc_decode(IPC_DIAL, message->bytes, message->length, &dial) != OK)
            return ERROR_SYNTAX;
        change_dial(&dial);
        ipc_encode(&writer, IPC_DIAL, &dial);
        return __real_channel_send(channel, &writer, fd);
    default:
        if (is_kept_back(ipc_type_of(message->bytes, message->length)))
            return OK;
        return __real_channel_send(channel, message, fd);
    }
}

#ifdef IPC_CONNECTION_MAX
/* ---- The storm: every message, every member of it, every moment ---- */

static char long_text[LONG_TEXT + 1];

enum kind { NUMBER, U32, REASON, TEXT };

static const struct member {
    enum ipc_type message;
    enum kind kind;
    size_t offset;
} members[] = {
#define MEMBER(TYPE, type, kind, member)                                                           \
    {                                                                                              \
        IPC_##TYPE, kind, offsetof(struct ipc_##type, member)                                      \
    }
    MEMBER(ADMIT, admit, NUMBER, connection),
    MEMBER(ADMIT, admit, U32, surface),
    MEMBER(ADMIT, admit, TEXT, request_id),
    MEMBER(ADMIT, admit, TEXT, request.method),
    MEMBER(ADMIT, admit, TEXT, request.SENT_PATH),
    MEMBER(ADMIT, admit, TEXT, request.query),
    MEMBER(ADMIT, admit, TEXT, request.host),
    MEMBER(ADMIT, admit, TEXT, request.origin),
    MEMBER(ADMIT, admit, TEXT, request.authorization),
    MEMBER(ADMIT, admit, TEXT, request.subprotocols),
    MEMBER(ADMIT, admit, TEXT, request.cookie),
    MEMBER(ADMIT, admit, TEXT, request.fetch_site),
    MEMBER(ADMIT, admit, TEXT, request.certificate),
    MEMBER(ADMIT, admit, TEXT, request.login_code),
    MEMBER(ADMIT, admit, U32, header_count),
    MEMBER(DIAL, dial, NUMBER, connection),
    MEMBER(DIAL, dial, U32, surface),
    MEMBER(DIAL, dial, TEXT, request_id),
    MEMBER(DIAL, dial, TEXT, method),
    MEMBER(DIAL, dial, TEXT, path),
    MEMBER(DIAL, dial, TEXT, query),
    MEMBER(DIAL, dial, TEXT, host),
    MEMBER(DIAL, dial, TEXT, fields),
    MEMBER(DIAL, dial, TEXT, body_value),
    MEMBER(DENIED, denied, U32, surface),
    MEMBER(DENIED, denied, REASON, reason),
    MEMBER(DENIED, denied, TEXT, path),
    MEMBER(DENIED, denied, TEXT, request_id),
    MEMBER(REFUSED, refused, NUMBER, connection),
    MEMBER(REFUSED, refused, U32, surface),
    MEMBER(REFUSED, refused, U32, direction),
    MEMBER(REFUSED, refused, REASON, reason),
    MEMBER(REFUSED, refused, TEXT, verb),
    MEMBER(REFUSED, refused, TEXT, target),
    MEMBER(CLOSED, closed, NUMBER, connection),
    MEMBER(CLOSED, closed, U32, surface),
    MEMBER(CLOSED, closed, REASON, reason),
    MEMBER(CLOSED, closed, U32, close_code),
    MEMBER(COUNTS, counts, U32, surface),
    MEMBER(COUNTS, counts, NUMBER, forwarded),
    MEMBER(VERDICT, verdict, NUMBER, connection),
    MEMBER(LINK, link, NUMBER, connection),
    MEMBER(CUT_SESSION, cut_session, REASON, reason),
    MEMBER(CUT_SURFACE, cut_surface, U32, surface),
    MEMBER(DENIED, denied, NUMBER, connection),
    MEMBER(DENIED, denied, TEXT, target),
    MEMBER(DIAL, dial, U32, body),
    MEMBER(DIAL, dial, NUMBER, body_bytes),
    MEMBER(SUPPRESSED, suppressed, U32, surface),
    MEMBER(SUPPRESSED, suppressed, TEXT, session_id),
    MEMBER(SUPPRESSED, suppressed, NUMBER, count),
};

static const uint64_t numbers[] = {0, 1, 2, OTHER_WORKER | 1, OTHER_WORKER - 1, UINT64_MAX};
static const uint32_t small_numbers[] = {0, 1, 2, 64, UINT32_MAX};
static const char *const texts[] = {NULL,       "",       "\r\nX-Smuggled: yes\r\n", "\n", "/../",
                                    "\xff\x1b", long_text};

/* How a message may be said, other than with a member changed. */
enum manner {
    AS_IT_IS,
    TRUNCATED,
    TOO_LONG,
    NO_TYPE,
    WITH_PIPE,
    WITH_PAIR,
    WITH_FILE,
    WITH_LISTENER,
    MANNER_COUNT
};

union any_message {
    struct ipc_admit admit;
    struct ipc_dial dial;
    struct ipc_denied denied;
    struct ipc_refused refused;
    struct ipc_closed closed;
    struct ipc_counts counts;
    struct ipc_verdict verdict;
    struct ipc_link link;
    struct ipc_cut_session cut_session;
    struct ipc_cut_surface cut_surface;
    struct ipc_extend extend;
    struct ipc_tls tls;
    struct ipc_suppressed suppressed;
};

/* One that is in order, as far as a worker can know. */
static void fill(enum ipc_type type, union any_message *message)
{
    *message = (union any_message){0};
    switch (type) {
    case IPC_ADMIT:
        message->admit = (struct ipc_admit){.connection = self.connection + 1,
                                            .surface = self.surface,
                                            .request_id = "0123456789abcdef",
                                            .request.method = "GET",
                                            .request.SENT_PATH = "/api/1",
                                            .request.host = "localhost"};
        break;
    case IPC_DIAL:
        message->dial = (struct ipc_dial){.connection = self.connection,
                                          .surface = self.surface,
                                          .request_id = "0123456789abcdef",
                                          .method = "POST",
                                          .path = "/api/1",
                                          .host = "localhost",
                                          .fields = "X-From: a-worker\r\n"};
        break;
    case IPC_REFUSED:
        message->refused.connection = self.connection;
        message->refused.surface = self.surface;
        break;
    case IPC_CLOSED:
        message->closed.connection = self.connection;
        message->closed.surface = self.surface;
        break;
    case IPC_VERDICT:
        message->verdict.offer = "";
        break;
    case IPC_EXTEND:
        message->extend = (struct ipc_extend){self.session, INT64_MAX};
        break;
    case IPC_TLS:
        message->tls = (struct ipc_tls){.certificate = "c", .key = "k"};
        break;
    default:
        break;
    }
}

static void say(const void *bytes, size_t length, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    (void)sendmsg(CHANNEL_FD, &message, MSG_NOSIGNAL);
}

static size_t choices(enum kind kind)
{
    switch (kind) {
    case NUMBER:
        return COUNT(numbers);
    case TEXT:
        return COUNT(texts);
    case U32:
    case REASON:
        break;
    }
    return COUNT(small_numbers);
}

static void change(union any_message *message, const struct member *member, size_t choice)
{
    char *at = (char *)message + member->offset;

    switch (member->kind) {
    case NUMBER:
        memcpy(at, &numbers[choice], sizeof(numbers[choice]));
        break;
    case TEXT:
        memcpy(at, &texts[choice], sizeof(texts[choice]));
        break;
    case U32:
    case REASON:
        memcpy(at, &small_numbers[choice], sizeof(small_numbers[choice]));
        break;
    }
}

static void say_changed(const struct member *member, size_t choice)
{
    struct ipc_writer writer = {.bytes = buffer};
    union any_message message;

    fill(member->message, &message);
    change(&message, member, choice);
    ipc_encode(&writer, member->message, &message);
    /* ADMIT brings a descriptor; which, is for the manners. */
    say(buffer, writer.length, member->message == IPC_ADMIT ? self.descriptors[3] : -1);
}

static void say_in_manner(enum ipc_type type, enum manner manner)
{
    struct ipc_writer writer = {.bytes = buffer};
    union any_message message;
    int fd = manner >= WITH_PIPE ? self.descriptors[manner - WITH_PIPE] : -1;

    fill(type, &message);
    ipc_encode(&writer, type, type == IPC_DRAIN ? NULL : (void *)&message);
    if (manner == TRUNCATED)
        writer.length--;
    if (manner == TOO_LONG)
        buffer[writer.length++] = 0;
    if (manner == NO_TYPE)
        buffer[0] = UINT8_MAX;
    say(buffer, writer.length, fd);
}

/* The word of a turn, the same at each moment; how many there are if there is none such. */
static unsigned long say_word(unsigned long turn)
{
    unsigned long count = 0;

    for (size_t i = 0; i < COUNT(members); i++) {
        if (turn >= count && turn < count + choices(members[i].kind))
            say_changed(&members[i], turn - count);
        count += choices(members[i].kind);
    }
    for (enum ipc_type type = IPC_NONE + 1; type < IPC_TYPE_COUNT; type++) {
        if (turn >= count && turn < count + MANNER_COUNT)
            say_in_manner(type, (enum manner)(turn - count));
        count += MANNER_COUNT;
    }
    return count;
}

/* If it is this process's moment, says its word; and goes, if it is still there. */
static void storm(enum moment moment)
{
    if (!self.storms || self.turn % MOMENT_COUNT != moment)
        return;
    self.storms = false;
    (void)say_word(self.turn / MOMENT_COUNT);
    poll(NULL, 0, PATIENCE_MS);
    _exit(0);
}

static void hear_verdict(const void *bytes, size_t length)
{
    struct ipc_verdict verdict;

    if (ipc_decode(IPC_VERDICT, bytes, length, &verdict) != OK || !reason_allows(verdict.reason))
        return;
    self.connection = verdict.connection;
    memcpy(self.session, verdict.session_id, sizeof(self.session));
    storm(GRANTED);
}

/* The number in the file PROGRAM.turn; the next is as many further as stands behind it. */
static unsigned long take_turn(const char *program)
{
    char path[4200], text[64] = "", *rest;
    unsigned long turn = 0, step = 1;
    int fd;

    snprintf(path, sizeof(path), "%s.turn", program);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0 || pread(fd, text, sizeof(text) - 1, 0) < 0)
        abort();
    if (text[0] != '\0') {
        turn = strtoul(text, &rest, 10);
        step = strtoul(rest, NULL, 10);
    }
    snprintf(text, sizeof(text), "%lu %lu\n", turn + step, step);
    if (pwrite(fd, text, strlen(text), 0) < 0)
        abort();
    close(fd);
    return turn;
}

static void tell_total(const char *program, unsigned long total)
{
    char path[4200];
    FILE *file;

    snprintf(path, sizeof(path), "%s.total", program);
    file = fopen(path, "we");
    if (file != NULL) {
        fprintf(file, "%lu\n", total);
        fclose(file);
    }
}

/* Whether the first surface is among those that it serves: "sidelock worker 0,1". */
static bool serves_first(void)
{
    char line[4096] = "";
    size_t length = 0, at = 0;
    FILE *file = fopen("/proc/self/cmdline", "re");

    if (file != NULL) {
        length = fread(line, 1, sizeof(line) - 1, file);
        fclose(file);
    }
    for (int skipped = 0; skipped < 2 && at < length; skipped++)
        at += strlen(line + at) + 1;
    return line[at] == '0';
}

static void prepare_storm(const char *program)
{
    int ends[2];
    unsigned long total = MOMENT_COUNT * say_word(ULONG_MAX);

    memset(long_text, 'a', LONG_TEXT);
    tell_total(program, total);
    if (serves_first())
        return;
    self.surface = 1;
    self.turn = take_turn(program);
    self.storms = self.turn < total; /* in the end there is calm */
    if (pipe2(ends, O_CLOEXEC) == 0)
        self.descriptors[0] = ends[0];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0)
        self.descriptors[1] = ends[0];
    self.descriptors[2] = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    self.descriptors[3] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)listen(self.descriptors[3], 1);
}

#else
static void storm(enum moment moment)
{
    (void)moment;
}

static void hear_verdict(const void *bytes, size_t length)
{
    (void)bytes;
    (void)length;
}

static void prepare_storm(const char *program)
{
    (void)program;
    abort();
}
#endif

/* ---- Where it is bound in ---- */

enum error __wrap_channel_send(struct channel *channel, const struct ipc_writer *message, int fd)
{
    enum ipc_type type = ipc_type_of(message->bytes, message->length);
    struct ipc_admit admit;
    enum error error;

    if (!self.worker)
        return __real_channel_send(channel, message, fd);
    if (type == IPC_ADMIT && ipc_decode(type, message->bytes, message->length, &admit) == OK) {
        self.connection = admit.connection;
        self.surface = admit.surface;
    }
    error = send_changed(channel, message, fd);
    if (type == IPC_READY)
        storm(RUNNING);
    if (type == IPC_ADMIT)
        storm(ASKING);
    return error;
}

/* What is shown stays the worker's. */
enum error __wrap_channel_show(struct channel *channel, const struct ipc_writer *message, int fd)
{
    return __wrap_channel_send(channel, message, dup(fd));
}

enum error __wrap_channel_receive(struct channel *channel, const void **bytes, size_t *length,
                                  int *fd)
{
    enum error error = __real_channel_receive(channel, bytes, length, fd);

    if (self.worker && error == OK && *length > 0 && ipc_type_of(*bytes, *length) == IPC_VERDICT)
        hear_verdict(*bytes, *length);
    return error;
}

/* Its turns are counted in a file, which no worker could write to, nor what a parent starts. */
enum error __wrap_landlock_hold(uint32_t fences, const void *places, size_t count)
{
    (void)fences;
    (void)places;
    (void)count;
    return OK;
}

enum error __wrap_sandbox_enter(size_t max_descriptors)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    enum error error;
    const char *mode;

    path[length > 0 ? length : 0] = '\0';
    mode = strrchr(path, '-');
    snprintf(self.mode, sizeof(self.mode), "%s", mode != NULL ? mode + 1 : "nothing");
    self.worker = true;
    if (is_mode("storm"))
        prepare_storm(path);
    error = __real_sandbox_enter(max_descriptors);
    storm(STARTING);
    return error;
}
