/* Requests as admission meets them, for the tests of single checks and of all steps together. */
#pragma once

#include "policy/admission.h"
#include "policy/own_path.h"

static const struct admission_listener v4 = {"127.0.0.1", 8081};
static const struct admission_listener v6 = {"::1", 8081};
static const struct admission_listener http = {"127.0.0.1", 80};
static const struct admission_listener lan = {"192.168.7.5", 8081};

struct host_case {
    const struct admission_listener *listener;
    const char *value;
    bool good;
};

static const struct host_case host_cases[] = {
    {&v4, "localhost:8081", true},
    {&v4, "LocalHost:8081", true},
    {&v4, "127.0.0.1:8081", true},
    {&v4, "[::1]:8081", true},
    {&v6, "localhost:8081", true},
    {&v6, "127.0.0.1:8081", true},
    {&http, "localhost", true},
    {&http, "localhost:80", true},
    {&http, "[::1]", true},
    {&lan, "192.168.7.5:8081", true},
    {&v4, "192.168.7.5:8081", false},
    {&v4, "", false},
    {&v4, "localhost", false}, /* port 80 is meant, and this is not port 80 */
    {&v4, "127.0.0.1", false},
    {&v4, "[::1]", false},
    {&v4, ":8081", false},
    {&v4, "localhost:", false},
    {&v4, "localhost:8082", false},
    {&v4, "localhost:08081", false},
    {&v4, "localhost:8081 ", false},
    {&v4, " localhost:8081", false},
    {&v4, "localhost:80810", false},
    {&v4, "localhost:+8081", false},
    {&v4, "localhost.:8081", false},
    {&v4, "localhost.localdomain:8081", false},
    {&v4, "localhost.attacker.example:8081", false},
    {&v4, "attacker.example:8081", false},
    {&v4, "xlocalhost:8081", false},
    {&v4, "user@localhost:8081", false},
    {&v4, "user:secret@localhost:8081", false},
    {&v4, "localhost:8081@attacker.example", false},
    {&v4, "localhost:8081/", false},
    {&v4, "localhost:8081,attacker.example", false},
    {&v4, "attacker.example, localhost:8081", false},
    {&v4, "http://localhost:8081", false},
    {&v4, "127.1:8081", false},
    {&v4, "127.0.0.2:8081", false},
    {&v4, "0177.0.0.1:8081", false},
    {&v4, "2130706433:8081", false},
    {&v4, "0.0.0.0:8081", false},
    {&v4, "::1:8081", false},
    {&v4, "[::1%25lo]:8081", false},
    {&v4, "[::1%lo]:8081", false},
    {&v4, "[0:0:0:0:0:0:0:1]:8081", false},
    {&v4, "[::ffff:127.0.0.1]:8081", false},
    {&v4, "[::]:8081", false},
    {&http, "localhost:", false},
    {&http, "localhost.", false},
    {&http, "localhost:8081", false},
    {&http, "localhost:443", false},
};

static const struct host_case origin_cases[] = {
    {&v4, "http://localhost:8081", true},
    {&v4, "http://127.0.0.1:8081", true},
    {&v6, "http://[::1]:8081", true},
    {&http, "http://localhost", true},
    {&v4, "", false},
    {&v4, "null", false},
    {&v4, "*", false},
    {&v4, "localhost:8081", false},
    {&v4, "//localhost:8081", false},
    {&v4, "http://", false},
    {&v4, "http:localhost:8081", false},
    {&v4, "https://localhost:8081", false},
    {&v4, "ws://localhost:8081", false},
    {&v4, "file://localhost:8081", false},
    {&v4, "chrome-extension://localhost:8081", false},
    {&v4, "http://localhost", false},
    {&v4, "http://localhost:8080", false},
    {&v4, "http://localhost:3000", false},
    {&v4, "http://localhost:8081/", false},
    {&v4, "http://localhost:8081/path", false},
    {&v4, "http://localhost:8081#", false},
    {&v4, "http://localhost:8081?", false},
    {&v4, "http://localhost:8081 ", false},
    {&v4, "http://localhost:8081 http://attacker.example", false},
    {&v4, "http://attacker.example http://localhost:8081", false},
    {&v4, "http://localhost:8081,http://attacker.example", false},
    {&v4, "http://user@localhost:8081", false},
    {&v4, "http://localhost:8081@attacker.example", false},
    {&v4, "http://a.localhost:8081", false},
    {&v4, "http://other.localhost:8081", false},
    {&v4, "http://localhost.attacker.example:8081", false},
    {&v4, "http://localhost.:8081", false},
    {&v4, "http://attacker.example", false},
    {&v4, "http://attacker.example:8081", false},
    {&v4, "http://127.0.0.2:8081", false},
    {&v4, "http://LOCALHOST:8081", false},
    {&v4, "HTTP://localhost:8081", false},
    {&http, "https://localhost", false},
    {&http, "http://localhost/", false},
};

struct cookie_case {
    const char *method, *origin, *site;
    bool upgrade, good;
    const char *referer;
};

#define OWN "http://studio.localhost:8081"

static const struct cookie_case cookie_cases[] = {
    /* Nothing is changed: the surface's own pages, and what a person typed. */
    {"GET", NULL, "same-origin", false, true, NULL},
    {"GET", NULL, "none", false, true, NULL},
    {"GET", OWN, NULL, false, true, NULL},
    /* Over plain HTTP browsers say no more than Referer. */
    {"GET", NULL, NULL, false, true, OWN "/"},
    {"HEAD", NULL, NULL, false, true, OWN "/page?x=/y#z"},
    {"GET", NULL, NULL, false, true, OWN},
    {"GET", NULL, NULL, false, true, OWN "?x"},
    {"GET", NULL, NULL, false, false, NULL},
    {"HEAD", NULL, NULL, false, false, NULL},
    {"GET", NULL, NULL, false, false, ""},
    {"GET", NULL, NULL, false, false, "/page"},
    {"GET", NULL, NULL, false, false, "http://studio.localhost:8082/"},
    {"GET", NULL, NULL, false, false, "http://localhost:8081/"},
    {"GET", NULL, NULL, false, false, "https://studio.localhost:8081/"},
    {"GET", NULL, NULL, false, false, OWN ".evil.example/"},
    {"GET", NULL, NULL, false, false, OWN "@evil.example/"},
    {"GET", NULL, NULL, false, false, "http://evil.example/?" OWN "/"},
    {"GET", NULL, NULL, false, false, "x" OWN "/"},
    {"GET", NULL, NULL, false, false, "about:blank"},
    {"GET", NULL, "same-site", false, false, OWN "/"},
    {"GET", "null", NULL, false, false, OWN "/"},
    {"POST", NULL, NULL, false, false, OWN "/"},
    {"GET", NULL, NULL, true, false, OWN "/"},
    {"GET", OWN, "same-origin", false, true, NULL},
    {"GET", NULL, "same-site", false, false, NULL},
    {"GET", NULL, "cross-site", false, false, NULL},
    {"GET", NULL, "", false, false, NULL},
    {"GET", NULL, "Same-Origin", false, false, NULL},
    {"GET", NULL, "same-origin, none", false, false, NULL},
    {"GET", OWN, "same-site", false, false, NULL},
    {"GET", "http://localhost:8081", "same-origin", false, false, NULL},
    {"GET", "null", NULL, false, false, NULL},
    /* Something is changed, or a WebSocket opened: it must be the surface's own page. */
    {"POST", OWN, NULL, false, true, NULL},
    {"POST", OWN, "same-origin", false, true, NULL},
    {"POST", NULL, "same-origin", false, true, NULL},
    {"DELETE", OWN, NULL, false, true, NULL},
    {"GET", OWN, NULL, true, true, NULL},
    {"GET", NULL, "same-origin", true, true, NULL},
    {"POST", NULL, NULL, false, false, NULL},
    {"OPTIONS", NULL, NULL, false, false, NULL},
    {"get", NULL, NULL, false, false, NULL},
    {"GET", NULL, NULL, true, false, NULL},
    {"GET", NULL, "none", true, false, NULL},
    {"POST", NULL, "none", false, false, NULL},
    {"POST", OWN, "none", false, false, NULL},
    {"POST", OWN, "cross-site", false, false, NULL},
    {"GET", OWN, "same-site", true, false, NULL},
    {"POST", "http://localhost:8081", NULL, false, false, NULL}, /* a host of ours, not this one */
    {"GET", "http://localhost:8081", NULL, true, false, NULL},
    {"POST", "http://studio.localhost:8082", NULL, false, false, NULL},
    {"POST", "http://studio.localhost", NULL, false, false, NULL},
    {"POST", "https://studio.localhost:8081", NULL, false, false, NULL},
    {"POST", "null", NULL, false, false, NULL},
    {"POST", "", "same-origin", false, false, NULL},
    {"POST", "studio.localhost:8081", NULL, false, false, NULL},
    {"POST", "http://evil.example", "same-origin", false, false, NULL},
};

static const struct {
    const char *method, *path;
    bool upgrade;
    enum reason reason;
    enum own_action action;
} own_path_cases[] = {
    {"GET", "/.sidelock/login", false, REASON_ALLOWED, OWN_LOGIN_PAGE},
    {"HEAD", "/.sidelock/login", false, REASON_ALLOWED, OWN_LOGIN_PAGE},
    {"POST", "/.sidelock/login", false, REASON_ALLOWED, OWN_LOGIN},
    {"POST", "/.sidelock/ticket", false, REASON_ALLOWED, OWN_TICKET},
    {"GET", "/.sidelock/logout", false, REASON_ALLOWED, OWN_LOGOUT_PAGE},
    {"POST", "/.sidelock/logout", false, REASON_ALLOWED, OWN_LOGOUT},
    {"GET", "/.sidelock/ticket", false, REASON_METHOD_REFUSED, OWN_REFUSE},
    {"PUT", "/.sidelock/login", false, REASON_METHOD_REFUSED, OWN_REFUSE},
    {"post", "/.sidelock/login", false, REASON_METHOD_REFUSED, OWN_REFUSE},
    {"GET", "/.sidelock/login", true, REASON_UPGRADE_ROUTE, OWN_REFUSE},
    {"GET", "/.sidelock/", false, REASON_ROUTE_UNKNOWN, OWN_REFUSE},
    {"GET", "/.sidelock/login/", false, REASON_ROUTE_UNKNOWN, OWN_REFUSE},
    {"GET", "/.sidelock/Login", false, REASON_ROUTE_UNKNOWN, OWN_REFUSE},
    {"POST", "/login", false, REASON_ROUTE_UNKNOWN, OWN_REFUSE},
};
