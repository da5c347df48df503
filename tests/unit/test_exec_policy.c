/*
 * Which commands a parameter record may name, with facts about files that this
 * test makes up: a file system is not needed to decide.
 */
#include "config/load.h"
#include "policy/exec_policy.h"
#include "unit.h"

#include <stddef.h>

#include <stdio.h>
#include <string.h>

#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- Files that do not exist ---- */

struct file {
    const char *path, *resolved, *sha256;
    bool writable_by_others;
};

static const struct file files[] = {
    {"/usr/bin/npx", "/usr/lib/npm/npx-cli.js", DIGEST, false},
    {"/usr/lib/npm/npx-cli.js", "/usr/lib/npm/npx-cli.js", DIGEST, false},
    {"/usr/bin/uvx", "/usr/bin/uvx", DIGEST, false},
    {"/usr/bin/pinned", "/usr/bin/pinned", DIGEST, false},
    {"/usr/bin/changed", "/usr/bin/changed", OTHER, false},
    {"/usr/bin/two", "/usr/bin/two", DIGEST, false},
    {"/usr/bin/none", "/usr/bin/none", DIGEST, false},
    {"/home/x/npx", "/home/x/npx", DIGEST, false},
    {"/tmp/open", "/usr/bin/uvx", DIGEST, true},
    {"/bin/sh", "/bin/sh", DIGEST, false},
};

static unsigned hashed;

static enum error facts(void *context, const char *path, bool hash, struct exec_facts *out)
{
    assert_ptr_equal(context, &hashed);
    memset(out, 0, sizeof(*out));
    hashed += hash;
    if (strcmp(path, "/broken") == 0)
        return ERROR_IO;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (strcmp(files[i].path, path) != 0)
            continue;
        out->exists = true;
        out->writable_by_others = files[i].writable_by_others;
        snprintf(out->resolved, sizeof(out->resolved), "%s", files[i].resolved);
        if (hash)
            snprintf(out->sha256, sizeof(out->sha256), "%s", files[i].sha256);
    }
    return OK;
}

/* ---- The rules ---- */

static struct config *load_rules(const char *executables)
{
    static struct json_faults faults;
    struct config *config;
    char text[2048];
    int length = snprintf(text, sizeof(text),
                          "{\"state_dir\":\"/s\",\"executables\":%s,\"surfaces\":{\"a\":{"
                          "\"listen\":[\"localhost:1\"],\"upstream\":{\"socket\":\"/u\"},"
                          "\"dialect\":\"opaque\"}}}",
                          executables);

    if (config_load(text, (size_t)length, NULL, 0, 0, &config, &faults) != OK)
        fail_msg("%s: %s", faults.items[0].pointer, faults.items[0].text);
    return config;
}

static const char rules[] =
    "[\"/usr/bin/npx\","
    "{\"path\":\"/usr/bin/uvx\",\"args\":[\"mcp-[a-z-]+\",\"-v\"]},"
    "{\"path\":\"/usr/bin/pinned\",\"sha256\":\"" DIGEST "\"},"
    "{\"path\":\"/usr/bin/changed\",\"sha256\":\"" DIGEST "\"},"
    "{\"path\":\"/usr/bin/two\",\"args\":[\"a\"]},{\"path\":\"/usr/bin/two\",\"args\":[\"b\"]},"
    "{\"path\":\"/usr/bin/none\",\"args\":[]},\"/usr/bin/missing\",\"/broken\"]";

struct expectation {
    const char *record;
    const char *words; /* of the refusal; NULL: permitted */
};

static void expect(struct config *config, const struct expectation *expected)
{
    char why[512] = "stale";
    struct params *params;
    enum error error;

    assert_int_equal(params_parse(expected->record, strlen(expected->record), &params), OK);
    error = exec_policy_check(config, params, facts, &hashed, why, sizeof(why));
    params_destroy(params);
    if (expected->words == NULL && (error != OK || why[0] != '\0'))
        fail_msg("%s: %s", expected->record, why);
    if (expected->words != NULL && (error != ERROR_DENIED || strstr(why, expected->words) == NULL))
        fail_msg("%s: error %d: %s", expected->record, error, why);
}

TEST(test_commands)
{
    static const struct expectation expectations[] = {
        {"{}", NULL},
        {"{\"url\":\"https://a.example\"}", NULL},
        {"{\"command\":\"/usr/bin/npx\",\"args\":[\"-y\",\"anything\"]}", NULL},
        {"{\"command\":\"/usr/bin/npx\"}", NULL},
        /* The same file under its other name, and another file under the same name. */
        {"{\"command\":\"/usr/lib/npm/npx-cli.js\"}", NULL},
        {"{\"command\":\"/home/x/npx\"}", "not one of \"executables\""},
        {"{\"command\":\"npx\"}", "absolute path"},
        {"{\"command\":\"./npx\"}", "absolute path"},
        {"{\"command\":\"/bin/sh\",\"args\":[\"-c\",\"id\"]}", "not one of \"executables\""},
        {"{\"command\":\"/usr/bin/missing\"}", "not a file that can be run"},
        {"{\"command\":\"/broken\"}", "not a file that can be run"},
        {"{\"command\":\"/tmp/open\",\"args\":[\"-v\"]}", "can be changed by other users"},
        {"{\"command\":\"/usr/bin/n\\npx\"}", "/usr/bin/n\npx"},
        /* Anywhere in the record, and every one of them. */
        {"{\"servers\":[{\"command\":\"/usr/bin/npx\"},{\"command\":\"/bin/sh\"}]}", "/bin/sh"},
        {"{\"a\":{\"b\":{\"command\":\"/bin/sh\"}}}", "/bin/sh"},
        {"{\"command\":[\"/bin/sh\"]}", "is refused"},
        {"{\"command\":\"/usr/bin/npx\",\"args\":\"-c\"}", "is refused"},
        {"{\"Command\":\"/bin/sh\"}", "is refused"},
    };
    struct config *config = load_rules(rules);

    for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++)
        expect(config, &expectations[i]);
    config_destroy(config);
}

TEST(test_arguments)
{
    static const struct expectation expectations[] = {
        {"{\"command\":\"/usr/bin/uvx\",\"args\":[\"mcp-fetch\",\"-v\"]}", NULL},
        {"{\"command\":\"/usr/bin/uvx\",\"args\":[]}", NULL},
        {"{\"command\":\"/usr/bin/uvx\"}", NULL},
        {"{\"command\":\"/usr/bin/uvx\",\"args\":[\"-v\",\"mcp-fetch;id\"]}", "Argument 2"},
        {"{\"command\":\"/usr/bin/uvx\",\"args\":[\"xmcp-fetch\"]}", "Argument 1"},
        {"{\"command\":\"/usr/bin/uvx\",\"args\":[\"mcp-fetch\\n\"]}", "Argument 1"},
        {"{\"command\":\"/usr/bin/uvx\",\"args\":[\"\"]}", "Argument 1"},
        {"{\"command\":\"/usr/bin/two\",\"args\":[\"a\"]}", NULL},
        {"{\"command\":\"/usr/bin/two\",\"args\":[\"b\"]}", NULL},
        {"{\"command\":\"/usr/bin/two\",\"args\":[\"a\",\"b\"]}", "matches no pattern"},
        {"{\"command\":\"/usr/bin/none\"}", NULL},
        {"{\"command\":\"/usr/bin/none\",\"args\":[\"x\"]}", "Argument 1"},
    };
    static const char secret[] = "{\"command\":\"/usr/bin/uvx\",\"args\":[\"hunter2\"]}";
    struct config *config = load_rules(rules);
    char why[512];
    struct params *params;

    for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++)
        expect(config, &expectations[i]);

    /* An argument may be a secret: the sentence does not repeat it. */
    assert_int_equal(params_parse(secret, strlen(secret), &params), OK);
    assert_int_equal(exec_policy_check(config, params, facts, &hashed, why, sizeof(why)),
                     ERROR_DENIED);
    assert_null(strstr(why, "hunter2"));
    params_destroy(params);
    config_destroy(config);
}

TEST(test_digest)
{
    static const struct expectation good = {"{\"command\":\"/usr/bin/pinned\"}", NULL};
    static const struct expectation bad = {"{\"command\":\"/usr/bin/changed\"}", "another digest"};
    static const struct expectation unpinned = {"{\"command\":\"/usr/bin/npx\"}", NULL};
    struct config *config = load_rules(rules);

    hashed = 0;
    expect(config, &unpinned);
    assert_int_equal(hashed, 0); /* nothing is read that no rule pins */
    expect(config, &good);
    assert_int_equal(hashed, 1);
    expect(config, &bad);
    config_destroy(config);
}

TEST(test_environment)
{
    static const char *const refused[] = {
        "LD_PRELOAD",
        "LD_AUDIT",
        "ld_preload",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "NODE_OPTIONS",
        "node_options",
        "NODE_PATH",
        "BASH_ENV",
        "ENV",
        "PERL5LIB",
        "PERL5OPT",
        "PERLLIB",
        "RUBYOPT",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "GIT_SSH_COMMAND",
        "GIT_EXEC_PATH",
        "IFS",
        "PATH",
        "HOME",
        "XDG_CONFIG_HOME",
        "npm_config_node_options",
        "NPM_CONFIG_REGISTRY",
        "UV_INDEX_URL",
        "PIP_INDEX_URL",
        "DOTNET_STARTUP_HOOKS",
        "LUA_INIT",
        "GCONV_PATH",
        "OPENSSL_CONF",
        "MANPAGER",
        "EDITOR",
        "SHELLOPTS",
        "PS4",
        "BASH_FUNC_ls%%",
        "A=B",
        "",
        "1A",
        "A B",
        "LD_PRELOAD ",
        "\\u00e4",
    };
    static const char *const permitted[] = {
        "API_KEY", "OPENAI_API_KEY", "LANG", "HTTPS_PROXY", "NODE_ENV", "TZ", "LD", "_", "MY_PATH"};
    struct config *config = load_rules(rules);
    char record[256];

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct expectation expected = {record, "The environment"};

        snprintf(record, sizeof(record),
                 "{\"command\":\"/usr/bin/npx\",\"env\":{\"LANG\":\"C\",\"%s\":\"x\"}}",
                 refused[i]);
        expect(config, &expected);
    }
    for (size_t i = 0; i < sizeof(permitted) / sizeof(permitted[0]); i++) {
        struct expectation expected = {record, NULL};

        snprintf(record, sizeof(record), "{\"command\":\"/usr/bin/npx\",\"env\":{\"%s\":\"x\"}}",
                 permitted[i]);
        expect(config, &expected);
    }
    config_destroy(config);
}

TEST(test_nothing_listed)
{
    static const struct expectation refused = {"{\"command\":\"/usr/bin/npx\"}", "not one of"};
    static const struct expectation permitted = {"{\"url\":\"x\",\"headers\":{}}", NULL};
    struct config *config = load_rules("[]");

    expect(config, &refused);
    expect(config, &permitted);
    config_destroy(config);
}

static unsigned looks;

static enum error count_looks(void *context, const char *path, bool hash, struct exec_facts *out)
{
    (void)context;
    (void)hash;
    looks++;
    *out = (struct exec_facts){.exists = true};
    snprintf(out->resolved, sizeof(out->resolved), "%s", path);
    return OK;
}

/* A record with that many commands, each the last of the rules. */
static enum error check_many(const struct config *config, size_t count, char why[512])
{
    static char record[64 * 1024];
    struct params *params;
    size_t length = (size_t)snprintf(record, sizeof(record), "{\"all\":[");
    enum error error;

    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(record + length, sizeof(record) - length,
                                   "%s{\"command\":\"/usr/bin/two\"}", i > 0 ? "," : "");
    length += (size_t)snprintf(record + length, sizeof(record) - length, "]}");
    assert_int_equal(params_parse(record, length, &params), OK);
    looks = 0;
    error = exec_policy_check(config, params, count_looks, NULL, why, 512);
    params_destroy(params);
    return error;
}

/* What one record makes us look at is bounded: so many commands, and each rule's file once. */
TEST(test_looks_are_bounded)
{
    struct config *config =
        load_rules("[\"/usr/bin/npx\",\"/usr/bin/uvx\",\"/usr/bin/pinned\",\"/usr/bin/two\"]");
    char why[512];

    assert_int_equal(check_many(config, EXEC_COMMANDS_MAX, why), OK);
    assert_int_equal(looks, EXEC_COMMANDS_MAX + 4);
    assert_int_equal(check_many(config, EXEC_COMMANDS_MAX + 1, why), ERROR_DENIED);
    assert_non_null(strstr(why, "more than 64 commands"));
    config_destroy(config);
}
