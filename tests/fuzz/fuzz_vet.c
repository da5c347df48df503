/*
 * A conversation, one message a line, vetted under rules; jansson then says
 * whether what passed was permitted. The first byte of a line is the direction
 * (`<` from the service); the first line's first byte chooses the dialect, and
 * `h` that the client's messages come over HTTP with headers.
 */
#include "dialect/dialect.h"
#include "fuzz.h"
#include "tame.h"
#include "vet/vet.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#define MESSAGES_MAX 64

static const char pack[] =
    "{\"name\":\"fuzz\",\"vocabularies\":["
    "{\"name\":\"rpc\",\"envelope\":\"json-rpc\",\"asks\":\"inputs\",\"verbs\":{\"c2s\":{"
    "\"list\":{\"always\":true,"
    "\"filter\":{\"items\":\"tools\",\"name\":\"name\",\"kind\":\"name\"}},"
    "\"tools/call\":{\"always\":true,\"targets\":[{\"name\":[\"params\",\"name\"]}]},"
    "\"ping\":{\"always\":true},\"note\":{\"as\":\"notification\"},"
    "\"call\":{\"targets\":[{\"name\":[\"params\",\"name\"]}]},"
    "\"read\":{\"targets\":[{\"uri\":[\"params\",\"uri\"]}]},"
    "\"many\":{\"targets\":[{\"name\":[\"params\",\"list\",\"[]\"]},"
    "{\"name\":[\"params\",\"items\",\"[]\",\"name\"]}]},"
    "\"make\":{\"gives\":[[\"result\",\"id\"]]},"
    "\"get\":{\"targets\":[{\"handle\":[\"params\",\"id\"]}]},"
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
static struct handles *handles;
static json_t *given; /* what "make" may have given: every id in an answer that passed */

static void set_up(void)
{
    static struct json_faults faults;
    struct json_reader reader = {.text = pack, .length = strlen(pack), .faults = &faults};

    if (vet_scratch_create(&scratch) != OK || dialect_read(&reader, &dialect) != OK ||
        text_list_add(&verbs, "call", 4) != OK || text_list_add(&verbs, "start", 5) != OK ||
        text_list_add(&verbs, "ref", 3) != OK || text_list_add(&verbs, "note", 4) != OK ||
        text_list_add(&verbs, "many", 4) != OK || text_list_add(&verbs, "make", 4) != OK ||
        text_list_add(&verbs, "get", 3) != OK || text_list_add(&targets, "echo", 4) != OK ||
        text_list_add(&targets, "s_*", 3) != OK)
        abort();
    json_reader_end(&reader);
}

static bool target_permitted(const json_t *target)
{
    const char *text = json_string_value(target);

    return text != NULL && (strcmp(text, "echo") == 0 || strncmp(text, "s_", 2) == 0);
}

/* Every element is a permitted target, or has one. */
static void judge_many(const json_t *params)
{
    const json_t *list = json_object_get(params, "list"), *items = json_object_get(params, "items");

    if ((list != NULL && !json_is_array(list)) || (items != NULL && !json_is_array(items)))
        abort();
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!target_permitted(json_array_get(list, i)))
            abort();
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        if (!target_permitted(json_object_get(json_array_get(items, i), "name")))
            abort();
    }
}

static void judge_handle(const json_t *id)
{
    for (size_t i = 0; i < json_array_size(given); i++) {
        if (json_equal(json_array_get(given, i), id))
            return;
    }
    abort();
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
    if (strcmp(verb, "call") == 0 || strcmp(verb, "tools/call") == 0) {
        if (!target_permitted(json_object_get(params, "name")))
            abort();
    } else if (strcmp(verb, "ref") == 0) {
        json_t *name = json_object_get(ref, "name"), *uri = json_object_get(ref, "uri");

        if ((name == NULL) == (uri == NULL) || !target_permitted(name != NULL ? name : uri))
            abort();
    } else if (strcmp(verb, "many") == 0) {
        judge_many(params);
    } else if (strcmp(verb, "get") == 0) {
        judge_handle(json_object_get(params, "id"));
    } else if (strcmp(verb, "ping") != 0 && strcmp(verb, "note") != 0 &&
               strcmp(verb, "list") != 0 && strcmp(verb, "make") != 0) {
        abort();
    }
}

/* Under the headers of judge_headers' caller, that one call is all that may pass. */
static void judge_headers(const json_t *message)
{
    const json_t *params = json_object_get(message, "params");
    const json_t *meta = json_object_get(params, "_meta");
    const json_t *version = json_object_get(meta, DIALECT_MCP_VERSION_KEY);
    const char *verb = json_string_value(json_object_get(message, "method"));

    if (verb == NULL || strcmp(verb, "tools/call") != 0 ||
        strcmp(json_string_value(json_object_get(params, "name")), "echo") != 0 ||
        (json_is_string(version) && strcmp(json_string_value(version), "2026-07-28") != 0))
        abort();
}

/* Whether an item of a list may be shown; *known is false where jansson cannot say. */
static bool item_permitted(json_t *item, bool *known)
{
    const json_t *name = json_object_get(item, "name");
    const char *key;
    json_t *value;

    if (json_object_size(item) > JSON_RECORDED_MAX ||
        json_string_length(name) > VET_TARGET_BYTES_MAX)
        *known = false;
    json_object_foreach(item, key, value)
    {
        if (strcmp(key, "name") != 0 && strcasecmp(key, "name") == 0)
            return false;
    }
    for (const char *at = json_string_value(name); at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    }
    return target_permitted(name);
}

/* Whether every item of a list may be shown. */
static bool all_permitted(const json_t *answer)
{
    const json_t *tools = json_object_get(json_object_get(answer, "result"), "tools");
    bool known = true;

    for (size_t i = 0; i < json_array_size(tools); i++) {
        if (!item_permitted(json_array_get(tools, i), &known))
            return false;
    }
    return true;
}

/* What was sent is strict JSON and shorter than the answer it was cut out of. */
static json_t *read_sent(struct span sent, size_t length)
{
    struct json_scan *scan;

    if (json_scan_create(&scan) != OK || sent.length >= length ||
        !reason_allows(json_scan_text(scan, sent.data, sent.length, NULL)))
        abort();
    json_scan_destroy(scan);
    return tame_load(sent.data, sent.length);
}

/* What went to the client is the answer less exactly the items that may not be shown. */
static void judge_list(const json_t *answer, struct span text, struct span sent)
{
    json_t *expected = json_deep_copy(answer), *shown, *tools;
    /* An escaped key counts as a look-alike, which jansson cannot tell. */
    bool known = memchr(text.data, '\\', text.length) == NULL;

    tools = json_object_get(json_object_get(expected, "result"), "tools");
    if (tools != NULL && !json_is_array(tools))
        abort();
    for (size_t i = json_array_size(tools); i > 0; i--) {
        if (!item_permitted(json_array_get(tools, i - 1), &known))
            json_array_remove(tools, i - 1);
    }
    shown = sent.data != NULL ? read_sent(sent, text.length) : json_deep_copy(answer);
    if (shown == NULL || !all_permitted(shown) || (known && !json_equal(expected, shown)))
        abort();
    json_decref(expected);
    json_decref(shown);
}

/* Nothing that the service asks beside an answer is other than what it may ask. */
static void judge_inputs(json_t *result)
{
    json_t *value, *entry, *member;
    const char *key, *name;

    json_object_foreach(result, key, value)
    {
        if (strcmp(key, "inputs") != 0 && strcasecmp(key, "inputs") == 0)
            abort();
    }
    value = json_object_get(result, "inputs");
    if (value != NULL && !json_is_object(value))
        abort();
    json_object_foreach(value, key, entry)
    {
        const char *verb = json_string_value(json_object_get(entry, "method"));

        if (verb == NULL || strcmp(verb, "ask") != 0)
            abort();
        json_object_foreach(entry, name, member)
        {
            if (strcmp(name, "method") != 0 && strcmp(name, "params") != 0)
                abort();
        }
    }
}

static void judge_answer(json_t *answer, struct span text, const struct vet_result *result)
{
    if (json_object_get(answer, "method") != NULL)
        return;
    if (strcmp(result->verb, "list") == 0)
        judge_list(answer, text, result->forward);
    else if (result->forward.data != NULL)
        abort();
    judge_inputs(json_object_get(answer, "result"));
    if (json_array_append(given, json_object_get(json_object_get(answer, "result"), "id")) != 0)
        return; /* it gives none */
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

static void judge(struct span text, const struct vet_rules *rules, enum direction direction,
                  const struct vet_result *result)
{
    const bool typed = rules->vocabulary->envelope == ENVELOPE_TYPED;
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
    if ((result->action == VET_FORWARD) != (result->reason == REASON_ALLOWED) ||
        (result->forward.data != NULL &&
         (result->action != VET_FORWARD || direction == DIRECTION_C2S)))
        abort();
    if (result->action == VET_FORWARD) {
        json_t *message = tame_load(text.data, text.length);

        if (!json_is_object(message))
            abort();
        if (direction == DIRECTION_C2S && typed)
            judge_typed(message);
        else if (direction == DIRECTION_C2S)
            judge_rpc(message);
        else if (!typed)
            judge_answer(message, text, result);
        if (direction == DIRECTION_C2S && rules->http != NULL)
            judge_headers(message);
        json_decref(message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    static const struct mcp_http_headers headers = {"2026-07-28", "tools/call",
                                                    "=?base64?ZWNobw==?="};
    struct vet_rules rules = {.verbs = &verbs, .targets = &targets};
    struct vet_state *state;
    bool typed = size > 0 && data[0] % 2 == 1;

    if (scratch == NULL)
        set_up();
    rules.vocabulary = dialect_vocabulary(dialect, typed ? "typed" : "rpc");
    if (size > 0 && data[0] == 'h')
        rules.http = &headers;
    given = json_array();
    if (vet_state_create(NULL, quota_surface(0), &state) != OK ||
        handles_create(MESSAGES_MAX, &handles) != OK)
        abort();
    rules.handles = handles;
    rules.session_id = "one";
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
        judge((struct span){at, (size_t)(stop - at)}, &rules, direction, &result);
        at = newline != NULL ? newline + 1 : end;
    }
    vet_state_destroy(state);
    handles_destroy(handles);
    json_decref(given);
    return 0;
}
