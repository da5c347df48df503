#include "wire/http_names.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Those that begin with "x-", without it. */
static const char *const trusted_x[] = {
    "accel-*",
    "akamai-*",
    "amzn-mtls-*",
    "amzn-oidc-*",
    "amzn-tls-*",
    "anonymous-consumer",
    "apigateway-api-*",
    "appengine-*",
    "arr-*",
    "auth-email",
    "auth-group*",
    "auth-name",
    "auth-request-*",
    "auth-role*",
    "auth-subject",
    "auth-user*",
    "authelia-*",
    "authenticated-*",
    "authentik-*",
    "authz-*",
    "azure-*",
    "caller-*",
    "cas-*",
    "cert-*",
    "certificate*",
    "client-cert*",
    "client-dn*",
    "client-fingerprint",
    "client-ip",
    "client-s-dn",
    "client-san*",
    "client-subject*",
    "client-verif*",
    "cluster-client-ip",
    "connecting-ip",
    "consumer-*",
    "credential-*",
    "custom-ip-authorization",
    "email",
    "endpoint-api-*",
    "envoy-*",
    "forwarded",
    "forwarded-*",
    "goog-authenticated-*",
    "goog-iap-*",
    "group",
    "groups",
    "host",
    "http-destinationurl",
    "http-host-override",
    "http-method*",
    "id-token",
    "internal-*",
    "jwt-assertion",
    "ldap-*",
    "method-override",
    "middleware-*",
    "ms-client-*",
    "ms-token-*",
    "mtls-*",
    "ngrok-*",
    "oidc-*",
    "okta-*",
    "openid-*",
    "original-*",
    "originating-ip",
    "path-info",
    "pomerium-*",
    "proxy-*",
    "proxyuser-ip",
    "real-*",
    "remote-*",
    "replit-*",
    "rewrite-*",
    "role",
    "roles",
    "saml-*",
    "sandstorm-*",
    "scheme",
    "script-name",
    "sendfile-type",
    "shib-*",
    "sidelock-*",
    "ssl*",
    "sso-*",
    "sucuri-clientip",
    "tailscale-*",
    "teleport-*",
    "tls-*",
    "url-scheme",
    "user",
    "user-email",
    "user-group*",
    "user-id",
    "user-name",
    "user-role*",
    "userid",
    "userinfo",
    "username",
    "vercel-*",
    "vouch-*",
    "webauth-*",
};
static const char *const trusted[] = {
    "akamai-*",     "ali-cdn-real-ip", "cas-*",
    "cdn-real-ip",  "cdn-src-ip",      "cf-*",
    "client-cert",  "client-cert-*",   "client-ip",
    "cloudfront-*", "fastly-*",        "fly-*",
    "forwarded",    "forwarded-*",     "front-end-https",
    "gap-auth",     "http-client-ip",  "http-forwarded*",
    "http-via",     "http-x-*",        "incap-client-ip",
    "iv-*",         "mellon-*",        "ngrok-*",
    "oam-*",        "oidc-*",          "path-info",
    "proxy",        "pseudo-ipv4",     "remote-*",
    "script-name",  "shib-*",          "sidelock-*",
    "sm-*",         "smuser",          "ssl-*",
    "tailscale-*",  "teleport-*",      "true-client-ip",
    "via",          "webauth-*",       "wl-proxy-*",
    "ynh-*",
};

bool http_name_begins(struct span name, const char *prefix, size_t length)
{
    return name.length >= length && strncasecmp(name.data, prefix, length) == 0;
}

bool http_name_among(struct span name, const char *const *patterns, size_t count)
{
    char first = (char)(name.length > 0 ? tolower((unsigned char)name.data[0]) : '\0');

    for (size_t i = 0; i < count; i++) {
        size_t length;

        if (patterns[i][0] != first)
            continue;
        length = strlen(patterns[i]);
        if (patterns[i][length - 1] == '*' ? http_name_begins(name, patterns[i], length - 1)
                                           : span_equals_nocase(name, patterns[i]))
            return true;
    }
    return false;
}

bool http_name_plain(struct span name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (!isalnum((unsigned char)name.data[i]) && name.data[i] != '-')
            return false;
    }
    return true;
}

bool http_name_trusted(struct span name)
{
    if (http_name_begins(name, "x-", 2))
        return http_name_among((struct span){name.data + 2, name.length - 2}, trusted_x,
                               COUNT(trusted_x));
    return http_name_among(name, trusted, COUNT(trusted));
}
