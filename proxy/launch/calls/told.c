#include "launch/calls/told.h"

#include "launch/calls/whereabouts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define NAME_SIZE (sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1)

static const char *protocol_of(const struct subject *subject)
{
    return subject_is_tcp(subject) ? "tcp" : "udp";
}

void told_connect(struct calls *calls, const struct subject *subject, const union address *address)
{
    char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 16];
    bool six = address->base.sa_family == AF_INET6;
    const void *bytes = six ? (const void *)&address->in6.sin6_addr : &address->in.sin_addr;

    if (!recorder_is_on(&calls->recorder) || address_port(address) == 0 ||
        inet_ntop(address->base.sa_family, bytes, host, sizeof(host)) == NULL)
        return;
    snprintf(text, sizeof(text), "%s%s%s:%u/%s", six ? "[" : "", host, six ? "]" : "",
             address_port(address), protocol_of(subject));
    recorder_tell(&calls->recorder, RECORD_CONNECT, 0, text);
}

/* What is no name, "": one that the kernel gives. False: it is no path. */
static bool read_unix(const union address *address, socklen_t length, char out[NAME_SIZE])
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)(const void *)address;
    size_t bytes = length > offsetof(struct sockaddr_un, sun_path)
                       ? length - offsetof(struct sockaddr_un, sun_path)
                       : 0;

    if (bytes > sizeof(name->sun_path))
        bytes = sizeof(name->sun_path);
    memcpy(out, name->sun_path, bytes);
    out[bytes] = '\0';
    return bytes > 0 && out[0] != '\0';
}

void told_connect_unix(struct calls *calls, const struct question *question,
                       const union address *address, socklen_t length)
{
    char name[NAME_SIZE], found[PATH_MAX];
    const struct whereabouts where = {
        .question = question, .descriptor = AT_FDCWD, .path = name, .follow = true};
    struct stat facts;

    if (!calls->begun || !recorder_is_on(&calls->recorder)) /* a fence that is tried */
        return;
    if (read_unix(address, length, name)) {
        if (whereabouts_find(&where, found, &facts) == OK)
            recorder_tell(&calls->recorder, RECORD_CONNECT, 0, found);
    } else if (length > offsetof(struct sockaddr_un, sun_path) + 1) {
        name[0] = '@';
        recorder_tell(&calls->recorder, RECORD_CONNECT, 0, name);
    }
}

void told_bind(struct calls *calls, const struct subject *subject, const union address *address)
{
    recorder_tell(&calls->recorder, RECORD_BIND, address_port(address), protocol_of(subject));
    if (subject_is_udp(subject))
        recorder_tell(&calls->recorder, RECORD_LISTEN, address_port(address), "udp");
}

void told_bind_unix(struct calls *calls, const struct question *question,
                    const union address *address, socklen_t length)
{
    char name[NAME_SIZE], found[PATH_MAX];
    const struct whereabouts where = {
        .question = question, .descriptor = AT_FDCWD, .path = name, .follow = false};

    if (recorder_is_on(&calls->recorder) && read_unix(address, length, name) &&
        whereabouts_find_directory(&where, found) == OK)
        recorder_tell(&calls->recorder, RECORD_ENTRY, 0, found);
}

void told_listen(struct calls *calls, const struct subject *subject, int socket)
{
    union address bound;

    if (recorder_is_on(&calls->recorder) && address_of_socket(socket, &bound))
        recorder_tell(&calls->recorder, RECORD_LISTEN, address_port(&bound), protocol_of(subject));
}
