/* A dialect pack from an operator's file: parsed or refused with a place, never worse. */
#include "dialect/dialect.h"

#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_faults faults;
    struct json_reader reader = {.text = (const char *)data, .length = size, .faults = &faults};
    struct dialect *dialect = NULL;
    const struct vocabulary *vocabulary;

    enum error error;

    faults.count = 0;
    error = dialect_read(&reader, &dialect);
    json_reader_end(&reader);
    if (error != OK) {
        if (dialect != NULL || faults.count == 0)
            abort();
        for (size_t i = 0; i < faults.count; i++) {
            const struct json_fault *fault = &faults.items[i];

            if (fault->text[0] == '\0' || (fault->pointer[0] != '\0' && fault->pointer[0] != '/'))
                abort();
        }
        return 0;
    }
    vocabulary = dialect_vocabulary(dialect, NULL);
    if (vocabulary == NULL || dialect_vocabulary(dialect, vocabulary->name) != vocabulary)
        abort();
    if (vocabulary->watch_count > DIALECT_WATCHES_MAX)
        abort();
    for (unsigned i = 0; i < DIRECTION_COUNT; i++) {
        for (size_t j = 0; j < vocabulary->verb_count[i]; j++) {
            const struct verb_rule *rule = &vocabulary->verbs[i][j];

            if ((rule->filter_items == NULL) != (rule->filter_name == NULL) ||
                (rule->filter_items != NULL && (i != DIRECTION_C2S || !rule->request)) ||
                (rule->always && rule->never) ||
                (rule->within.count > 0 && rule->target_count == 0))
                abort();
            if (vocabulary_verb(vocabulary, (enum direction)i, span_of(rule->name)) != rule)
                abort();
        }
    }
    dialect_destroy(dialect);
    return 0;
}
