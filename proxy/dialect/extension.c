#include "dialect/extension.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Takes over what was read, and leaves none of it. */
static void add_rules(struct json_reader *reader, struct vocabulary *to, struct vocabulary *from,
                      enum direction way)
{
    const size_t count = to->verb_count[way] + from->verb_count[way];
    struct verb_rule *rules;

    if (from->verb_count[way] == 0 || json_reader_result(reader) != OK)
        return;
    for (size_t i = 0; i < from->verb_count[way]; i++) {
        for (size_t j = 0; j < to->verb_count[way]; j++) {
            if (strcmp(to->verbs[way][j].name, from->verbs[way][i].name) == 0)
                json_reader_fault(reader, "The dialect has the verb \"%.64s\" already.",
                                  from->verbs[way][i].name);
        }
    }
    if (count > DIALECT_VERBS_MAX)
        json_reader_fault(reader, "With these there are more than %d verbs.", DIALECT_VERBS_MAX);
    if (json_reader_result(reader) != OK)
        return;
    rules = realloc(to->verbs[way], count * sizeof(*rules));
    if (rules == NULL) {
        reader->out_of_memory = true;
        return;
    }
    memcpy(rules + to->verb_count[way], from->verbs[way], from->verb_count[way] * sizeof(*rules));
    free(from->verbs[way]);
    from->verbs[way] = NULL;
    from->verb_count[way] = 0;
    to->verbs[way] = rules;
    to->verb_count[way] = count;
}

/* Adds an extension's verbs. Their rules borrow its name from the vocabulary. */
void extension_add(struct json_reader *reader, const struct json_table *table,
                   struct vocabulary *vocabulary, const struct extension *extension)
{
    struct vocabulary more = {.envelope = vocabulary->envelope};
    void *context = reader->context;

    if (text_list_add(&vocabulary->extensions, extension->name, strlen(extension->name)) != OK) {
        reader->out_of_memory = true;
        return;
    }
    reader->context = vocabulary;
    json_table_read(reader, table, extension->verbs, &more);
    reader->context = context;
    for (unsigned way = 0; way < DIRECTION_COUNT; way++) {
        for (size_t i = 0; i < more.verb_count[way]; i++) {
            more.verbs[way][i].extension =
                vocabulary->extensions.items[vocabulary->extensions.count - 1];
            more.verbs[way][i].off = extension->off;
        }
        add_rules(reader, vocabulary, &more, (enum direction)way);
    }
    json_table_clear(table, &more);
}
