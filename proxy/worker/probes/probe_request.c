#include "worker/probes/probe_request.h"

#include "base/unready.h"
#include "wire/http_body.h"
#include "wire/url.h"

#include <stdio.h>
#include <string.h>

#define HOST_BYTES_MAX 256

#define PLAIN   "text/plain; charset=utf-8"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"

/* ---- What may be asked ---- */

/* "[::1]:9464", "localhost:9464", "localhost": without the port and the brackets. */
static bool cut_host(struct span host, char out[HOST_BYTES_MAX])
{
    const char *end;
    bool bracketed = host.length > 0 && host.data[0] == '[';

    if (bracketed)
        host = (struct span){host.data + 1, host.length - 1};
    end = host.length > 0 ? memchr(host.data, bracketed ? ']' : ':', host.length) : NULL;
    if (bracketed && end == NULL)
        return false;
    if (end != NULL)
        host.length = (size_t)(end - host.data);
    if (host.length == 0 || host.length >= HOST_BYTES_MAX)
        return false;
    memcpy(out, host.data, host.length);
    out[host.length] = '\0';
    return strlen(out) == host.length;
}

/* An address cannot be made to lead here by whoever has a name of the domain name system. */
static bool may_be_asked_for(struct span host, const struct text_list *hosts)
{
    char name[HOST_BYTES_MAX];
    bool loopback;

    if (!cut_host(host, name))
        return false;
    if (span_equals_nocase(span_of(name), "localhost") || host_is_address(name, &loopback))
        return true;
    for (size_t i = 0; i < hosts->count; i++) {
        if (span_equals_nocase(host, hosts->items[i]) ||
            span_equals_nocase(span_of(name), hosts->items[i]))
            return true;
    }
    return false;
}

/* What a browser sends for a page of another origin, or for any script. */
static bool is_from_a_page(const struct http_fields *fields)
{
    struct span origin, site;

    return !reason_allows(http_fields_single(fields, "origin", &origin)) || origin.data != NULL ||
           !reason_allows(http_fields_single(fields, "sec-fetch-site", &site)) ||
           (site.data != NULL && !span_equals(site, "none"));
}

static enum probe_page find_page(struct span path)
{
    static const struct {
        const char *path;
        enum probe_page page;
    } pages[] = {{"/metrics", PROBE_METRICS}, {"/healthz", PROBE_HEALTH}, {"/readyz", PROBE_READY}};

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (span_equals(path, pages[i].path))
            return pages[i].page;
    }
    return PROBE_NONE;
}

static struct probe_verdict refuse(unsigned status, const char *why)
{
    return (struct probe_verdict){.status = status, .why = why};
}

struct probe_verdict probe_request_judge(const struct http_request *request,
                                         const struct text_list *hosts)
{
    const bool head_only = span_equals(request->method, "HEAD");
    struct http_body body;
    struct span host;
    enum probe_page page;

    if (!head_only && !span_equals(request->method, "GET"))
        return refuse(405, "This page knows GET and HEAD.");
    if (!reason_allows(http_body_of_request(request, false, &body)) || body.length > 0)
        return refuse(400, "This page takes no body.");
    if (!reason_allows(http_fields_single(&request->fields, "host", &host)) || host.data == NULL ||
        !may_be_asked_for(host, hosts))
        return refuse(403, "Host is neither localhost, nor an address, nor one of \"hosts\" of "
                           "\"telemetry\".");
    if (is_from_a_page(&request->fields))
        return refuse(403, "No page in a browser may read this.");
    page = find_page(request->path);
    if (page == PROBE_NONE)
        return refuse(404, "There are /metrics, /healthz and /readyz.");
    return (struct probe_verdict){.page = page, .head_only = head_only};
}

/* ---- What is answered ---- */

static void write_answer(struct buffer *out, unsigned status, const char *type, struct span body,
                         bool head_only)
{
    buffer_append_format(out,
                         "HTTP/1.1 %u %s\r\n"
                         "Content-Type: %s\r\n"
                         "Content-Length: %zu\r\n"
                         "%s"
                         "Cache-Control: no-store\r\n"
                         "X-Content-Type-Options: nosniff\r\n"
                         "Cross-Origin-Resource-Policy: same-origin\r\n"
                         "Connection: close\r\n\r\n",
                         status, http_status_phrase(status), type, body.length,
                         status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (!head_only)
        buffer_append(out, body.data, body.length);
}

static void write_sentence(struct buffer *out, unsigned status, const char *text, bool head_only)
{
    char line[512];
    size_t length = (size_t)snprintf(line, sizeof(line), "%s\n", text);

    write_answer(out, status, PLAIN, (struct span){line, length}, head_only);
}

static void write_unready(struct buffer *out, uint32_t unready, bool head_only)
{
    char text[256] = "not ready";
    size_t length = strlen(text);

    for (unsigned i = 0; i < UNREADY_COUNT; i++) {
        if ((unready & UINT32_C(1) << i) != 0 && length < sizeof(text))
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
                                       strchr(text, ':') == NULL ? ": " : "; ", unready_text(i));
    }
    write_sentence(out, 503, text, head_only);
}

void probe_request_answer(const struct probe_verdict *verdict, const struct probe_facts *facts,
                          struct buffer *out)
{
    if (verdict->page == PROBE_NONE)
        write_sentence(out, verdict->status, verdict->why, verdict->head_only);
    else if (!facts->known)
        write_sentence(out, 503, "the broker does not answer", verdict->head_only);
    else if (verdict->page == PROBE_READY && facts->unready != 0)
        write_unready(out, facts->unready, verdict->head_only);
    else if (verdict->page != PROBE_METRICS)
        write_sentence(out, 200, "ok", verdict->head_only);
    else if (facts->metrics.data == NULL)
        write_sentence(out, 503, "the metrics cannot be had for now", verdict->head_only);
    else
        write_answer(out, 200, METRICS, facts->metrics, verdict->head_only);
}
