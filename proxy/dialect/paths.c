#include "dialect/paths.h"

#include "json/table.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- What the scanner must look at ---- */

void paths_descend(struct json_reader *reader, struct vocabulary *vocabulary, const char *key)
{
    if (!text_list_contains(&vocabulary->descend, span_of(key)) &&
        text_list_add(&vocabulary->descend, key, strlen(key)) != OK)
        reader->out_of_memory = true;
}

void paths_watch(struct json_reader *reader, struct vocabulary *vocabulary, const char *of,
                 const char *name)
{
    for (size_t i = 0; i < vocabulary->watch_count; i++) {
        if (span_equals(vocabulary->watches[i].of, of) &&
            strcmp(vocabulary->watches[i].name, name) == 0)
            return;
    }
    if (vocabulary->watch_count < DIALECT_WATCHES_MAX)
        vocabulary->watches[vocabulary->watch_count++] = (struct json_watch){span_of(of), name};
    else
        json_reader_fault(reader, "A vocabulary filters at most %d different lists.",
                          DIALECT_WATCHES_MAX / 2);
}

void paths_settle(struct vocabulary *vocabulary)
{
    size_t kept = 0;

    for (size_t i = 0; i < vocabulary->watch_count; i++) {
        if (!text_list_contains(&vocabulary->descend, vocabulary->watches[i].of))
            vocabulary->watches[kept++] = vocabulary->watches[i];
    }
    vocabulary->watch_count = kept;
}

/* ---- Targets ---- */

static bool is_each(const json_t *key)
{
    return json_is_string(key) && strcmp(json_string_value(key), "[]") == 0;
}

static void read_keys(struct json_reader *reader, json_t *keys, struct target_path *path)
{
    json_t *key;
    size_t index;
    unsigned depth = 0;

    if (json_array_size(keys) == 0 || json_array_size(keys) > DIALECT_PATH_DEPTH_MAX) {
        json_reader_fault(reader, "This must be a list of 1 to %d keys.", DIALECT_PATH_DEPTH_MAX);
        return;
    }
    json_array_foreach(keys, index, key)
    {
        if (is_each(key)) {
            if (depth == 0 || depth > JSON_RECORD_DEPTH || path->list > 0 ||
                index + 2 < json_array_size(keys)) {
                json_reader_fault(reader,
                                  "\"[]\" stands behind 1 to %d keys, and before one or none.",
                                  JSON_RECORD_DEPTH);
                return;
            }
            path->list = depth;
            continue;
        }
        path->keys[depth] = json_reader_text(reader, key, json_check_word, DIALECT_NAME_BYTES_MAX);
        if (path->keys[depth] == NULL)
            return;
        depth++;
    }
    path->depth = depth;
}

/* A path in JSON-RPC begins with `top`; the scanner must look at what leads there. */
static void follow_keys(struct json_reader *reader, const struct target_path *path, const char *top)
{
    struct vocabulary *vocabulary = reader->context;
    unsigned scanned = path->list > 0 ? path->list : path->depth;

    if (path->depth > 0 && top != NULL && (scanned < 2 || strcmp(path->keys[0], top) != 0))
        json_reader_fault(reader, "In JSON-RPC this lies below \"%s\".", top);
    for (unsigned i = 0; i + 1 < scanned && i + 1 < JSON_RECORD_DEPTH; i++)
        paths_descend(reader, vocabulary, path->keys[i]);
}

void paths_read_target(struct json_reader *reader, json_t *value, void *into)
{
    static const char *const kinds[] = {
        [TARGET_NAME] = "name", [TARGET_URI] = "uri", [TARGET_HANDLE] = "handle"};
    const struct vocabulary *vocabulary = reader->context;
    struct target_path *path = into;
    json_t *keys = NULL;

    for (unsigned i = TARGET_NAME; i <= TARGET_HANDLE && keys == NULL; i++) {
        keys = json_object_get(value, kinds[i]);
        path->kind = (enum target_kind)i;
    }
    if (json_object_size(value) != 1 || keys == NULL) {
        json_reader_fault(reader, "This must be an object with either a \"name\", a \"uri\" or a "
                                  "\"handle\" alone.");
        return;
    }
    read_keys(reader, keys, path);
    follow_keys(reader, path, vocabulary->envelope == ENVELOPE_JSON_RPC ? "params" : NULL);
}

/* A path to a handle, which is one value. Of each object on the way only the next key is looked
 * for: a result may have many others. */
void paths_read_handle(struct json_reader *reader, json_t *value, void *into)
{
    struct target_path *path = into;

    path->kind = TARGET_HANDLE;
    read_keys(reader, value, path);
    if (path->list > 0)
        json_reader_fault(reader, "A path to a single handle has no \"[]\".");
    for (unsigned i = 0; i + 1 < path->depth && i + 1 < JSON_RECORD_DEPTH; i++)
        paths_watch(reader, reader->context, path->keys[i], path->keys[i + 1]);
}

void paths_read_related(struct json_reader *reader, json_t *value, void *into)
{
    const struct target_path *path = into;

    paths_read_handle(reader, value, into);
    if (path->depth > 0 && (path->depth < 2 || strcmp(path->keys[0], "params") != 0))
        json_reader_fault(reader, "A handle of a request lies below \"params\".");
}

void paths_clear(void *value)
{
    struct target_path *path = value;

    for (unsigned i = 0; i < DIALECT_PATH_DEPTH_MAX; i++)
        free(path->keys[i]);
}
