/* Under which names a surface is addressed, and from whose pages: Host, Origin and cookies. */
#include "policy/admission.h"

#include "wire/url.h"

#include <stdio.h>
#include <string.h>

#define AUTHORITY_BYTES_MAX 300
#define OWN_DOMAIN          ".localhost"
#define UPPER_CASE          "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* The names under which a loopback listener may be addressed. */
static const char *const loopback_names[] = {"localhost", "127.0.0.1", "[::1]"};
#define LOOPBACK_NAMES (sizeof(loopback_names) / sizeof(loopback_names[0]))

static const char *scheme_of(const struct surface *surface)
{
    return surface->tls != NULL ? "https://" : "http://";
}

static bool equals_authority(const struct surface *surface, uint16_t port, const char *given,
                             const char *name)
{
    uint16_t usual = surface->tls != NULL ? 443 : 80;
    char authority[AUTHORITY_BYTES_MAX + sizeof(":65535")];

    snprintf(authority, sizeof(authority), "%s:%u", name, port);
    if (span_equals_nocase(span_of(given), authority))
        return true;
    return port == usual && span_equals_nocase(span_of(given), name);
}

static bool is_default_host(const struct surface *surface,
                            const struct admission_listener *listener, const char *host)
{
    char bracketed[AUTHORITY_BYTES_MAX], own[ADMISSION_OWN_HOST_SIZE];

    for (size_t i = 0; i < LOOPBACK_NAMES; i++) {
        if (equals_authority(surface, listener->port, host, loopback_names[i]))
            return true;
    }
    if (admission_own_host(surface, own) && equals_authority(surface, listener->port, host, own))
        return true;
    snprintf(bracketed, sizeof(bracketed), strchr(listener->address, ':') ? "[%s]" : "%s",
             listener->address);
    return equals_authority(surface, listener->port, host, bracketed);
}

/* A configured host without a port means the listening port. */
static bool is_configured_host(const struct surface *surface,
                               const struct admission_listener *listener, const char *host)
{
    const struct text_list *hosts = &surface->hosts;

    for (size_t i = 0; i < hosts->count; i++) {
        const char *name = hosts->items[i];
        const char *bracket = strrchr(name, ']');
        bool has_port = strchr(bracket != NULL ? bracket : name, ':') != NULL;

        if (has_port ? span_equals_nocase(span_of(host), name)
                     : equals_authority(surface, listener->port, host, name))
            return true;
    }
    return false;
}

static bool is_host(const struct surface *surface, const struct admission_listener *listener,
                    const char *host)
{
    return surface->hosts.count > 0 ? is_configured_host(surface, listener, host)
                                    : is_default_host(surface, listener, host);
}

enum reason admission_host(const struct surface *surface, const struct admission_listener *listener,
                           const char *host)
{
    if (host == NULL)
        return REASON_HOST_MISSING; /* RFC 9112 section 3.2 */
    return is_host(surface, listener, host) ? REASON_ALLOWED : REASON_HOST_MISMATCH;
}

enum reason admission_origin(const struct surface *surface,
                             const struct admission_listener *listener, const char *origin)
{
    const char *scheme = scheme_of(surface);
    size_t length = strlen(scheme);

    if (origin == NULL)
        return REASON_ALLOWED;
    if (surface->origins.count > 0)
        return text_list_contains(&surface->origins, span_of(origin)) ? REASON_ALLOWED
                                                                      : REASON_ORIGIN_MISMATCH;
    /* An origin is written in lower case (RFC 6454 section 6); Host may be in any. */
    if (strncmp(origin, scheme, length) == 0 && strpbrk(origin, UPPER_CASE) == NULL &&
        is_host(surface, listener, origin + length))
        return REASON_ALLOWED;
    return REASON_ORIGIN_MISMATCH;
}

bool admission_own_host(const struct surface *surface, char out[ADMISSION_OWN_HOST_SIZE])
{
    const char *name = surface->name != NULL ? surface->name : "";
    size_t length = strlen(name);

    if (length > HOST_LABEL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    memcpy(out + length, OWN_DOMAIN, sizeof(OWN_DOMAIN));
    return host_is_label(out, length);
}

/* Whether an origin is that of the host which is asked. */
static bool is_own_origin(const struct surface *surface, const struct admission_listener *listener,
                          const char *host, const char *origin)
{
    const char *authority = strstr(origin, "://");

    return authority != NULL && host != NULL &&
           reason_allows(admission_origin(surface, listener, origin)) &&
           span_equals_nocase(span_of(host), authority + 3);
}

/* Whether the page that asks was loaded from there, as Referer has it (RFC 9110 section 10.1.3). */
static bool is_own_page(const struct surface *surface, const struct admission_listener *listener,
                        const struct request *request)
{
    const char *url = request->referer;
    const char *authority = url != NULL ? strstr(url, "://") : NULL;
    char origin[AUTHORITY_BYTES_MAX];
    size_t length;

    if (authority == NULL)
        return false;
    length = (size_t)(authority - url) + 3 + strcspn(authority + 3, "/?#");
    if (length >= sizeof(origin))
        return false;
    memcpy(origin, url, length);
    origin[length] = '\0';
    return is_own_origin(surface, listener, request->host, origin);
}

enum reason admission_cookie_origin(const struct surface *surface,
                                    const struct admission_listener *listener,
                                    const struct request *request)
{
    bool safe = !request->upgrade &&
                (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0);
    const char *site = request->fetch_site, *origin = request->origin;

    if (origin != NULL && !is_own_origin(surface, listener, request->host, origin))
        return REASON_COOKIE_ORIGIN;
    if (site != NULL && strcmp(site, "same-origin") != 0 && !(safe && strcmp(site, "none") == 0))
        return REASON_COOKIE_ORIGIN;
    if (origin == NULL && site == NULL && !(safe && is_own_page(surface, listener, request)))
        return REASON_COOKIE_ORIGIN;
    return REASON_ALLOWED;
}

enum reason admission_own_origin(const struct surface *surface,
                                 const struct admission_listener *listener,
                                 const struct request *request)
{
    if (request->origin == NULL)
        return REASON_COOKIE_ORIGIN;
    return admission_cookie_origin(surface, listener, request);
}
