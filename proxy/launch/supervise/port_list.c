#include "launch/supervise/port_list.h"

#include "base/text.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool port_list_has(const char *list, const char *port)
{
    struct span rest = span_of(list);

    while (rest.length > 0) {
        if (span_equals(span_split(&rest, ' '), port))
            return true;
    }
    return false;
}

void port_list_add(char list[ERRAND_PORTS_SIZE], const struct port *port)
{
    size_t length = strlen(list);
    char one[32];

    snprintf(one, sizeof(one), "%u/%s", port->number,
             port->protocol == IPPROTO_TCP ? "tcp" : "udp");
    if (!port_list_has(list, one) && length + strlen(one) + 1 < ERRAND_PORTS_SIZE)
        snprintf(list + length, ERRAND_PORTS_SIZE - length, "%s%s", length > 0 ? " " : "", one);
}
