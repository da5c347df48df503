/*
 * A static service: `static_service PORT` answers HTTP on all addresses of both families through
 * one dual-stack socket, and tells each client whether it can reach itself at that port.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int reaches_itself(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int reached = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    close(fd);
    return reached;
}

int main(int count, char **arguments)
{
    unsigned port = count == 2 ? (unsigned)strtoul(arguments[1], NULL, 10) : 0;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_port = htons((unsigned short)port)};
    int listener = socket(AF_INET6, SOCK_STREAM, 0), no = 0;

    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 16) < 0)
        return EXIT_FAILURE;
    for (;;) {
        int client = accept(listener, NULL, NULL);
        char request[4096], answer[256];
        const char *body = reaches_itself(port) ? "itself" : "nobody";

        if (read(client, request, sizeof(request)) > 0) {
            snprintf(answer, sizeof(answer),
                     "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                     strlen(body), body);
            (void)!write(client, answer, strlen(answer));
        }
        close(client);
    }
}
