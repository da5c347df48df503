#include "worker/client/own_pages.h"

#include "policy/own_path.h"
#include "wire/page.h"

#include <stdio.h>
#include <string.h>

#define TITLE_BYTES_MAX 128

static void write_page(const char *surface, enum page page, struct buffer *out)
{
    char command[TITLE_BYTES_MAX], title[TITLE_BYTES_MAX];
    const struct page_value values[] = {{"surface", surface}, {"command", command}};

    snprintf(command, sizeof(command), "sidelock open %s", surface);
    snprintf(title, sizeof(title), "%s: log %s", surface, page == PAGE_LOGIN ? "in" : "out");
    page_write(page, title, values, sizeof(values) / sizeof(values[0]), out);
}

/* What the verdict says; "": the page that the path has. */
static void write_own(const struct surface *surface, const struct head *head,
                      const struct ipc_verdict *verdict, struct buffer *out)
{
    enum page page = strcmp(head->path, OWN_PATH_LOGIN) == 0 ? PAGE_LOGIN : PAGE_LOGOUT;
    struct buffer body;

    buffer_init(&body, HTTP_HEAD_BYTES_MAX);
    buffer_append_text(out, "HTTP/1.1 200 OK\r\n");
    if (verdict->answer[0] == '\0') {
        write_page(surface->name, page, &body);
        page_write_headers(page, out);
    } else {
        buffer_append_text(&body, verdict->answer);
        buffer_append_text(out, "Content-Type: application/json\r\n"
                                "Cross-Origin-Resource-Policy: same-origin\r\n");
    }
    if (verdict->set_cookie != NULL)
        buffer_append_format(out, "Set-Cookie: %s\r\n", verdict->set_cookie);
    buffer_append_format(out,
                         "Content-Length: %zu\r\n"
                         "Cache-Control: no-store\r\n"
                         "X-Content-Type-Options: nosniff\r\n"
                         "Connection: close\r\n\r\n",
                         body.length);
    if (!span_equals(head->request.method, "HEAD"))
        buffer_append(out, body.data, body.length);
    out->failed = out->failed || buffer_failed(&body);
    buffer_wipe(&body);
}

void own_pages_show(struct connection *connection, const struct ipc_verdict *verdict)
{
    struct buffer answer;

    buffer_init(&answer, HTTP_HEAD_BYTES_MAX);
    write_own(connection->surface, connection->client->head, verdict, &answer);
    client_goodbye(connection, &answer);
    buffer_wipe(&answer);
}
