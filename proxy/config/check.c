/*
 * What a string in the configuration may be (reading.h), and values of more than one table.
 * Called by the tables of this folder.
 */
#include "config/reading.h"

#include "base/log.h"
#include "base/secret.h"
#include "wire/http_head.h"
#include "wire/http_names.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#define SUBPROTOCOL_BYTES_MAX 63
#define METHOD_BYTES_MAX      32
#define HOST_BYTES_MAX        255
#define SCHEME_BYTES_MAX      32
#define PORT_DIGITS_MAX       5

#define LOWER            "abcdefghijklmnopqrstuvwxyz"
#define UPPER            "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS           "0123456789"
#define TOKEN_CHARACTERS LOWER UPPER DIGITS "!#$%&'*+-.^_`|~" /* RFC 9110 section 5.6.2 */

static bool all_of(const char *text, const char *set)
{
    return text[strspn(text, set)] == '\0';
}

const char *config_check_sentence(const char *text)
{
    if (*text == '\0')
        return "must not be empty; leave the key out instead";
    return text_has_control(text) ? "must be one line without control characters" : NULL;
}

/* Whether no segment is "." or "..", and none empty but, if `slash_ends`, the last. */
static bool segments_plain(const char *path, bool slash_ends)
{
    while (*path == '/') {
        size_t length = strcspn(++path, "/");

        if (length == 0 && !(slash_ends && path[0] == '\0'))
            return false;
        if ((length == 1 && path[0] == '.') || (length == 2 && memcmp(path, "..", 2) == 0))
            return false;
        path += length;
    }
    return *path == '\0';
}

const char *config_check_path(const char *text)
{
    if (*text != '/')
        return "must be an absolute path";
    if (text_has_control(text))
        return "must be a path without control characters";
    if (!segments_plain(text, false))
        return "must be a path without \"//\", \".\", \"..\" or a slash at its end";
    return NULL;
}

const char *config_check_socket(const char *text)
{
    if (strlen(text) > CONFIG_SOCKET_BYTES_MAX)
        return "must be at most 107 bytes long, which is all a Unix socket's address holds";
    return config_check_path(text);
}

const char *config_check_user(const char *text)
{
    return text[strspn(text, LOWER UPPER DIGITS "_.-")] == '\0' && text[0] != '-' && text[0] != '\0'
               ? NULL
               : "must be a uid or the name of a user";
}

const char *config_check_surface_name(const char *text)
{
    if (!text_is_name(text))
        return "must begin with a letter or digit, hold only letters, digits, dots, "
               "hyphens and underscores, and be at most 64 bytes long to name a surface";
    if (log_is_ours(text))
        return "is a name that Sidelock's own lines have in the log: the surface must have another";
    return NULL;
}

const char *config_check_sha256(const char *text)
{
    if (!text_is_hex(text, SHA256_HEX_SIZE - 1))
        return "must be 64 lower-case hexadecimal digits, as sha256sum prints them";
    return NULL;
}

const char *config_check_pointer(const char *text)
{
    if (*text != '\0' && *text != '/')
        return "must be a JSON pointer: \"\" for the whole record, or begin with '/'";
    for (; *text != '\0'; text++) {
        if (*text == '~' && text[1] != '0' && text[1] != '1')
            return "must write '~' in a JSON pointer as ~0";
    }
    return NULL;
}

/* 1 to 65535, without a leading zero. */
static bool port_valid(const char *text)
{
    uint64_t port;

    return *text != '0' && text_number(span_of(text), PORT_DIGITS_MAX, &port) && port <= 65535;
}

static bool name_or_address(const char *text, size_t length)
{
    char name[HOST_BYTES_MAX + 1];
    struct in6_addr address;

    if (length == 0 || length > HOST_BYTES_MAX)
        return false;
    memcpy(name, text, length);
    name[length] = '\0';
    if (name[0] != '[')
        return all_of(name, LOWER DIGITS "._-");
    if (name[length - 1] != ']')
        return false;
    name[length - 1] = '\0';
    return strpbrk(name, UPPER) == NULL && inet_pton(AF_INET6, name + 1, &address) == 1;
}

const char *config_check_host(const char *text)
{
    const char *bracket = strchr(text, ']');
    const char *colon = strchr(bracket != NULL ? bracket : text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);

    if (!name_or_address(text, length) || (colon != NULL && !port_valid(colon + 1)))
        return "must be a host in lower case, with or without a port, like \"localhost:8081\" or "
               "\"[::1]:8081\"";
    return NULL;
}

const char *config_check_origin(const char *text)
{
    static const char *const usual[][2] = {{"http://", ":80"}, {"https://", ":443"}};
    const char *authority = strstr(text, "://");
    size_t length = strlen(text);

    if (authority == NULL || authority == text || authority - text > SCHEME_BYTES_MAX ||
        strspn(text, LOWER DIGITS "+.-") != (size_t)(authority - text) ||
        config_check_host(authority + 3) != NULL)
        return "must be scheme://host or scheme://host:port in lower case, without a path";
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        size_t port = strlen(usual[i][1]);

        if (strncmp(text, usual[i][0], strlen(usual[i][0])) == 0 && length > port &&
            strcmp(text + length - port, usual[i][1]) == 0)
            return "must leave out its scheme's usual port, as browsers do";
    }
    return NULL;
}

/* Whether a name begins with one of several prefixes; one that ends in '$' is a whole name. */
static bool name_among(const char *name, const char *const *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(prefixes[i], "$");

        if (strncasecmp(name, prefixes[i], length) == 0 &&
            (prefixes[i][length] == '\0' || name[length] == '\0'))
            return true;
    }
    return false;
}

const char *config_check_header(const char *text)
{
    static const char *const hop[] = {"connection$",        "keep-alive$",     "te$",
                                      "trailer$",           "upgrade$",        "proxy-",
                                      "transfer-encoding$", "content-length$", "expect$"};
    static const char *const ours[] = {"host$", "origin$", "sec-websocket-"};
    static const char *const credentials[] = {"authorization$", "cookie$"};
    static const char *const forwarded[] = {"forwarded$", "x-forwarded-", "x-real-ip$", "via$"};

    if (*text == '\0' || strlen(text) > CONFIG_NAME_BYTES_MAX || !all_of(text, TOKEN_CHARACTERS))
        return "must be the name of a header";
    if (!http_name_plain(span_of(text)))
        return "must be of letters, digits and hyphens to name a header that passes: services take "
               "other signs for hyphens";
    if (name_among(text, hop, sizeof(hop) / sizeof(hop[0])))
        return "must not be forwarded: it belongs to one connection only";
    if (name_among(text, ours, sizeof(ours) / sizeof(ours[0])))
        return "must not be forwarded: the gate decides on it and writes its own";
    if (name_among(text, credentials, sizeof(credentials) / sizeof(credentials[0])))
        return "must not be forwarded: credentials never reach the service";
    if (name_among(text, forwarded, sizeof(forwarded) / sizeof(forwarded[0])))
        return "must not be forwarded: services trust what a client could make up there";
    return NULL;
}

const char *config_check_method(const char *text)
{
    if (*text == '\0' || strlen(text) > METHOD_BYTES_MAX || !all_of(text, UPPER "-"))
        return "must be the name of a method in upper case, like \"POST\"";
    if (strcmp(text, "CONNECT") == 0 || strcmp(text, "TRACE") == 0)
        return "must not be CONNECT or TRACE, which are not for a service behind";
    return NULL;
}

const char *config_check_subprotocol(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length > SUBPROTOCOL_BYTES_MAX || !all_of(text, TOKEN_CHARACTERS))
        return "must be a subprotocol: a token of at most 63 bytes";
    if (strncasecmp(text, "sidelock.", strlen("sidelock.")) == 0)
        return "must not begin with \"sidelock.\", which is kept for tickets";
    return NULL;
}

const char *config_check_query_name(const char *text)
{
    if (*text == '\0' || strlen(text) > CONFIG_NAME_BYTES_MAX ||
        !all_of(text, LOWER UPPER DIGITS "._~-"))
        return "must be a query parameter's name: letters, digits, dots, hyphens, underscores, "
               "tildes";
    return NULL;
}

/*
 * {name}: a lower-case identifier between braces that fills its segment; in a
 * path's last segment also {name...}.
 */
static bool placeholder_valid(const char *segment, size_t length)
{
    static const char rest[] = "...}";
    size_t name;

    if (length <= 2 || segment[0] != '{')
        return false;
    name = strspn(segment + 1, LOWER DIGITS "_");
    if (name > 0 && segment[length] == '\0' && length == 1 + name + sizeof(rest) - 1)
        return memcmp(segment + 1 + name, rest, sizeof(rest) - 1) == 0;
    return name == length - 2 && segment[length - 1] == '}';
}

/* Counts {name} segments; -1: a brace elsewhere. */
static int placeholders(const char *path)
{
    int count = 0;

    while (*path != '\0') {
        size_t length = strcspn(++path, "/");

        if (memchr(path, '{', length) != NULL || memchr(path, '}', length) != NULL) {
            if (!placeholder_valid(path, length))
                return -1;
            count++;
        }
        path += length;
    }
    return count;
}

const char *config_check_route_path(const char *text)
{
    if (*text != '/')
        return "must begin with '/'";
    if (strlen(text) > REQUEST_PATH_BYTES_MAX)
        return "must be at most 1024 bytes long";
    if (text_has_control(text) || strpbrk(text, "?%;&#\\ ") != NULL)
        return "must be a decoded path without spaces and without any of ? % ; & # \\";
    if (!segments_plain(text, true))
        return "must be a path without \"//\", \".\" or \"..\", which no request keeps";
    if (placeholders(text) < 0)
        return "must use braces only for a whole segment, like {session}";
    return NULL;
}

const char *config_check_request_path(const char *text)
{
    const char *why = config_check_route_path(text);

    if (why == NULL && placeholders(text) != 0)
        why = "must be a fixed path without {name} segments";
    return why;
}

const char *config_check_answer_path(const char *text)
{
    const char *why = config_check_route_path(text);

    if (why == NULL && (placeholders(text) != 1 || strstr(text, "/{answer}") == NULL))
        why = "must have {answer} as its one segment in braces";
    return why;
}

/* ---- Values of more than one table ---- */

char *config_expand_text(struct json_reader *reader, const char *text)
{
    const struct config_reading *reading = reader->context;
    char why[WHY_SIZE], *out = NULL;

    switch (config_expand(text, &reading->variables, &out, why)) {
    case OK:
        return out;
    case ERROR_INVALID:
        json_reader_fault(reader, "%s", why);
        return NULL;
    default:
        reader->out_of_memory = true;
        return NULL;
    }
}

void config_read_pattern(struct json_reader *reader, struct json_t *value, void *into)
{
    struct config_pattern **out = into;
    const char *text = json_string_value(value);
    char why[CONFIG_PATTERN_WHY_SIZE];

    if (text == NULL) {
        json_reader_fault(reader, "This must be a string: a regular expression.");
        return;
    }
    switch (config_pattern_compile(text, out, why)) {
    case OK:
        break;
    case ERROR_INVALID:
        json_reader_fault(reader, "The regular expression \"%.64s\" %s.", text, why);
        break;
    default:
        reader->out_of_memory = true;
    }
}

void config_clear_pattern(void *pattern)
{
    config_pattern_destroy(*(struct config_pattern **)pattern);
}

void config_read_uid(struct json_reader *reader, struct json_t *value, void *into)
{
    const char *text = json_string_value(value);
    const struct config_reading *reading = reader->context;
    uint32_t *uid = into;

    if (text != NULL && strcmp(text, "self") == 0)
        *uid = reading->self_uid;
    else if (text != NULL)
        json_reader_fault(reader,
                          "\"%.64s\" must be \"self\" or a number: user names are not looked up "
                          "(`id -u NAME` prints a user's number).",
                          text);
    else /* all ones is no user: chown(2) and others take it for "leave as it is" */
        (void)json_reader_number(reader, value, 0, UINT32_MAX - 1, uid);
}

void config_read_gid(struct json_reader *reader, struct json_t *value, void *into)
{
    const char *text = json_string_value(value);

    if (text != NULL)
        json_reader_fault(
            reader,
            "\"%.64s\" must be a number: group names are not looked up (`getent group "
            "NAME` prints a group's number).",
            text);
    else
        (void)json_reader_number(reader, value, 0, UINT32_MAX - 1, into);
}
