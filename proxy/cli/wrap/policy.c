#include "cli/wrap/policy.h"

#include "launch/common/command.h"

#include <stdlib.h>
#include <string.h>

bool policy_is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    if (strcmp(directory, "/") == 0)
        return path[0] == '/';
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static bool is_below_one(const char *path, const struct text_list *directories)
{
    for (size_t i = 0; i < directories->count; i++) {
        if (policy_is_below(path, directories->items[i]))
            return true;
    }
    return false;
}

/* The directory for what is temporary that the path is, or lies in; NULL. */
static const char *temporary_of(const char *path)
{
    for (const char *const *own = command_private; *own != NULL; own++) {
        if (policy_is_below(path, *own))
            return *own;
    }
    return NULL;
}

static bool holds_guarded(const char *path, const struct policy_facts *facts)
{
    for (size_t i = 0; i < facts->guarded->count; i++) {
        if (policy_is_below(facts->guarded->items[i], path))
            return true;
    }
    return false;
}

/* In the place of others; what the service wrote itself needs less. */
static bool may_stand(const char *path, size_t length, const struct policy_facts *facts)
{
    char *directory = text_copy((struct span){path, length});
    bool may = directory != NULL && length > 1 && strchr(directory + 1, '/') != NULL &&
               !(facts->home[0] != '\0' && policy_is_below(facts->home, directory)) &&
               !holds_guarded(directory, facts);

    free(directory);
    return may;
}

/* ---- A list of paths ---- */

static void remove_at(struct text_list *list, size_t index)
{
    free(list->items[index]);
    memmove(&list->items[index], &list->items[index + 1],
            (list->count - index - 1) * sizeof(list->items[0]));
    list->count--;
}

static int compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static enum error add(struct text_list *list, const char *path, size_t length)
{
    if (text_list_contains(list, (struct span){path, length}))
        return OK;
    return text_list_add(list, path, length);
}

/* In order, and none below another. */
static void tidy(struct text_list *list)
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(list->items[0]), compare);
    for (size_t i = list->count; i-- > 0;) {
        for (size_t j = 0; j < list->count; j++) {
            if (j != i && policy_is_below(list->items[i], list->items[j])) {
                remove_at(list, i);
                break;
            }
        }
    }
}

/* Those below it give way to this directory. */
static enum error put_over(struct text_list *list, const char *path, size_t length)
{
    char *directory = text_copy((struct span){path, length});
    enum error error = directory != NULL ? add(list, directory, length) : ERROR_MEMORY;

    free(directory);
    if (error == OK)
        tidy(list);
    return error;
}

/* ---- What is named ---- */

static enum error take(const struct text_list *from, const struct policy_facts *facts,
                       struct policy *out)
{
    enum error error = OK;

    for (size_t i = 0; error == OK && i < from->count; i++) {
        const char *path = from->items[i], *own = temporary_of(path);

        if (own != NULL && (strcmp(own, path) == 0 || is_below_one(path, facts->made)))
            out->temporary = true;
        else if (!is_below_one(path, facts->made))
            error = add(holds_guarded(path, facts) ? &out->left_out : &out->writable, path,
                        strlen(path));
    }
    return error;
}

/* Where it names something there, the host's directory is the service's, too: then its temporary
 * files go there. */
static enum error open_temporary(const struct policy_facts *facts, struct policy *out)
{
    enum error error = OK;

    for (const char *const *own = command_private; error == OK && *own != NULL; own++) {
        bool named = false;

        if (!text_list_contains(facts->entries, span_of(*own)) || holds_guarded(*own, facts))
            continue;
        for (size_t i = 0; i < out->writable.count; i++)
            named = named || policy_is_below(out->writable.items[i], *own);
        if (named)
            error = put_over(&out->writable, *own, strlen(*own));
    }
    return error;
}

static enum error join_spans(const struct policy_facts *facts, struct policy *out)
{
    enum error error = OK;

    for (size_t i = 0; error == OK && i < facts->spans->count; i++) {
        const char *path = facts->spans->items[i];

        if (temporary_of(path) == NULL && !is_below_one(path, facts->made) &&
            !is_below_one(path, &out->writable) && may_stand(path, strlen(path), facts))
            error = put_over(&out->writable, path, strlen(path));
    }
    return error;
}

/* Of the path's directory; 0: it has none but the root. */
static size_t directory_length(const char *path)
{
    return (size_t)(strrchr(path, '/') - path);
}

/* Of each directory that holds enough of them. */
static enum error join_siblings(const struct policy_facts *facts, struct policy *out)
{
    struct text_list *list = &out->writable;
    enum error error = OK;

    for (size_t i = 0; error == OK && i < list->count; i++) {
        const char *path = list->items[i];
        size_t length = directory_length(path), beside = 0;

        for (size_t j = 0; j < list->count; j++)
            beside += directory_length(list->items[j]) == length &&
                      strncmp(list->items[j], path, length) == 0;
        if (beside < POLICY_SIBLINGS || !may_stand(path, length, facts))
            continue;
        error = put_over(list, path, length);
        i = (size_t)-1; /* from the front */
    }
    return error;
}

/* How long the path is of the deepest directory above both. */
static size_t common_length(const char *left, const char *right)
{
    size_t end = 0;

    for (size_t i = 0; left[i] == right[i] && left[i] != '\0'; i++) {
        if (left[i] == '/')
            end = i;
    }
    return end;
}

/* In order, those that have the deepest directory in common are neighbours. */
static enum error join_deepest(const struct policy_facts *facts, struct policy *out)
{
    struct text_list *list = &out->writable;
    enum error error = OK;

    while (error == OK && list->count > POLICY_ENTRIES) {
        size_t best = 0, at = 0;

        for (size_t i = 0; i + 1 < list->count; i++) {
            size_t length = common_length(list->items[i], list->items[i + 1]);

            if (length > best && may_stand(list->items[i], length, facts)) {
                best = length;
                at = i;
            }
        }
        if (best == 0)
            break;
        error = put_over(list, list->items[at], best);
    }
    return error;
}

static enum error cut(struct policy *out)
{
    enum error error = OK;

    while (error == OK && out->writable.count > POLICY_MAX) {
        const char *last = out->writable.items[out->writable.count - 1];

        error = add(&out->left_out, last, strlen(last));
        remove_at(&out->writable, out->writable.count - 1);
    }
    return error;
}

enum error policy_make(const struct policy_facts *facts, struct policy *out)
{
    enum error error;

    *out = (struct policy){.temporary = false};
    error = take(facts->changed, facts, out);
    if (error == OK)
        error = take(facts->entries, facts, out);
    tidy(&out->writable);
    if (error == OK)
        error = open_temporary(facts, out);
    if (error == OK)
        error = join_spans(facts, out);
    if (error == OK)
        error = join_siblings(facts, out);
    if (error == OK)
        error = join_deepest(facts, out);
    if (error == OK)
        error = cut(out);
    if (error != OK)
        policy_clear(out);
    return error;
}

void policy_clear(struct policy *policy)
{
    text_list_clear(&policy->writable);
    text_list_clear(&policy->left_out);
}
