#include "worker/client/head.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

struct head *head_create(void)
{
    struct head *head = malloc(sizeof(*head));

    if (head != NULL) {
        head->length = 0;
        head_replace(head, "", 0);
    }
    return head;
}

void head_destroy(struct head *head)
{
    if (head == NULL)
        return;
    secret_wipe(head->bytes, head->length);
    secret_wipe(head->cookie, sizeof(head->cookie));
    free(head);
}

void head_replace(struct head *head, const void *bytes, size_t length)
{
    memmove(head->bytes, bytes, length);
    if (head->length > length)
        secret_wipe(head->bytes + length, head->length - length);
    head->length = length;
    head->request = (struct http_request){0};
    head->route = NULL;
    head->body = NULL;
    head->path[0] = head->key[0] = head->ticket_subprotocol[0] = '\0';
}

const char *head_terminate(struct head *head, struct span span)
{
    if (span.data == NULL)
        return NULL;
    head->bytes[(size_t)(span.data - head->bytes) + span.length] = '\0';
    return span.data;
}
