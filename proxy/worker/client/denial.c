#include "worker/client/denial.h"

#include "policy/admission.h"
#include "policy/own_path.h"
#include "wire/http_denial.h"

#define ALLOW_BYTES_MAX 1024

/* The methods that the path takes. */
static void append_methods(const struct head *head, struct buffer *out)
{
    if (own_path_is(head->path))
        buffer_append_text(out, own_path_methods(head->path));
    else if (head->route != NULL)
        admission_methods(head->route, out);
}

void denial_write(const struct surface *surface, const struct asker *asker, const struct head *head,
                  enum reason reason, struct buffer *out)
{
    struct http_denial denial = {.reason = reason,
                                 .request_id = asker->request_id,
                                 .head_only = asker->head_only,
                                 .page = asker->page,
                                 .surface = surface->name};
    struct buffer allow;

    buffer_init(&allow, ALLOW_BYTES_MAX);
    if (reason == REASON_METHOD_REFUSED && head != NULL)
        append_methods(head, &allow);
    if (allow.length > 0 && !buffer_failed(&allow))
        denial.allow = allow.data;
    http_denial_write(&denial, out);
    buffer_clear(&allow);
}
