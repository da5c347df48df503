#include "wire/http_denial.h"

#include "wire/http_head.h"
#include "wire/page.h"

#include <stdio.h>
#include <string.h>

#define BODY_BYTES_MAX  HTTP_HEAD_BYTES_MAX
#define TITLE_BYTES_MAX 128

/* The headers that a status calls for (RFC 9110 sections 10.2.1, 11.6.1, 7.8; RFC 6455 section
 * 4.4; RFC 6585 section 4). */
static void append_status_headers(const struct http_denial *denial, unsigned status,
                                  struct buffer *out)
{
    if (status == 401)
        buffer_append_text(out, "WWW-Authenticate: Bearer realm=\"sidelock\"\r\n");
    else if (status == 405)
        buffer_append_format(out, "Allow: %s\r\n", denial->allow != NULL ? denial->allow : "GET");
    else if (status == 426)
        buffer_append_text(out, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    else if (status == 429 || (status == 503 && denial->reason != REASON_SURFACE_KILLED))
        buffer_append_text(out, "Retry-After: 1\r\n");
}

static void write_problem(const struct http_denial *denial, unsigned status, struct buffer *body)
{
    const struct reason_info *info = reason_info(denial->reason);

    buffer_append_format(body, "{\"status\":%u,\"reason\":\"%s\",", status, info->code);
    if (info->cause != NULL)
        buffer_append_format(body, "\"cause\":\"%s\",", info->cause);
    buffer_append_text(body, "\"detail\":");
    buffer_append_json_string(body, info->text, strlen(info->text));
    if (denial->seen != NULL) {
        buffer_append_text(body, ",\"seen\":");
        buffer_append_json_string(body, denial->seen, strlen(denial->seen));
    }
    buffer_append_text(body, ",\"request_id\":");
    buffer_append_json_string(body, denial->request_id, strlen(denial->request_id));
    buffer_append_text(body, "}\n");
}

/* What a person reads first. %s in a title is the surface. */
struct advice {
    enum reason reason;
    const char *title, *hint;
    const char *verb; /* `sidelock VERB SURFACE` helps; NULL: no verb does */
};

static const struct advice log_in = {
    REASON_CREDENTIAL_MISSING, "Log in to %s",
    "Run this in a terminal on this machine and open the address that it prints.", "open"};

static const struct advice advices[] = {
    {REASON_COOKIE_ORIGIN, "Opened from another page",
     "Other pages cannot use your login to this one. If you meant to come here, click into the "
     "address bar and press Enter.",
     NULL},
    {REASON_HOST_MISMATCH, "Not a name of this service",
     "It answers only under its own names. `sidelock open` prints the right address.", NULL},
    {REASON_ROUTE_UNKNOWN, "Nothing here", "No rule of this service lets this address through.",
     NULL},
    {REASON_UPGRADE_REQUIRED, "Not a page",
     "This address is a WebSocket, for programs to connect to.", NULL},
    {REASON_HEADERS_TOO_LARGE, "Too many cookies",
     "Your browser sends more with this request than is taken, most likely cookies: those of one "
     "name, such as localhost, go to every service at it, whatever its port. Clear the cookies of "
     "this site in the browser's settings, then load this page again.",
     NULL},
    {REASON_SURFACE_KILLED, "%s is switched off",
     "Its kill switch was thrown. Once the cause is known, this lets it serve again:", "arm"},
    {REASON_CAPACITY, "%s is busy", "Too many connections are open. Try again in a moment.", NULL},
    {REASON_UPSTREAM_UNREACHABLE, "%s is not running",
     "Sidelock is here, but the service behind it cannot be reached. Start it, then load this page "
     "again.",
     NULL},
    {REASON_UPSTREAM_TIMEOUT, "%s does not answer",
     "Sidelock is here, but the service behind it took too long. Load this page again.", NULL},
};

/* Where a browser does not say which page asks, a click on this one does. */
static const struct advice come_again = {
    REASON_COOKIE_ORIGIN, "Did you mean to come here?",
    "This browser does not say which page sent you, as browsers do not over plain HTTP, and other "
    "pages cannot use your login to this one. If you meant to come here:",
    NULL};

static struct advice advice_for(enum reason reason, unsigned status)
{
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (reason_same(advices[i].reason, reason))
            return advices[i];
    }
    if (status == 401)
        return log_in;
    return (struct advice){reason, http_status_phrase(status),
                           "Sidelock did not let this request in.", NULL};
}

/* Copies a title; the surface, or words for one, takes the place of %s. */
static void fill_title(const char *title, const char *surface, char out[TITLE_BYTES_MAX])
{
    const char *hole = strstr(title, "%s");

    if (hole == NULL)
        snprintf(out, TITLE_BYTES_MAX, "%s", title);
    else
        snprintf(out, TITLE_BYTES_MAX, "%.*s%s%s", (int)(hole - title), title,
                 surface != NULL ? surface : "this service", hole + 2);
}

static void write_page(const struct http_denial *denial, unsigned status, struct buffer *body)
{
    const struct reason_info *info = reason_info(denial->reason);
    bool again = denial->again && denial->reason == REASON_COOKIE_ORIGIN;
    struct advice advice = again ? come_again : advice_for(denial->reason, status);
    char title[TITLE_BYTES_MAX], command[TITLE_BYTES_MAX] = "", text[TITLE_BYTES_MAX];
    /* A page of a stranger's name for this machine need not know what is here. */
    const char *surface = denial->reason != REASON_HOST_MISMATCH ? denial->surface : NULL;
    const struct page_value values[] = {
        {"title", title},
        {"hint", advice.hint},
        {"again", again ? "Open this page" : ""},
        {"command", command},
        {"status", text},
        {"reason", info->code},
        {"detail", info->text},
        {"request", denial->request_id},
    };

    fill_title(advice.title, surface, title);
    if (advice.verb != NULL && surface != NULL)
        snprintf(command, sizeof(command), "sidelock %s %s", advice.verb, surface);
    snprintf(text, sizeof(text), "%u %s", status, http_status_phrase(status));
    page_write(PAGE_DENIAL, title, values, sizeof(values) / sizeof(values[0]), body);
}

void http_denial_write(const struct http_denial *denial, struct buffer *out)
{
    const struct reason_info *info = reason_info(denial->reason);
    unsigned status = info->http_status != 0 ? info->http_status : 500;
    struct buffer body;

    buffer_init(&body, BODY_BYTES_MAX);
    (denial->page ? write_page : write_problem)(denial, status, &body);
    buffer_append_format(out, "HTTP/1.1 %u %s\r\n", status, http_status_phrase(status));
    append_status_headers(denial, status, out);
    if (denial->page)
        page_write_headers(PAGE_DENIAL, out);
    else
        buffer_append_text(out, "Content-Type: application/problem+json\r\n");
    buffer_append_format(out,
                         "Content-Length: %zu\r\n"
                         "Cache-Control: no-store\r\n"
                         "X-Content-Type-Options: nosniff\r\n"
                         "Connection: %s\r\n\r\n",
                         body.length, status == 426 ? "Upgrade, close" : "close");
    if (!denial->head_only && !buffer_failed(&body))
        buffer_append(out, body.data, body.length);
    if (buffer_failed(&body))
        out->failed = true;
    buffer_clear(&body);
}

bool http_denial_wants_page(const struct http_request *request)
{
    struct span mode, accept, element;

    if (!reason_allows(http_fields_single(&request->fields, "sec-fetch-mode", &mode)) ||
        !reason_allows(http_fields_single(&request->fields, "accept", &accept)))
        return false;
    if (mode.data != NULL)
        return span_equals(mode, "navigate");
    while (http_list_next(&accept, &element)) {
        if (http_media_type_is(element, "text/html"))
            return true;
    }
    return false;
}
