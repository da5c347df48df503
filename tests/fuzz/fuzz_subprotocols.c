/*
 * Any bytes as Sec-WebSocket-Protocol: what is offered on are tokens that the
 * route speaks, each once and in the client's order, and never a ticket; and of
 * two tickets none is taken.
 */
#include "policy/admission.h"

#include "fuzz.h"

#include <string.h>

#define OFFER_BYTES_MAX 4096

static char mcp[] = "mcp", mcp_2[] = "mcp.2", chat[] = "chat";
static char *spoken[] = {mcp, mcp_2, chat};
static const struct route route = {.subprotocols = {spoken, 3}};

/* Every element of the offer stands in the header behind the one before it. */
static void check_offer(const char *header, char *offer)
{
    bool seen[3] = {false};
    char *rest = offer, *element;

    while (offer[0] != '\0' && (element = strsep(&rest, ",")) != NULL) {
        size_t which = 0;

        element += element[0] == ' ';
        while (which < 3 && strcmp(element, spoken[which]) != 0)
            which++;
        require(which < 3 && !seen[which]);
        seen[which] = true;
        header = strstr(header, element);
        require(header != NULL);
    }
}

static unsigned count_tickets(char *header)
{
    unsigned count = 0;
    char *element;

    while ((element = strsep(&header, ",")) != NULL) {
        element += strspn(element, " \t");
        count += strncmp(element, ADMISSION_TICKET_PREFIX, strlen(ADMISSION_TICKET_PREFIX)) == 0;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *header = text_copy((struct span){(const char *)data, size});
    struct request request = {.method = "GET", .subprotocols = header, .upgrade = true};
    struct credential credential = {CREDENTIAL_NONE, {NULL, 0}};
    struct buffer offer;
    enum reason reason;
    unsigned tickets;

    require(header != NULL);
    buffer_init(&offer, OFFER_BYTES_MAX);
    if (reason_allows(admission_subprotocols(&route, &request, &offer)) && offer.length > 0)
        check_offer(header, offer.data);
    buffer_clear(&offer);

    reason = admission_credential(&request, &credential);
    if (reason_allows(reason))
        require(credential.kind == CREDENTIAL_TICKET && credential.bytes.data > header &&
                credential.bytes.data + credential.bytes.length <= header + strlen(header));
    tickets = count_tickets(header);
    require(reason == (tickets == 0   ? REASON_CREDENTIAL_MISSING
                       : tickets == 1 ? REASON_ALLOWED
                                      : REASON_CREDENTIAL_AMBIGUOUS));
    free(header);
    return 0;
}
