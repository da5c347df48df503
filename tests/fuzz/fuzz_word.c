/*
 * Any bytes as a client's request: what an honest worker tells the broker of it, the broker takes
 * for an honest worker's word. If not, whoever sends it would end the worker. The first byte
 * chooses the route's way with Host and the answer's coding.
 */
#include "broker/admission/word.h"
#include "config/load.h"
#include "fuzz.h"
#include "wire/http_forward.h"
#include "wire/url.h"
#include "worker/client/head.h"

#include <string.h>
#include <unistd.h>

enum { CHOICE_PUBLIC = 1, CHOICE_IDENTITY = 2 };

#define ROUTE(path, kind)                                                                          \
    "{\"path\":\"" path "\",\"kind\":\"" kind "\",\"headers\":[\"x-one\",\"x-two\",\"x-user\"],"   \
    "\"query\":{\"inject\":{\"p\":{\"from\":\"/p\",\"encoding\":\"text\"}}}}"

static const char text[] =
    "{\"state_dir\":\"/nowhere/state\",\"surfaces\":{\"echo\":{\"why\":\"a\",\"can_do\":\"b\","
    "\"listen\":[\"localhost:8081\"],\"upstream\":{\"socket\":\"/nowhere/echo.sock\"},"
    "\"dialect\":\"opaque\",\"routes\":[" ROUTE("/ws", "websocket") "," ROUTE("/{any...}",
                                                                              "http") "]}}}";

static struct config *config;

static void prepare(void)
{
    static struct json_faults faults;

    if (config == NULL)
        require(config_load(text, strlen(text), NULL, 0, getuid(), &config, &faults) == OK);
}

/* As the broker hears it. */
static union heard {
    struct ipc_admit admit;
    struct ipc_dial dial;
} heard;

static bool hear(enum ipc_type type, const void *said)
{
    static unsigned char bytes[IPC_MESSAGE_BYTES_MAX];
    struct ipc_writer writer = {.bytes = bytes};

    ipc_encode(&writer, type, said);
    if (writer.failed)
        return false; /* too long: the worker says nothing and refuses */
    require(ipc_decode(type, bytes, writer.length, &heard) == OK);
    return true;
}

/* Under a grant, where the broker writes what is stored (worker/http/{request,http}.c). */
static void check_dial(const struct head *head, const struct asker *asker, uint8_t choice)
{
    const struct request *asked = &head->asked.request;
    struct route route = *head->route;
    struct http_body body, none = {.done = true};
    struct buffer fields;
    struct ipc_dial dial = {.connection = 1,
                            .request_id = asker->request_id,
                            .method = asked->method,
                            .path = asked->raw_path,
                            .query = asked->query};
    char room[CONFIG_LOCALHOST_SIZE];
    bool bodiless = strcmp(asked->method, "GET") == 0 || strcmp(asked->method, "HEAD") == 0;

    if (choice & CHOICE_PUBLIC)
        route.host.kind = HOST_UPSTREAM_PUBLIC;
    dial.host = asked->host;
    if (!reason_allows(http_body_of_request(&head->request, true, &body)) ||
        (bodiless && !body.done))
        return;
    buffer_init(&fields, 4 * HTTP_HEAD_BYTES_MAX);
    if (reason_allows(http_forward_request(
            &(struct http_forward_request_options){
                .host = config_route_host(&route, asked->host, 8081, room),
                .host_public = route.host.kind == HOST_UPSTREAM_PUBLIC,
                .identity_encoding = (choice & CHOICE_IDENTITY) != 0,
                .readmit = &route.headers,
                .body = &none,
            },
            &head->request, &fields)) &&
        !buffer_failed(&fields)) {
        dial.fields = fields.data != NULL ? fields.data : "";
        dial.body = body.kind;
        dial.body_bytes = body.left;
        if (hear(IPC_DIAL, &dial)) {
            require(word_is_dial(&heard.dial));
            require(word_is_fields(&route, config_route_host(&route, heard.dial.host, 8081, room),
                                   heard.dial.fields));
        }
    }
    buffer_clear(&fields);
}

static void check(struct head *head, uint8_t choice)
{
    const struct asker asker = {.request_id = "0123456789abcdef"};
    const struct connection connection = {.id = 1, .surface = config->surfaces};
    enum reason reason;

    if (http_request_parse(head->bytes, head->length, &head->request, &reason) != HTTP_COMPLETE)
        return;
    head->path_fault = url_path_decode(head->request.path, head->path, sizeof(head->path));
    if (!reason_allows(head->path_fault))
        head->path[0] = '\0';
    if (head_read_body(head, &reason) != HTTP_COMPLETE ||
        !reason_allows(head_read(head, &connection, &asker)))
        return;
    if (hear(IPC_ADMIT, &head->asked))
        require(word_is_request(&heard.admit));
    if (head->route != NULL && head->route->kind == ROUTE_HTTP)
        check_dial(head, &asker, choice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct head *head;

    prepare();
    if (size == 0 || size > HTTP_HEAD_BYTES_MAX)
        return 0;
    head = head_create();
    require(head != NULL);
    head_replace(head, data + 1, size - 1);
    check(head, data[0]);
    head_destroy(head);
    return 0;
}
