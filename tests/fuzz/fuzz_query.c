/*
 * Any bytes as a client's query: what reaches the service is the parameters
 * that pass, each once and only with a value that matches, then the record's
 * own value, and nothing else.
 */
#include "config/pattern.h"
#include "fuzz.h"
#include "policy/admission.h"
#include "policy/stray.h"
#include "policy/token.h"
#include "wire/url.h"

#include <string.h>

#define QUERY_BYTES_MAX 8192
#define RECORD          "{\"command\":\"/bin/true\",\"x\":\">>>~~~\"}"
#define INJECTED                                                                                   \
    "server_params=eyJjb21tYW5kIjoiL2Jpbi90cnVlIiwieCI6Ij4%2BPn5%2BfiJ9" /* base64, encoded */

static char run[] = "run", mode[] = "mode", whole[] = "", injected_name[] = "server_params";
static struct query_pass pass[2] = {{.name = run}, {.name = mode}};
static struct query_inject inject = {injected_name, whole, INJECT_BASE64_JSON};
static struct route route = {.pass = pass, .pass_count = 2, .inject = &inject, .inject_count = 1};
static struct params *record;

static void prepare(void)
{
    char why[CONFIG_PATTERN_WHY_SIZE];

    if (record != NULL)
        return;
    require(config_pattern_compile("[0-9]+", &pass[0].pattern, why) == OK);
    require(config_pattern_compile("[a-z=&%+;/ -]*", &pass[1].pattern, why) == OK);
    require(params_parse(RECORD, strlen(RECORD), &record) == OK);
}

/* Reads the query as a service would. */
static void check_query(const struct buffer *out)
{
    struct span rest = {out->data, out->length}, name, value;
    bool seen[2] = {false, false}, injected = false;

    require(strspn(out->data, "%&=-._~0123456789abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == out->length);
    while (url_query_next(&rest, &name, &value)) {
        size_t which = span_equals(name, run) ? 0 : 1;
        char text[QUERY_BYTES_MAX];

        require(!injected); /* it comes last */
        if (span_equals(name, injected_name)) {
            injected = true;
            continue;
        }
        require(which == 0 || span_equals(name, mode));
        require(!seen[which]);
        seen[which] = true;
        require(url_query_decode(value, text, sizeof(text)) == OK);
        require(config_pattern_matches(pass[which].pattern, text));
    }
    require(injected && out->length >= strlen(INJECTED));
    require(strcmp(out->data + out->length - strlen(INJECTED), INJECTED) == 0);
}

/* What decodes, encodes and decodes again to the same. */
static void check_round_trip(struct span raw)
{
    char text[QUERY_BYTES_MAX], again[QUERY_BYTES_MAX];
    struct buffer encoded;

    if (url_query_decode(raw, text, sizeof(text)) != OK)
        return;
    buffer_init(&encoded, 3 * sizeof(text));
    url_encode(span_of(text), false, &encoded);
    require(url_query_decode((struct span){encoded.data, encoded.length}, again, sizeof(again)) ==
            OK);
    require(strcmp(text, again) == 0);
    buffer_clear(&encoded);
}

/* What has the form of a credential is found, and redacted nothing has it any more. */
static bool judge(void *context, const struct credential *found)
{
    (void)context;
    require(found->kind != CREDENTIAL_BEARER || token_resembles(found->bytes));
    require(found->kind == CREDENTIAL_BEARER || found->bytes.length >= ADMISSION_WORD_BYTES);
    return false;
}

static void check_strays(struct span text)
{
    for (int words = 0; words < 2; words++) {
        struct stray asked = {.judge = judge}, any = {0};
        bool found = stray_in(&any, text, words != 0);

        require(!stray_in(&asked, text, words != 0) || asked.judged == STRAY_JUDGED_MAX);
        require(found == (asked.judged > 0));
    }
    struct buffer out;
    struct stray left = {0};

    buffer_init(&out, 4 * QUERY_BYTES_MAX);
    if (stray_redact(text, &out))
        require(!stray_in(&left, (struct span){out.data, out.length}, false));
    buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest, name, value;
    char *query;
    struct buffer out;
    enum reason reason;

    if (size >= QUERY_BYTES_MAX)
        return 0;
    prepare();
    query = text_copy((struct span){(const char *)data, size});
    require(query != NULL);
    rest = span_of(query);
    while (url_query_next(&rest, &name, &value)) {
        require(name.data >= query && value.data + value.length <= query + strlen(query));
        check_round_trip(name);
        check_round_trip(value);
    }
    check_strays(span_of(query));
    buffer_init(&out, 4 * QUERY_BYTES_MAX);
    reason = admission_query(&route, query, record, &out);
    require(reason == REASON_ALLOWED || reason_same(reason, REASON_QUERY_INVALID));
    if (reason_allows(reason))
        check_query(&out);
    buffer_wipe(&out);
    free(query);
    return 0;
}
