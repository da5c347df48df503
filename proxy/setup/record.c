#include "setup/record.h"

#include "policy/exec_policy.h"
#include "system/executable.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- What it says ---- */

/* Copied; NULL without memory. */
static char *copy_text(const json_t *value)
{
    return text_copy((struct span){json_string_value(value), json_string_length(value)});
}

static enum error read_arguments(const json_t *root, struct surface_command *out)
{
    const json_t *list = json_object_get(root, "args"), *item;
    size_t index;

    out->arguments = calloc(json_array_size(list) + 1, sizeof(*out->arguments));
    if (out->arguments == NULL)
        return ERROR_MEMORY;
    out->arguments[0] = copy_text(json_object_get(root, "command"));
    if (out->arguments[0] == NULL)
        return ERROR_MEMORY;
    out->argument_count = 1;
    json_array_foreach(list, index, item)
    {
        if (!json_is_string(item))
            return ERROR_INVALID;
        out->arguments[out->argument_count] = copy_text(item);
        if (out->arguments[out->argument_count] == NULL)
            return ERROR_MEMORY;
        out->argument_count++;
    }
    return OK;
}

static enum error read_variables(json_t *root, struct surface_command *out)
{
    json_t *map = json_object_get(root, "env"), *value;
    const char *name;

    out->variables = calloc(json_object_size(map) + 1, sizeof(*out->variables));
    if (out->variables == NULL)
        return ERROR_MEMORY;
    json_object_foreach(map, name, value)
    {
        struct command_variable *variable = &out->variables[out->variable_count];

        if (!json_is_string(value))
            return ERROR_INVALID;
        out->variable_count++;
        variable->name = strdup(name);
        variable->value = copy_text(value);
        if (variable->name == NULL || variable->value == NULL)
            return ERROR_MEMORY;
    }
    return OK;
}

static enum error read_command(json_t *root, struct surface_command *out)
{
    const json_t *directory = json_object_get(root, "cwd");
    enum error error = json_is_string(json_object_get(root, "command")) ? OK : ERROR_INVALID;

    if (error == OK)
        error = read_arguments(root, out);
    if (error == OK)
        error = read_variables(root, out);
    if (error != OK || directory == NULL || json_is_null(directory))
        return error;
    if (!json_is_string(directory) || *json_string_value(directory) != '/')
        return ERROR_INVALID;
    out->directory = copy_text(directory);
    return out->directory != NULL ? OK : ERROR_MEMORY;
}

void record_clear(struct recorded *recorded)
{
    struct surface_command *command = &recorded->command;

    for (size_t i = 0; i < command->argument_count; i++)
        free(command->arguments[i]);
    for (size_t i = 0; i < command->variable_count; i++) {
        free(command->variables[i].name);
        if (command->variables[i].value != NULL)
            explicit_bzero(command->variables[i].value, strlen(command->variables[i].value));
        free(command->variables[i].value);
    }
    free(command->arguments);
    free(command->variables);
    free(command->directory);
    *recorded = (struct recorded){.command = {.argument_count = 0}};
}

/* ---- Whether it may ---- */

static enum error look(void *context, const char *path, bool hash, struct exec_facts *out)
{
    struct executable_identity identity;
    bool settled;

    (void)context;
    executable_look(path, out, &identity);
    return hash && out->exists ? executable_hash(out->resolved, &identity, out->sha256, &settled)
                               : OK;
}

static enum error judge(const struct config *config, const struct buffer *text, char why[WHY_SIZE])
{
    struct params *params = NULL;
    enum error error = params_parse(text->data, text->length, &params);

    if (error == OK)
        error = exec_policy_check(config, params, look, NULL, why, WHY_SIZE);
    else
        error = error_explain(why, ERROR_INVALID, "the parameter record is no record: %s",
                              error_text(error));
    params_destroy(params);
    return error;
}

static enum error read_text(const struct buffer *text, struct recorded *out, char why[WHY_SIZE])
{
    json_t *root;
    enum error error = json_parse(text->data, text->length, &root);

    if (error == OK) {
        error = read_command(root, &out->command);
        json_decref(root);
    }
    return error == OK ? OK
                       : error_explain(why, error,
                                       "the parameter record must have a \"command\", and may have "
                                       "\"args\" of strings, \"env\" of strings and an absolute "
                                       "\"cwd\"");
}

enum error record_read(const struct config *config, int fd, struct recorded *out,
                       char why[WHY_SIZE])
{
    struct buffer text;
    enum error error;

    *out = (struct recorded){.command = {.argument_count = 0}};
    buffer_init(&text, PARAMS_BYTES_MAX);
    error = lseek(fd, 0, SEEK_SET) == 0 ? buffer_append_fd(&text, fd) : ERROR_IO;
    if (error != OK)
        error = error_explain(why, error, "the parameter record cannot be read");
    if (error == OK)
        error = judge(config, &text, why);
    if (error == OK)
        error = read_text(&text, out, why);
    if (error != OK)
        record_clear(out);
    buffer_wipe(&text);
    return error;
}
