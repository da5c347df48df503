#include "cli/additions.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* How what is given is written. */
enum shape {
    TEXT,
    NUMBER,
    SECONDS,   /* a number, of "90", "15m" */
    USER,      /* a number, or a name */
    TEXTS,     /* a list */
    NUMBERS,   /* a list, too */
    VARIABLES, /* an object, of NAME=VALUE each */
    READY,     /* an object with a path */
    REFUSAL    /* a flag, that says false */
};

#define A_COMMAND  (ADDITIONS_COMMAND | ADDITIONS_STDIO)
#define A_LISTENER ADDITIONS_COMMAND
#define A_SOCKET   (ADDITIONS_SOCKET | ADDITIONS_TCP)
#define ANY        (A_COMMAND | A_SOCKET)

static const struct member {
    const char *name, *takes, *about; /* as of struct args_option */
    const char *key;
    const char *within; /* an object that the key is in; NULL: in none */
    enum additions_of owner;
    unsigned with; /* of which services: bits of enum additions_service */
    enum shape shape;
    /* TEXTS: this word alone is no element: it stands for itself, or for an empty list. */
    const char *word, *empty;
} table[] = {
    {.name = "--mode",
     .takes = "enforce|observe",
     .about = "refuse what may not pass, or only write it down",
     .key = "mode",
     .owner = ADDITIONS_OF_SURFACE,
     .with = ANY,
     .shape = TEXT},
    {.name = "--host",
     .takes = "HOST",
     .about = "a Host header that is accepted, in the place of the usual ones; may be repeated",
     .key = "hosts",
     .owner = ADDITIONS_OF_SURFACE,
     .with = ANY,
     .shape = TEXTS},
    {.name = "--origin",
     .takes = "ORIGIN",
     .about = "an Origin that is accepted, in the place of the usual ones; may be repeated",
     .key = "origins",
     .owner = ADDITIONS_OF_SURFACE,
     .with = ANY,
     .shape = TEXTS},
    {.name = "--owner",
     .takes = "USER",
     .about = "who may listen there, if neither you nor root",
     .key = "owner",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_SOCKET,
     .shape = USER},
    {.name = "--namespace",
     .takes = "proven|shared",
     .about = "whether it is found out, or your word, that the network is a container's",
     .key = "namespace",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = ADDITIONS_TCP,
     .shape = TEXT},
    {.name = "--env",
     .takes = "NAME=VALUE",
     .about = "a variable of the command's environment; may be repeated",
     .key = "env",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = VARIABLES},
    {.name = "--env-file",
     .takes = "FILE",
     .about = "a file of such lines, for secrets; may be repeated",
     .key = "env_files",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = TEXTS},
    {.name = "--cwd",
     .takes = "DIRECTORY",
     .about = "where the command is started; here",
     .key = "cwd",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = TEXT},
    {.name = "--user",
     .takes = "USER",
     .about = "the user that the command runs as, where the gate is root",
     .key = "user",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = USER},
    {.name = "--port",
     .takes = "N",
     .about = "the port on which the command listens, if another than clients find",
     .key = "port",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_LISTENER,
     .shape = NUMBER},
    {.name = "--ready",
     .takes = "PATH",
     .about = "the command is ready once this path answers",
     .key = "ready",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_LISTENER,
     .shape = READY},
    {.name = "--restart",
     .takes = "always|on-failure|never",
     .about = "when the command is started again",
     .key = "restart",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_LISTENER,
     .shape = TEXT},
    {.name = "--start",
     .takes = "at_once|on_demand",
     .about = "when the command is started first",
     .key = "start",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_LISTENER,
     .shape = TEXT},
    {.name = "--idle-stop",
     .takes = "TIME",
     .about = "it is ended once nobody has asked for it so long, as 90s or 15m",
     .key = "idle_stop_s",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_LISTENER,
     .shape = SECONDS},
    {.name = "--allow-exec",
     .takes = "PATH|any",
     .about = "a program that the service may execute; may be repeated",
     .key = "executables",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = TEXTS,
     .word = "any"},
    {.name = "--allow-library",
     .takes = "DIRECTORY",
     .about = "where it may load code from beside the system's; may be repeated",
     .key = "libraries",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = TEXTS},
    {.name = "--write",
     .takes = "PATH|none",
     .about = "what the service may write, and nothing else; may be repeated",
     .key = "write",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = TEXTS,
     .empty = "none"},
    {.name = "--require",
     .takes = "FENCE",
     .about = "a fence without which it is not started; may be repeated",
     .key = "require",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = TEXTS},
    {.name = "--memory-mib",
     .takes = "N",
     .about = "what the service may use of memory, with all that descends from it",
     .key = "memory_mib",
     .within = "limits",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = NUMBER},
    {.name = "--processes",
     .takes = "N",
     .about = "how many processes and threads it may have at once",
     .key = "processes",
     .within = "limits",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = NUMBER},
    {.name = "--connect-port",
     .takes = "PORT|none",
     .about = "a port to which it may connect by TCP, and to no other; may be repeated",
     .key = "ports",
     .within = "connect",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = NUMBERS,
     .empty = "none"},
    {.name = "--refuse-network",
     .takes = "NETWORK",
     .about = "where it may not connect to; may be repeated",
     .key = "refuse",
     .within = "connect",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = TEXTS},
    {.name = "--no-udp",
     .about = "nothing of it leaves by UDP",
     .key = "udp",
     .within = "connect",
     .owner = ADDITIONS_OF_UPSTREAM,
     .with = A_COMMAND,
     .shape = REFUSAL},
};

#define ADDITIONS (sizeof(table) / sizeof(table[0]))
_Static_assert(ADDITIONS <= ADDITIONS_MAX, "each has a place in struct additions");

static bool is_list(const struct member *member)
{
    return member->shape == TEXTS || member->shape == NUMBERS || member->shape == VARIABLES;
}

static bool was_given(const struct additions *additions, size_t i)
{
    return additions->values[i] != NULL || additions->lists[i].count > 0 || additions->flags[i];
}

size_t additions_options(struct additions *additions, struct args_option *out)
{
    for (size_t i = 0; i < ADDITIONS; i++) {
        out[i] = (struct args_option){
            .name = table[i].name, .takes = table[i].takes, .about = table[i].about};
        if (is_list(&table[i]))
            out[i].list = &additions->lists[i];
        else if (table[i].shape == REFUSAL)
            out[i].flag = &additions->flags[i];
        else
            out[i].value = &additions->values[i];
    }
    return ADDITIONS;
}

/* "--port goes with ...", of the services that a row is for. */
static const char *services_of(unsigned with)
{
    switch (with) {
    case A_COMMAND:
        return "a command, which stands after `--`";
    case A_LISTENER:
        return "a command that listens, after `--` and without --stdio";
    case ADDITIONS_TCP:
        return "--tcp";
    default:
        return "--socket or --tcp";
    }
}

int additions_check(const struct additions *additions, enum additions_service service)
{
    for (size_t i = 0; i < ADDITIONS; i++) {
        if (was_given(additions, i) && (table[i].with & service) == 0)
            return args_usage("add", "%s goes with %s", table[i].name, services_of(table[i].with));
    }
    return EX_OK;
}

/* ---- Values; NULL: it was no UTF-8, or there is no memory ---- */

static json_t *write_texts(const struct member *member, const struct text_list *from)
{
    bool single = from->count == 1;
    json_t *list;

    if (single && member->word != NULL && strcmp(from->items[0], member->word) == 0)
        return json_string(member->word);
    list = json_array();
    if (single && member->empty != NULL && strcmp(from->items[0], member->empty) == 0)
        return list;
    for (size_t i = 0; i < from->count; i++) {
        if (json_array_append_new(list, json_string(from->items[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* "none" alone is an empty list. */
static json_t *write_numbers(const struct member *member, const struct text_list *from, int *code)
{
    json_t *list = json_array();
    uint64_t number;

    if (from->count == 1 && strcmp(from->items[0], member->empty) == 0)
        return list;
    for (size_t i = 0; *code == EX_OK && i < from->count; i++) {
        if (!args_number(from->items[i], UINT32_MAX, &number))
            *code = args_usage("add", "%s takes a number, not %s", member->name, from->items[i]);
        else
            json_array_append_new(list, json_integer((json_int_t)number));
    }
    return list;
}

/* The last of a name counts, as in a shell. */
static json_t *write_variables(const struct text_list *from)
{
    json_t *object = json_object();

    for (size_t i = 0; i < from->count; i++) {
        const char *equals = strchr(from->items[i], '=');
        char *name = strndup(from->items[i], (size_t)(equals - from->items[i]));
        bool written =
            name != NULL && json_object_set_new(object, name, json_string(equals + 1)) == 0;

        free(name);
        if (!written) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *write_number(uint64_t number)
{
    return json_integer((json_int_t)number);
}

/* *code is EX_USAGE after saying what is wrong with it. */
static json_t *write_value(const struct member *member, const char *value, int *code)
{
    uint64_t number;
    int64_t seconds;

    switch (member->shape) {
    case NUMBER:
        if (args_number(value, UINT32_MAX, &number))
            return write_number(number);
        *code = args_usage("add", "%s takes a number, not %s", member->name, value);
        return NULL;
    case SECONDS:
        if (args_duration(value, &seconds))
            return write_number((uint64_t)seconds);
        *code = args_usage("add", "%s takes a time, as 90s or 15m, not %s", member->name, value);
        return NULL;
    case USER:
        return args_number(value, UINT32_MAX, &number) ? write_number(number) : json_string(value);
    case REFUSAL:
        return json_false();
    case READY:
        return json_pack("{s:o}", "path", json_string(value));
    default:
        return json_string(value);
    }
}

static json_t *write_list(const struct member *member, const struct text_list *from, int *code)
{
    for (size_t i = 0; member->shape == VARIABLES && i < from->count; i++) {
        if (strchr(from->items[i], '=') == NULL) {
            *code = args_usage("add",
                               "%s takes NAME=VALUE, not %s: what another environment holds "
                               "is for --env-file",
                               member->name, from->items[i]);
            return NULL;
        }
    }
    if (member->shape == NUMBERS)
        return write_numbers(member, from, code);
    return member->shape == VARIABLES ? write_variables(from) : write_texts(member, from);
}

/* `value` is taken over. */
static int put(json_t *object, const struct member *member, json_t *value)
{
    json_t *into = object;

    if (member->within != NULL) {
        into = json_object_get(object, member->within);
        if (into == NULL && json_object_set_new(object, member->within, json_object()) == 0)
            into = json_object_get(object, member->within);
    }
    return json_object_set_new(into, member->key, value);
}

int additions_write(const struct additions *additions, enum additions_of owner, json_t *object)
{
    int code = EX_OK;

    for (size_t i = 0; code == EX_OK && i < ADDITIONS; i++) {
        json_t *value;

        if (table[i].owner != owner || !was_given(additions, i))
            continue;
        value = is_list(&table[i]) ? write_list(&table[i], &additions->lists[i], &code)
                                   : write_value(&table[i], additions->values[i], &code);
        if (code != EX_OK)
            json_decref(value);
        else if (value == NULL || put(object, &table[i], value) != 0)
            code = args_fail(EX_DATAERR, "all words of a configuration must be UTF-8");
    }
    return code;
}

void additions_clear(struct additions *additions)
{
    for (size_t i = 0; i < ADDITIONS; i++)
        text_list_clear(&additions->lists[i]);
}
