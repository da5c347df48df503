#include "manual/keys.h"

#include "manual/mdoc.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX 64
#define PLACE_SIZE  256
#define PHRASE_SIZE 512
#define DEFINITIONS "#/definitions/"

/* An object whose keys are to be listed, and where it stands: "surfaces.NAME.tls". */
struct object {
    json_t *node;
    char place[PLACE_SIZE];
};

struct writer {
    FILE *out;
    json_t *schema;
    struct object objects[OBJECTS_MAX];
    size_t count;
    bool failed;
};

/* What the schema's definitions are called where one of them is a key's value. */
static const struct {
    const char *name, *one, *many;
} words[] = {
    {"path", "an absolute path", "absolute paths"},
    {"socket", "the path of a Unix socket", "paths of Unix sockets"},
    {"uid", "a uid, or \"self\"", "uids, or \"self\""},
    {"pointer", "a JSON pointer into the session's parameter record", "JSON pointers"},
    {"pattern", "a pattern", "patterns"},
};

static void fail(struct writer *writer, const char *place, const char *what)
{
    fprintf(stderr, "sidelock_manual: the schema's %s %s\n", place, what);
    writer->failed = true;
}

static const char *reference_of(json_t *node)
{
    const char *reference = json_string_value(json_object_get(node, "$ref"));

    return reference != NULL ? reference + strlen(DEFINITIONS) : NULL;
}

static json_t *resolve(const struct writer *writer, json_t *node)
{
    const char *name = reference_of(node);

    return name == NULL ? node
                        : json_object_get(json_object_get(writer->schema, "definitions"), name);
}

static void add(char phrase[PHRASE_SIZE], const char *text)
{
    size_t used = strlen(phrase);

    snprintf(phrase + used, PHRASE_SIZE - used, "%s", text);
}

static void add_value(char phrase[PHRASE_SIZE], json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);

    add(phrase, text != NULL ? text : "");
    free(text);
}

static void add_choices(char phrase[PHRASE_SIZE], json_t *values)
{
    size_t count = json_array_size(values);

    for (size_t i = 0; i < count; i++) {
        add(phrase, i == 0 ? "" : i + 1 == count ? " or " : ", ");
        add_value(phrase, json_array_get(values, i));
    }
}

/* ---- What a value may be, as a phrase ---- */

static void say(struct writer *writer, json_t *node, bool many, char phrase[PHRASE_SIZE]);

static void say_number(json_t *node, bool many, char phrase[PHRASE_SIZE])
{
    json_t *minimum = json_object_get(node, "minimum"), *maximum = json_object_get(node, "maximum");

    add(phrase, many ? "numbers" : "a number");
    if (minimum != NULL && maximum != NULL) {
        add(phrase, " from ");
        add_value(phrase, minimum);
        add(phrase, " to ");
        add_value(phrase, maximum);
    }
}

static void say_list(struct writer *writer, json_t *node, char phrase[PHRASE_SIZE])
{
    json_t *maximum = json_object_get(node, "maxItems");

    add(phrase, "a list of ");
    if (maximum != NULL) {
        add(phrase, "at most ");
        add_value(phrase, maximum);
        add(phrase, " ");
    }
    say(writer, json_object_get(node, "items"), true, phrase);
}

static void say_any_of(struct writer *writer, json_t *choices, bool many, char phrase[PHRASE_SIZE])
{
    size_t count = json_array_size(choices);

    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            add(phrase, i + 1 == count ? " or " : ", ");
        say(writer, json_array_get(choices, i), many, phrase);
    }
}

static const char *word_of(const char *reference, bool many)
{
    for (size_t i = 0; reference != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].name, reference) == 0)
            return many ? words[i].many : words[i].one;
    }
    return NULL;
}

static void say_type(struct writer *writer, json_t *node, const char *type, bool many,
                     char phrase[PHRASE_SIZE])
{
    if (strcmp(type, "integer") == 0)
        say_number(node, many, phrase);
    else if (strcmp(type, "array") == 0)
        say_list(writer, node, phrase);
    else if (strcmp(type, "boolean") == 0)
        add(phrase, "true or false");
    else if (strcmp(type, "string") == 0)
        add(phrase, many ? "strings" : "a string");
    else if (strcmp(type, "object") == 0)
        add(phrase, many ? "objects" : "an object");
    else
        fail(writer, type, "is no type that is known here");
}

static void say(struct writer *writer, json_t *node, bool many, char phrase[PHRASE_SIZE])
{
    const char *word = word_of(reference_of(node), many);
    json_t *schema = resolve(writer, node);
    const char *type = json_string_value(json_object_get(schema, "type"));
    json_t *choices = json_object_get(schema, "enum"), *constant = json_object_get(schema, "const");

    if (word != NULL)
        add(phrase, word);
    else if (constant != NULL)
        add_value(phrase, constant);
    else if (choices != NULL)
        add_choices(phrase, choices);
    else if (json_object_get(schema, "anyOf") != NULL)
        say_any_of(writer, json_object_get(schema, "anyOf"), many, phrase);
    else if (type != NULL)
        say_type(writer, schema, type, many, phrase);
    else
        fail(writer, "a key", "says nothing of its type");
}

/* ---- The objects and their keys ---- */

static void remember(struct writer *writer, json_t *node, const char *place, const char *name)
{
    struct object *object = &writer->objects[writer->count];
    int length;

    if (writer->count == OBJECTS_MAX) {
        fail(writer, name, "is one object too many");
        return;
    }
    length = snprintf(object->place, sizeof(object->place), "%s%s%s", place,
                      place[0] != '\0' && name[0] != '[' ? "." : "", name);
    if (length < 0 || (size_t)length >= sizeof(object->place))
        fail(writer, name, "lies too deep");
    object->node = node;
    writer->count++;
}

/* Notes the objects within a value, whose keys are listed later. */
static void look_within(struct writer *writer, json_t *value, const char *place, const char *name)
{
    json_t *node = resolve(writer, value), *choice;
    json_t *items = json_object_get(node, "items");
    json_t *any = json_object_get(node, "additionalProperties");
    char below[PLACE_SIZE];
    size_t index;

    if (json_object_get(node, "properties") != NULL)
        remember(writer, node, place, name);
    snprintf(below, sizeof(below), "%s%s%s", place, place[0] != '\0' ? "." : "", name);
    if (json_is_object(items))
        look_within(writer, items, below, "[]");
    if (json_is_object(any))
        look_within(writer, any, below, "NAME");
    json_array_foreach(json_object_get(node, "anyOf"), index, choice)
        look_within(writer, choice, place, name);
}

static bool is_required(json_t *object, const char *name)
{
    json_t *required;
    size_t index;

    json_array_foreach(json_object_get(object, "required"), index, required)
    {
        if (strcmp(json_string_value(required), name) == 0)
            return true;
    }
    return false;
}

static const char *description_of(const struct writer *writer, json_t *value)
{
    const char *text = json_string_value(json_object_get(value, "description"));

    if (text == NULL && word_of(reference_of(value), false) == NULL)
        text = json_string_value(json_object_get(resolve(writer, value), "description"));
    return text;
}

static void write_key(struct writer *writer, const struct object *object, const char *name,
                      json_t *value)
{
    const char *about = description_of(writer, value);
    json_t *preset = json_object_get(resolve(writer, value), "default");
    char phrase[PHRASE_SIZE] = "";

    fprintf(writer->out, ".It Cm %s\n", name);
    if (about != NULL)
        mdoc_text(writer->out, about);
    say(writer, value, false, phrase);
    if (strncmp(phrase, "true", 4) != 0)
        phrase[0] = (char)toupper((unsigned char)phrase[0]);
    if (is_required(object->node, name))
        add(phrase, "; required");
    if (preset != NULL) {
        add(phrase, "; preset: ");
        add_value(phrase, preset);
    }
    add(phrase, ".");
    mdoc_text(writer->out, phrase);
    look_within(writer, value, object->place, name);
}

static void write_object(struct writer *writer, const struct object *object)
{
    const char *name;
    json_t *value;

    fprintf(writer->out, ".Ss %s\\&\n", object->place[0] != '\0' ? object->place : "The file");
    fputs(".Bl -tag -width Ds\n", writer->out);
    json_object_foreach(json_object_get(object->node, "properties"), name, value)
        write_key(writer, object, name, value);
    fputs(".El\n", writer->out);
}

bool keys_write(FILE *out, json_t *schema)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    bool failed;

    if (writer == NULL)
        return false;
    writer->out = out;
    writer->schema = schema;
    remember(writer, schema, "", "");
    for (size_t i = 0; i < writer->count && !writer->failed; i++)
        write_object(writer, &writer->objects[i]);
    failed = writer->failed;
    free(writer);
    return !failed;
}
