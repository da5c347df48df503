#include "dialect/dialect.h"

#include "dialect/load.h"
#include "dialect/rule.h"

#include <stdlib.h>
#include <string.h>

static void vocabulary_clear(struct vocabulary *vocabulary)
{
    free(vocabulary->name);
    free(vocabulary->verb_key);
    free(vocabulary->operation_value);
    free(vocabulary->operation_key);
    free(vocabulary->session_key);
    free(vocabulary->asks_key);
    for (unsigned direction = 0; direction < DIRECTION_COUNT; direction++) {
        for (size_t i = 0; i < vocabulary->verb_count[direction]; i++)
            dialect_rule_clear(&vocabulary->verbs[direction][i]);
        free(vocabulary->verbs[direction]);
    }
    free(vocabulary->refusal);
    text_list_clear(&vocabulary->descend);
}

enum error dialect_parse(const char *text, size_t length, struct dialect **out,
                         struct dialect_fault *fault)
{
    struct dialect *dialect = calloc(1, sizeof(*dialect));
    enum error error;

    *fault = (struct dialect_fault){.pointer = "", .text = "There is not enough memory."};
    if (dialect == NULL)
        return ERROR_MEMORY;
    error = dialect_load(text, length, dialect, fault);
    if (error != OK) {
        dialect_destroy(dialect);
        return error;
    }
    *out = dialect;
    return OK;
}

void dialect_destroy(struct dialect *dialect)
{
    if (dialect == NULL)
        return;
    for (size_t i = 0; i < dialect->vocabulary_count; i++)
        vocabulary_clear(&dialect->vocabularies[i]);
    free(dialect->vocabularies);
    free(dialect->name);
    free(dialect);
}

const char *dialect_name(const struct dialect *dialect)
{
    return dialect->name;
}

const struct vocabulary *dialect_vocabulary(const struct dialect *dialect, const char *name)
{
    for (size_t i = 0; i < dialect->vocabulary_count; i++) {
        if (name == NULL || strcmp(dialect->vocabularies[i].name, name) == 0)
            return &dialect->vocabularies[i];
    }
    return NULL;
}

/* The order of strcmp, for a span that may hold any byte. */
static int compare_name(struct span name, const char *other)
{
    size_t length = strlen(other);
    int order = memcmp(name.data, other, name.length < length ? name.length : length);

    if (order != 0)
        return order;
    return (name.length > length) - (name.length < length);
}

const struct verb_rule *vocabulary_verb(const struct vocabulary *vocabulary,
                                        enum direction direction, struct span name)
{
    size_t low = 0, high = vocabulary->verb_count[direction];

    if (name.data == NULL)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct verb_rule *rule = &vocabulary->verbs[direction][middle];
        int order = compare_name(name, rule->name);

        if (order == 0)
            return rule;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
