/*
 * A conversation, one message a line, vetted under rules; jansson then says
 * whether what passed was permitted. The first byte of a line is the direction
 * (`<` from the service); the first line's first byte chooses the dialect.
 */
#include "policy/vet.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGES_MAX 64

static const char pack[] =
    "{\"name\":\"fuzz\",\"vocabularies\":["
    "{\"name\":\"rpc\",\"envelope\":\"json-rpc\",\"verbs\":{\"c2s\":{"
    "\"ping\":{\"always\":true},\"note\":{\"as\":\"notification\"},"
    "\"call\":{\"targets\":[{\"name\":[\"params\",\"name\"]}]},"
    "\"read\":{\"targets\":[{\"uri\":[\"params\",\"uri\"]}]},"
    "\"ref\":{\"targets\":[{\"name\":[\"params\",\"ref\",\"name\"]},"
    "{\"uri\":[\"params\",\"ref\",\"uri\"]}]}},"
    "\"s2c\":{\"ask\":{},\"tell\":{\"as\":\"notification\"}}}},"
    "{\"name\":\"typed\",\"envelope\":\"typed\",\"verb_key\":\"type\","
    "\"operation\":{\"value\":\"op\",\"key\":\"op\"},\"open\":[\"s2c\"],"
    "\"verbs\":{\"c2s\":{\"ping\":{\"always\":true},\"stop\":{},"
    "\"start\":{\"match\":\"team\"},\"call\":{\"as\":\"operation\","
    "\"targets\":[{\"name\":[\"name\"]}]}}},"
    "\"refusal\":{\"type\":\"error\",\"op\":\"$verb\",\"error\":\"$reason\"}}]}";

static struct vet_scratch *scratch;
static struct dialect *dialect;
static struct text_list verbs, targets;

static void set_up(void)
{
    struct dialect_fault fault;

    if (vet_scratch_create(&scratch) != OK ||
        dialect_parse(pack, strlen(pack), &dialect, &fault) != OK ||
        text_list_add(&verbs, "call", 4) != OK || text_list_add(&verbs, "start", 5) != OK ||
        text_list_add(&verbs, "ref", 3) != OK || text_list_add(&verbs, "note", 4) != OK ||
        text_list_add(&targets, "echo", 4) != OK || text_list_add(&targets, "s_*", 3) != OK)
        abort();
}

static bool target_permitted(const json_t *target)
{
    const char *text = json_string_value(target);

    return text != NULL && (strcmp(text, "echo") == 0 || strncmp(text, "s_", 2) == 0);
}

/* What a client said and the gate let pass, judged without the gate's own code. */
static void judge_rpc(json_t *message)
{
    const char *verb = json_string_value(json_object_get(message, "method"));
    json_t *params = json_object_get(message, "params"), *ref = json_object_get(params, "ref");
    const char *key;
    json_t *value;

    if (strcmp(json_string_value(json_object_get(message, "jsonrpc")), "2.0") != 0)
        abort();
    json_object_foreach(message, key, value)
    {
        if (strcmp(key, "jsonrpc") != 0 && strcmp(key, "id") != 0 && strcmp(key, "method") != 0 &&
            strcmp(key, "params") != 0 && strcmp(key, "result") != 0 && strcmp(key, "error") != 0)
            abort();
    }
    if (verb == NULL) {
        if (json_object_get(message, "result") == NULL && json_object_get(message, "error") == NULL)
            abort();
        return;
    }
    if (strcmp(verb, "call") == 0) {
        if (!target_permitted(json_object_get(params, "name")))
            abort();
    } else if (strcmp(verb, "ref") == 0) {
        json_t *name = json_object_get(ref, "name"), *uri = json_object_get(ref, "uri");

        if ((name == NULL) == (uri == NULL) || !target_permitted(name != NULL ? name : uri))
            abort();
    } else if (strcmp(verb, "ping") != 0 && strcmp(verb, "note") != 0) {
        abort();
    }
}

static void judge_typed(json_t *message)
{
    const char *verb = json_string_value(json_object_get(message, "type"));

    if (verb == NULL)
        abort();
    if (strcmp(verb, "op") == 0) {
        if (strcmp(json_string_value(json_object_get(message, "op")), "call") != 0 ||
            !target_permitted(json_object_get(message, "name")))
            abort();
    } else if (strcmp(verb, "ping") != 0) {
        /* "start" needs a stored value, and there is none. */
        abort();
    }
}

static void judge(const char *text, size_t length, bool typed, enum direction direction,
                  const struct vet_result *result)
{
    struct span said[2] = {result->reply, result->counterpart};

    for (unsigned i = 0; i < 2; i++) {
        json_t *value;

        if (said[i].data == NULL)
            continue;
        value = json_loadb(said[i].data, said[i].length, JSON_REJECT_DUPLICATES, NULL);
        if (value == NULL || result->action != VET_REFUSE)
            abort();
        json_decref(value);
    }
    if ((result->action == VET_FORWARD) != (result->reason == REASON_ALLOWED))
        abort();
    if (result->action == VET_FORWARD) {
        json_t *message = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

        if (!json_is_object(message))
            abort();
        if (direction == DIRECTION_C2S && typed)
            judge_typed(message);
        else if (direction == DIRECTION_C2S)
            judge_rpc(message);
        json_decref(message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    struct vet_rules rules = {.verbs = &verbs, .targets = &targets};
    struct vet_state *state;
    bool typed = size > 0 && data[0] % 2 == 1;

    if (scratch == NULL)
        set_up();
    rules.vocabulary = dialect_vocabulary(dialect, typed ? "typed" : "rpc");
    if (vet_state_create(&state) != OK)
        abort();
    if (size > 0)
        at++;
    for (unsigned i = 0; at < end && i < MESSAGES_MAX; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;
        enum direction direction = *at == '<' ? DIRECTION_S2C : DIRECTION_C2S;
        struct vet_result result;

        if (*at == '<')
            at++;
        vet_message(state, scratch, &rules, direction, at, (size_t)(stop - at), true, &result);
        judge(at, (size_t)(stop - at), typed, direction, &result);
        at = newline != NULL ? newline + 1 : end;
    }
    vet_state_destroy(state);
    return 0;
}
