#include "worker/http/cover.h"

#include "base/secret.h"
#include "policy/own_path.h"
#include "policy/stray.h"

#include <stdlib.h>
#include <string.h>

void cover_clear(struct cover *cover)
{
    free(cover->host);
    free(cover->origin);
    if (cover->authorization != NULL)
        secret_wipe(cover->authorization, strlen(cover->authorization));
    free(cover->authorization);
    *cover = (struct cover){0};
}

static bool keep(const char *text, char **out)
{
    if (text != NULL)
        *out = strdup(text);
    return (text == NULL) == (*out == NULL);
}

void cover_keep(struct cover *cover, const struct request *asked)
{
    cover_clear(cover);
    cover->given = keep(asked->host, &cover->host) && keep(asked->origin, &cover->origin) &&
                   keep(asked->authorization, &cover->authorization);
}

static bool same(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

/* What looks like a credential where none belongs is for the broker, which knows whether it is. */
static bool strays(const struct request *asked)
{
    struct stray stray = {0};

    return asked->strays != NULL || stray_in(&stray, span_of(asked->path), false) ||
           stray_in(&stray, span_of(asked->query), false);
}

/* Only a bearer's requests: a cookie counts by what else a request brings. */
bool cover_reaches(const struct cover *cover, const struct request *asked)
{
    if (asked->upgrade || asked->authorization == NULL || asked->subprotocols != NULL ||
        own_path_is(asked->path))
        return false;
    return cover->given && !cover->once && same(cover->host, asked->host) &&
           same(cover->origin, asked->origin) && same(cover->authorization, asked->authorization) &&
           !strays(asked);
}
