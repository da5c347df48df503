/*
 * Any Host and Origin, a line each, then Sec-Fetch-Site: what is admitted is on
 * the short list of all that may be, written down here.
 */
#include "policy/admission.h"

#include "fuzz.h"

#include <ctype.h>
#include <string.h>

static char studio[] = "Studio", gate[] = "gate.example", other[] = "other.example:9000";
static char *host_items[] = {gate, other};
static char origin_item[] = "https://pages.example";
static char *origin_items[] = {origin_item};
static struct surface_tls tls;
static const struct admission_listener v4 = {"127.0.0.1", 8081}, v6_http = {"::1", 80};

static const struct place {
    struct surface surface;
    const struct admission_listener *listener;
    const char *scheme; /* of origins that are hosts; NULL: `origin` alone */
    const char *hosts[12];
} places[] = {
    {{.name = studio},
     &v4,
     "http://",
     {"localhost:8081", "127.0.0.1:8081", "[::1]:8081", "studio.localhost:8081"}},
    {{.name = studio},
     &v6_http,
     "http://",
     {"localhost", "localhost:80", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:80",
      "studio.localhost", "studio.localhost:80"}},
    {{.name = studio, .tls = &tls},
     &v4,
     "https://",
     {"localhost:8081", "127.0.0.1:8081", "[::1]:8081", "studio.localhost:8081"}},
    {{.name = studio, .hosts = {host_items, 2}, .origins = {origin_items, 1}},
     &v4,
     NULL,
     {"gate.example:8081", "other.example:9000"}},
};

static bool is_host_of(const struct place *place, const char *host)
{
    for (size_t i = 0; place->hosts[i] != NULL; i++) {
        if (strcasecmp(place->hosts[i], host) == 0)
            return true;
    }
    return false;
}

static bool is_origin_of(const struct place *place, const char *origin)
{
    size_t length;

    if (place->scheme == NULL)
        return strcmp(origin, origin_item) == 0;
    length = strlen(place->scheme);
    for (const char *at = origin; *at != '\0'; at++) {
        if (isupper((unsigned char)*at))
            return false;
    }
    return strncmp(origin, place->scheme, length) == 0 && is_host_of(place, origin + length);
}

/* Whether Referer is a URL of the host that is asked. */
static bool refers_to_own(const struct place *place, const struct request *request)
{
    size_t scheme = strlen(place->scheme), host = strlen(request->host);

    return strncmp(request->referer, place->scheme, scheme) == 0 &&
           strncasecmp(request->referer + scheme, request->host, host) == 0 &&
           strchr("/?#", request->referer[scheme + host]) != NULL;
}

/* A cookie counts only for the surface's own pages, or where the browser itself asks for a page. */
static void check_cookie(const struct place *place, const struct request *request)
{
    bool own = request->origin != NULL && is_origin_of(place, request->origin) &&
               strcasecmp(strstr(request->origin, "://") + 3, request->host) == 0;
    bool refers = request->origin == NULL && !request->upgrade && request->referer != NULL &&
                  refers_to_own(place, request);
    const char *site = request->fetch_site;

    if (!reason_allows(admission_cookie_origin(&place->surface, place->listener, request)))
        return;
    require(own || refers || (request->origin == NULL && site != NULL));
    require(site == NULL || strcmp(site, "same-origin") == 0 ||
            (strcmp(site, "none") == 0 && !request->upgrade));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_copy((struct span){(const char *)data, size}), *rest = text, *lines[4];
    struct request request = {.method = "GET"};

    require(text != NULL);
    for (size_t i = 0; i < 4; i++)
        lines[i] = strsep(&rest, "\n");
    request.host = lines[0];
    request.origin = lines[1];
    request.fetch_site = lines[2];
    request.referer = lines[3];
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        const struct place *place = &places[i];

        require(reason_allows(admission_host(&place->surface, place->listener, request.host)) ==
                is_host_of(place, request.host));
        require(reason_allows(admission_origin(&place->surface, place->listener, request.origin)) ==
                (request.origin == NULL || is_origin_of(place, request.origin)));
        for (unsigned upgrade = 0; upgrade < 2; upgrade++) {
            request.upgrade = upgrade == 1;
            check_cookie(place, &request);
        }
    }
    free(text);
    return 0;
}
