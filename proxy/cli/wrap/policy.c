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

/* Of `count` from there on nothing is left. */
static void remove_run(struct text_list *list, size_t index, size_t count)
{
    for (size_t i = index; i < index + count; i++)
        free(list->items[i]);
    memmove(&list->items[index], &list->items[index + count],
            (list->count - index - count) * sizeof(list->items[0]));
    list->count -= count;
}

/* Its end comes first, then what lies below it: so that is right behind it. */
static int rank(char byte)
{
    return byte == '\0' ? 0 : byte == '/' ? 1 : (unsigned char)byte + 1;
}

static int compare(const void *left, const void *right)
{
    const char *one = *(char *const *)left, *other = *(char *const *)right;

    while (*one == *other && *one != '\0') {
        one++;
        other++;
    }
    return rank(*one) - rank(*other);
}

static enum error add(struct text_list *list, const char *path, size_t length)
{
    if (text_list_contains(list, (struct span){path, length}))
        return OK;
    return text_list_add(list, path, length);
}

/* In order, and none below another nor twice. */
static void tidy(struct text_list *list)
{
    size_t kept = 0;

    if (list->count > 1)
        qsort(list->items, list->count, sizeof(list->items[0]), compare);
    for (size_t i = 0; i < list->count; i++) {
        if (kept > 0 && policy_is_below(list->items[i], list->items[kept - 1]))
            free(list->items[i]);
        else
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
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
        else if (!is_below_one(path, facts->made) && holds_guarded(path, facts))
            error = add(&out->left_out, path, strlen(path));
        else if (!is_below_one(path, facts->made))
            error = text_list_add(&out->writable, path, strlen(path));
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
            may_stand(path, strlen(path), facts))
            error = text_list_add(&out->writable, path, strlen(path));
    }
    tidy(&out->writable);
    return error;
}

/* Of the path's directory; 0: it has none but the root. */
static size_t directory_length(const char *path)
{
    return (size_t)(strrchr(path, '/') - path);
}

static int compare_directories(const void *left, const void *right)
{
    const char *one = *(char *const *)left, *other = *(char *const *)right;
    size_t length = directory_length(one), other_length = directory_length(other);

    if (length != other_length)
        return length < other_length ? -1 : 1;
    return memcmp(one, other, length);
}

/* Each directory that holds enough of them, beside them: `paths` are the list's, and are put in
 * order. */
static enum error add_parents(const struct policy_facts *facts, struct text_list *list,
                              char **paths, size_t count)
{
    enum error error = OK;
    size_t end;

    qsort(paths, count, sizeof(paths[0]), compare_directories);
    for (size_t i = 0; error == OK && i < count; i = end) {
        size_t length = directory_length(paths[i]);

        for (end = i + 1; end < count && compare_directories(&paths[i], &paths[end]) == 0;)
            end++;
        if (end - i >= POLICY_SIBLINGS && may_stand(paths[i], length, facts))
            error = text_list_add(list, paths[i], length);
    }
    return error;
}

/* Until none holds enough: those that stand for others may be beside each other, too. */
static enum error join_siblings(const struct policy_facts *facts, struct policy *out)
{
    struct text_list *list = &out->writable;
    enum error error = OK;
    size_t count = 0;

    while (error == OK && list->count != count) {
        char **paths;

        count = list->count;
        paths = calloc(count, sizeof(*paths));
        if (paths == NULL)
            return ERROR_MEMORY;
        memcpy(paths, list->items, count * sizeof(*paths));
        error = add_parents(facts, list, paths, count);
        free(paths);
        tidy(list);
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

/* Of the directory that may stand for this one and the next; 0: none. */
static size_t joint_length(const struct policy_facts *facts, const struct text_list *list,
                           size_t index)
{
    size_t length;

    if (index + 1 >= list->count)
        return 0;
    length = common_length(list->items[index], list->items[index + 1]);
    return may_stand(list->items[index], length, facts) ? length : 0;
}

/* One directory for all that lie in it, which are beside each other. */
static enum error join_run(const struct policy_facts *facts, struct text_list *list, size_t *joints,
                           size_t at)
{
    char *directory = text_copy((struct span){list->items[at], joints[at]});
    size_t first = at, last = at;

    if (directory == NULL)
        return ERROR_MEMORY;
    while (first > 0 && policy_is_below(list->items[first - 1], directory))
        first--;
    while (last + 1 < list->count && policy_is_below(list->items[last + 1], directory))
        last++;
    memmove(&joints[first], &joints[last], (list->count - last) * sizeof(joints[0]));
    remove_run(list, first, last - first);
    free(list->items[first]);
    list->items[first] = directory;
    joints[first] = joint_length(facts, list, first);
    if (first > 0)
        joints[first - 1] = joint_length(facts, list, first - 1);
    return OK;
}

/* In order, those that have the deepest directory in common are neighbours. */
static enum error join_deepest(const struct policy_facts *facts, struct policy *out)
{
    struct text_list *list = &out->writable;
    size_t *joints = calloc(list->count + 1, sizeof(*joints));
    enum error error = joints != NULL ? OK : ERROR_MEMORY;

    for (size_t i = 0; error == OK && i < list->count; i++)
        joints[i] = joint_length(facts, list, i);
    while (error == OK && list->count > POLICY_ENTRIES) {
        size_t at = 0;

        for (size_t i = 1; i < list->count; i++)
            at = joints[i] > joints[at] ? i : at;
        if (joints[at] == 0)
            break;
        error = join_run(facts, list, joints, at);
    }
    free(joints);
    return error;
}

static enum error cut(struct policy *out)
{
    enum error error = OK;

    while (error == OK && out->writable.count > POLICY_MAX) {
        const char *last = out->writable.items[out->writable.count - 1];

        error = add(&out->left_out, last, strlen(last));
        remove_run(&out->writable, out->writable.count - 1, 1);
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
