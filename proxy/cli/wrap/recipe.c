#include "cli/wrap/recipe.h"

#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"
#include "dialect/dialect.h"

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES_MAX 8192 /* twice the longest of the system's */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

void recipe_name(const char *command, char out[RECIPE_NAME_SIZE])
{
    const char *from = base_name(command);
    size_t length = 0;

    for (; *from != '\0' && length < RECIPE_NAME_SIZE - 1; from++) {
        if (isalnum((unsigned char)*from))
            out[length++] = (char)tolower((unsigned char)*from);
        else if (length > 0 && out[length - 1] != '-')
            out[length++] = '-';
    }
    while (length > 0 && out[length - 1] == '-')
        length--;
    out[length] = '\0';
    if (!text_is_name(out) || log_is_ours(out))
        snprintf(out, RECIPE_NAME_SIZE, "service");
}

/* ---- What it speaks ---- */

/* The port at the end of "9222", "127.0.0.1:9222", as options of servers have it. */
static bool ends_with_port(const char *text, uint16_t port)
{
    const char *colon = strrchr(text, ':');
    uint64_t number;

    return text_number(span_of(colon != NULL ? colon + 1 : text), 5, &number) && number == port;
}

/* What follows `prefix`, or NULL. */
static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static bool is_one_of(const char *text, const char *const *names)
{
    while (*names != NULL && strcmp(text, *names) != 0)
        names++;
    return *names != NULL;
}

static bool is_chromium(char *const *command, uint16_t port)
{
    static const char *const names[] = {"chromium",
                                        "chromium-browser",
                                        "chrome",
                                        "google-chrome",
                                        "google-chrome-stable",
                                        "headless_shell",
                                        NULL};

    for (char *const *word = command + 1; is_one_of(base_name(command[0]), names) && *word != NULL;
         word++) {
        const char *value = after(*word, "--remote-debugging-port=");

        if (value != NULL)
            return strcmp(value, "0") == 0 || ends_with_port(value, port);
    }
    return false;
}

/* Options before the script are Node's own; 9229 is its inspector's usual port. */
static bool is_inspector(char *const *command, uint16_t port)
{
    static const char *const options[] = {"--inspect", "--inspect-brk", "--inspect-wait", NULL};

    for (char *const *word = command + 1;
         strcmp(base_name(command[0]), "node") == 0 && *word != NULL && **word == '-'; word++) {
        const char *equals = strchr(*word, '=');
        char option[32];

        snprintf(option, sizeof(option), "%.*s", (int)strcspn(*word, "="), *word);
        if (is_one_of(option, options))
            return equals != NULL ? ends_with_port(equals + 1, port) : port == 9229;
    }
    return false;
}

static bool is_autogen_studio(char *const *command, uint16_t port)
{
    (void)port;
    return strcmp(base_name(command[0]), "autogenstudio") == 0 && command[1] != NULL &&
           strcmp(command[1], "ui") == 0;
}

static const struct {
    bool (*is)(char *const *command, uint16_t port);
    const char *dialect;
} guesses[] = {
    {is_chromium, "cdp"}, {is_inspector, "node-inspector"}, {is_autogen_studio, "autogen-studio"}};

const char *recipe_guess(char *const *command, uint16_t port)
{
    for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
        if (guesses[i].is(command, port))
            return guesses[i].dialect;
    }
    return NULL;
}

/* ---- The configuration ---- */

/* A service that nobody knows is whole: every path, and whatever is said on it. Of the query of an
 * upgrade only two names pass, those of Vite's and Jupyter's own pages, and nothing that could
 * hold a command, or be an option of one: what a page may say there became a process once. */
static json_t *every_route(void)
{
    return json_pack("[{s:s,s:s,s:b,s:s,s:{s:{s:s,s:s}}},{s:s,s:s,s:[s,s,s,s,s,s,s]}]", "path",
                     "/{any...}", "kind", "websocket", "binary", 1, "subprotocols", "any", "query",
                     "pass", "token", "[0-9A-Za-z_-]{1,32}", "session_id",
                     "[0-9A-Za-z][0-9A-Za-z-]{0,39}", "path", "/{any...}", "kind", "http",
                     "methods", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
}

/* Whether verbs of this direction pass that no list names. */
static bool is_open(const json_t *vocabularies, const char *direction)
{
    const json_t *vocabulary, *open;
    size_t i, j;

    json_array_foreach(vocabularies, i, vocabulary)
    {
        json_array_foreach(json_object_get(vocabulary, "open"), j, open)
        {
            if (strcmp(json_string_value(open), direction) == 0)
                return true;
        }
    }
    return false;
}

/* All verbs of a direction that the pack does not close, each once. */
static json_t *list_verbs(const json_t *vocabularies, const char *direction)
{
    json_t *list = json_array(), *known = json_object();
    const json_t *vocabulary;
    json_t *rule;
    const char *verb;
    size_t i;

    json_array_foreach(vocabularies, i, vocabulary)
    {
        json_t *verbs = json_object_get(json_object_get(vocabulary, "verbs"), direction);

        json_object_foreach(verbs, verb, rule)
        {
            if (!json_is_true(json_object_get(rule, "never")))
                json_object_set_new(known, verb, json_true());
        }
    }
    json_object_foreach(known, verb, rule)
    {
        json_array_append_new(list, json_string(verb));
    }
    json_decref(known);
    return list;
}

/* What the dialect knows, but for what its pack closes; a session may be given less. */
static json_t *everything(const char *dialect)
{
    struct span text = dialect_shipped(dialect);
    json_t *pack = json_loadb(text.data, text.length, 0, NULL);
    const json_t *vocabularies = json_object_get(pack, "vocabularies");
    json_t *allow = json_pack("{s:[s]}", "targets", "*");

    if (!is_open(vocabularies, "c2s"))
        json_object_set_new(allow, "verbs", list_verbs(vocabularies, "c2s"));
    if (!is_open(vocabularies, "s2c"))
        json_object_set_new(allow, "server_verbs", list_verbs(vocabularies, "s2c"));
    json_decref(pack);
    return allow;
}

json_t *recipe_routes(void)
{
    return every_route();
}

/* In paths a '$' begins a variable, unless another follows. NULL where it cannot be written. */
static json_t *write_path(const char *path)
{
    struct buffer text;
    json_t *written;

    buffer_init(&text, PATH_BYTES_MAX);
    for (; *path != '\0'; path++)
        buffer_append(&text, *path == '$' ? "$$" : path, *path == '$' ? 2 : 1);
    written = buffer_failed(&text) ? NULL : json_stringn(text.data, text.length);
    buffer_clear(&text);
    return written;
}

/* NULL where one of them cannot be written. */
static json_t *write_list(const struct text_list *from)
{
    json_t *list = json_array();

    for (size_t i = 0; from != NULL && i < from->count; i++) {
        if (json_array_append_new(list, write_path(from->items[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* Of a list that has none, nothing. */
static bool add_list(json_t *upstream, const char *name, const struct text_list *from)
{
    return from->count == 0 || json_object_set_new(upstream, name, write_list(from)) == 0;
}

/* Those with a value; others are the environment's, which nobody writes down. */
static json_t *write_variables(const struct text_list *from)
{
    json_t *variables = json_object();

    for (size_t i = 0; from != NULL && i < from->count; i++) {
        const char *equals = strchr(from->items[i], '=');

        if (equals != NULL)
            json_object_setn_new(variables, from->items[i], (size_t)(equals - from->items[i]),
                                 json_string(equals + 1));
    }
    return variables;
}

static bool add_programs(json_t *upstream, const struct recipe *recipe)
{
    if (recipe->anything)
        return json_object_set_new(upstream, "executables", json_string("any")) == 0;
    return add_list(upstream, "executables", recipe->executables) &&
           add_list(upstream, "libraries", recipe->libraries);
}

static bool add_environment(json_t *upstream, const struct recipe *recipe)
{
    json_t *variables = write_variables(recipe->variables);
    bool added = true;

    if (json_object_size(variables) > 0)
        added = json_object_set(upstream, "env", variables) == 0;
    json_decref(variables);
    if (recipe->environment_file != NULL)
        added = added &&
                json_object_set_new(upstream, "env_files",
                                    json_pack("[o]", write_path(recipe->environment_file))) == 0;
    return added;
}

/* Of both lists empty, or not there, nothing. */
static bool add_connect(json_t *upstream, const struct recipe *recipe)
{
    json_t *connect = json_object(), *ports = json_array();

    for (size_t i = 0; recipe->ports != NULL && i < recipe->ports->count; i++)
        json_array_append_new(ports, json_integer(strtol(recipe->ports->items[i], NULL, 10)));
    if (json_array_size(ports) > 0)
        json_object_set(connect, "ports", ports);
    json_decref(ports);
    if (recipe->networks != NULL && !add_list(connect, "refuse", recipe->networks)) {
        json_decref(connect);
        return false;
    }
    if (json_object_size(connect) > 0)
        json_object_set(upstream, "connect", connect);
    json_decref(connect);
    return true;
}

static json_t *write_upstream(const struct recipe *recipe)
{
    json_t *command = json_array(), *upstream;
    bool written = true;

    for (char *const *word = recipe->command; *word != NULL; word++)
        written = written &&
                  json_array_append_new(command, word == recipe->command ? write_path(*word)
                                                                         : json_string(*word)) == 0;
    upstream = json_pack("{s:o}", "command", command);
    if (strcmp(recipe->directory, "/") != 0)
        written =
            written && json_object_set_new(upstream, "cwd", write_path(recipe->directory)) == 0;
    if (recipe->write_limited)
        written =
            written && json_object_set_new(upstream, "write", write_list(recipe->writable)) == 0;
    if (!written || !add_programs(upstream, recipe) || !add_environment(upstream, recipe) ||
        !add_connect(upstream, recipe)) {
        json_decref(upstream);
        return NULL;
    }
    if (recipe->stdio)
        json_object_set_new(upstream, "stdio", json_true());
    else if (recipe->port != 0)
        json_object_set_new(upstream, "port", json_integer(recipe->port));
    return upstream;
}

char *recipe_upstream(const struct recipe *recipe)
{
    json_t *upstream = write_upstream(recipe);
    char *text = upstream != NULL ? json_dumps(upstream, JSON_INDENT(2)) : NULL;

    json_decref(upstream);
    return text;
}

static json_t *write_surface(const struct recipe *recipe, uint16_t port)
{
    const char *guess = recipe_guess(recipe->command, port);
    const char *dialect = recipe->dialect != NULL ? recipe->dialect : guess;
    char listen[32];
    json_t *surface;

    snprintf(listen, sizeof(listen), "localhost:%u", port);
    surface = json_pack("{s:s,s:s,s:[s],s:o,s:s,s:{s:[s]}}", "why",
                        "Wrapped at a terminal by `sidelock wrap`", "can_do",
                        "Whatever this command can do", "listen", listen, "upstream",
                        write_upstream(recipe), "dialect", dialect != NULL ? dialect : "opaque",
                        "callers", "uids", "self");
    if (dialect == NULL || strcmp(dialect, "opaque") == 0)
        json_object_set_new(surface, "routes", every_route());
    else
        json_object_set_new(surface, "allow", everything(dialect));
    return surface;
}

char *recipe_write(const struct recipe *recipe, uint16_t port)
{
    json_t *root = json_pack("{s:o,s:o,s:i,s:{s:o}}", "state_dir", write_path(recipe->state_dir),
                             "control_socket", write_path(recipe->control_socket), "workers", 1,
                             "surfaces", recipe->surface, write_surface(recipe, port));
    char *text = json_dumps(root, JSON_INDENT(2));

    json_decref(root);
    return text;
}
