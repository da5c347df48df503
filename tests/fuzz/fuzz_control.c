/*
 * Any bytes as the body of a control request: a session's creation, its renewal,
 * and a parameter record, which is shown without what may be a secret.
 */
#include "broker/control/input.h"

#include "fuzz.h"

#include <jansson.h>
#include <string.h>

#define MASK          "***"
#define SHOWN_MAX     ((size_t)16 * 1024 * 1024)
#define TTL_UNTOUCHED (-7777)

static void check_list(const struct text_list *list, const json_t *value)
{
    require(list->count == json_array_size(value) && list->count <= SESSION_LIST_MAX);
    for (size_t i = 0; i < list->count; i++)
        require(strcmp(list->items[i], json_string_value(json_array_get(value, i))) == 0);
}

/* What was read is what jansson reads; nothing else was in the body. */
static void check_session(const struct session *request, struct span body)
{
    json_t *root = json_loadb(body.data, body.length, JSON_REJECT_DUPLICATES, NULL);
    static const char *const known[] = {"surface", "params",  "ttl_s",  "once",
                                        "verbs",   "targets", "callers"};
    size_t members = 0;

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        members += json_object_get(root, known[i]) != NULL;
    require(json_object_size(root) == members);
    require(strcmp(request->surface, json_string_value(json_object_get(root, "surface"))) == 0);
    require(request->once == json_is_true(json_object_get(root, "once")));
    require(request->verbs_set == json_is_array(json_object_get(root, "verbs")));
    check_list(&request->verbs, json_object_get(root, "verbs"));
    require(request->targets_set == json_is_array(json_object_get(root, "targets")));
    check_list(&request->targets, json_object_get(root, "targets"));
    require(request->callers_set == json_is_array(json_object_get(root, "callers")));
    require(request->caller_count == json_array_size(json_object_get(root, "callers")));
    require(request->caller_count <= SESSION_CALLERS_MAX);
    json_decref(root);
}

static void try_session(struct span body)
{
    struct operation operation = {0};
    struct session session;
    int64_t ttl_s;

    if (control_input_session(&operation, body, &session, &ttl_s) != OK) {
        require(session.surface[0] == '\0' && session.verbs.items == NULL);
        require(session.targets.items == NULL && operation.why[0] != '\0');
        return;
    }
    check_session(&session, body);
    session_clear(&session);
}

static void try_renewal(struct span body)
{
    int64_t ttl_s = TTL_UNTOUCHED;
    struct operation operation = {0};
    json_t *root;

    if (control_input_renewal(&operation, body, &ttl_s) != OK) {
        require(ttl_s == TTL_UNTOUCHED && operation.why[0] != '\0');
        return;
    }
    root = json_loadb(body.data, body.length, 0, NULL);
    require(body.length == 0 || json_object_size(root) == 1);
    if (root != NULL)
        require(json_integer_value(json_object_get(root, "ttl_s")) == ttl_s);
    json_decref(root);
}

/* Numbers are gone; strings stay where they may, and of a URL only scheme and host. */
static void check_shown(const char *key, json_t *value, bool hidden)
{
    json_t *item;
    size_t i;

    require(!json_is_number(value));
    if (json_is_object(value)) {
        const char *name;

        json_object_foreach(value, name, item) check_shown(
            name, item, hidden || strcmp(name, "env") == 0 || strcmp(name, "headers") == 0);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item) check_shown(NULL, item, hidden);
    } else if (json_is_string(value) && strcmp(json_string_value(value), MASK) != 0) {
        require(!hidden && key != NULL);
        if (strcmp(key, "url") == 0) {
            const char *text = strstr(json_string_value(value), "://");

            require(text != NULL);
            text += strlen("://");
            require(strcmp(text + strcspn(text, "/?#\\@"), "/" MASK) == 0);
        } else {
            require(strcmp(key, "type") == 0 || strcmp(key, "command") == 0 ||
                    strcmp(key, "cwd") == 0);
        }
    }
}

static void try_mask(struct span record)
{
    struct buffer shown;

    buffer_init(&shown, SHOWN_MAX);
    if (control_input_mask(&shown, record, false) == OK) {
        json_t *value = json_loadb(shown.data, shown.length, JSON_REJECT_DUPLICATES, NULL);

        require(value != NULL);
        check_shown(NULL, value, false);
        json_decref(value);
    }
    buffer_clear(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* In exactly measured memory, without a NUL behind it. */
    char *text = malloc(size > 0 ? size : 1);
    struct span body = {text, size};

    require(text != NULL);
    memcpy(text, data, size);
    try_session(body);
    try_renewal(body);
    try_mask(body);
    free(text);
    return 0;
}
