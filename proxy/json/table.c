#include "json/table.h"

#include "base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR_BYTES_MAX 32 /* longer keys are no typing mistakes of ours */
#define NEAR_EDITS_MAX 2

static void *place_of(void *into, size_t offset)
{
    return (char *)into + offset;
}

/* ---- Unknown keys ---- */

/* How many letters to insert, drop or change to make one text of the other (Levenshtein). */
static size_t edits_between(const char *left, const char *right)
{
    size_t row[NEAR_BYTES_MAX + 1], width = strlen(right);

    if (strlen(left) > NEAR_BYTES_MAX || width > NEAR_BYTES_MAX)
        return NEAR_EDITS_MAX + 1;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; left[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t best = diagonal + (left[i - 1] != right[j - 1]);

            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[width];
}

const char *json_table_nearest(const struct json_table *table, const char *name)
{
    size_t least = NEAR_EDITS_MAX + 1;
    const char *nearest = NULL;

    for (size_t i = 0; i < table->count; i++) {
        size_t edits = edits_between(name, table->keys[i].name);

        /* Two edits make any short word out of any other. */
        if (edits < least && 2 * edits < strlen(table->keys[i].name)) {
            least = edits;
            nearest = table->keys[i].name;
        }
    }
    return nearest;
}

static void list_keys(const struct json_table *table, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < table->count; i++) {
        int more =
            snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", table->keys[i].name);

        if (more < 0 || used + (size_t)more >= size) {
            snprintf(out + used, size - used, "...");
            return;
        }
        used += (size_t)more;
    }
}

static bool table_knows(const struct json_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->keys[i].name, name) == 0)
            return true;
    }
    return false;
}

static void refuse_unknown_keys(struct json_reader *reader, const struct json_table *table,
                                json_t *object)
{
    const char *name, *nearest;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        size_t place;
        char known[160];

        if (table_knows(table, name))
            continue;
        place = json_reader_enter(reader, name);
        nearest = json_table_nearest(table, name);
        list_keys(table, known, sizeof(known));
        if (nearest != NULL)
            json_reader_fault(reader, "\"%.48s\" is not a key of %s; did you mean \"%s\"?", name,
                              table->what, nearest);
        else
            json_reader_fault(reader, "\"%.32s\" is not a key of %s, which has: %s.", name,
                              table->what, known);
        json_reader_leave(reader, place);
    }
}

/* ---- One value ---- */

static void read_flag(struct json_reader *reader, json_t *value, bool *into)
{
    if (json_is_boolean(value))
        *into = json_boolean_value(value);
    else
        json_reader_fault(reader, "This must be true or false.");
}

static void read_choice(struct json_reader *reader, const struct json_key *key, json_t *value,
                        unsigned *into)
{
    const char *text = json_string_value(value);
    char permitted[96] = "";

    for (const struct json_word *word = key->words; word->word != NULL; word++) {
        size_t used = strlen(permitted);

        if (text != NULL && strcmp(word->word, text) == 0) {
            *into = word->value;
            return;
        }
        snprintf(permitted + used, sizeof(permitted) - used, "%s\"%s\"", used > 0 ? ", " : "",
                 word->word);
    }
    json_reader_fault(reader, "\"%s\" must be one of: %s.", key->name, permitted);
}

/* Whether a list or map has a permitted number of elements. */
static bool count_permitted(struct json_reader *reader, const struct json_key *key, size_t count)
{
    if (count >= key->minimum && count <= key->maximum)
        return true;
    if (count < key->minimum)
        json_reader_fault(reader, "This is empty; \"%s\" needs at least one entry.", key->name);
    else
        json_reader_fault(reader, "This has %zu entries; at most %u are permitted.", count,
                          key->maximum);
    return false;
}

static char *read_text(struct json_reader *reader, const struct json_key *key, json_t *value,
                       uint32_t maximum)
{
    return json_reader_expanded(reader, value, key->expand != NULL ? key->expand : json_reader_copy,
                                key->check, maximum);
}

static void read_texts(struct json_reader *reader, const struct json_key *key, json_t *value,
                       struct text_list *into)
{
    size_t index;
    json_t *element;

    if (!json_is_array(value)) {
        json_reader_fault(reader, "This must be an array of strings.");
        return;
    }
    if (!count_permitted(reader, key, json_array_size(value)))
        return;
    json_array_foreach(value, index, element)
    {
        size_t place = json_reader_enter_index(reader, index);
        char *copy = read_text(reader, key, element, JSON_TEXT_BYTES_MAX);

        if (copy != NULL && text_list_contains(into, span_of(copy)))
            json_reader_fault(reader, "\"%.64s\" is listed twice.", copy);
        else if (copy != NULL && text_list_add(into, copy, strlen(copy)) != OK)
            reader->out_of_memory = true;
        free(copy);
        json_reader_leave(reader, place);
    }
}

static void read_elements(struct json_reader *reader, const struct json_key *key, json_t *value,
                          char *at)
{
    bool list = key->type == JSON_KEY_LIST;
    void *member = json_object_iter(value); /* NULL of a list */

    for (size_t i = 0; list ? i < json_array_size(value) : member != NULL; i++, at += key->size) {
        const char *name = json_object_iter_key(member);
        json_t *element = list ? json_array_get(value, i) : json_object_iter_value(member);
        size_t place = list ? json_reader_enter_index(reader, i) : json_reader_enter(reader, name);
        const char *why = !list && key->check != NULL ? key->check(name) : NULL;

        if (why != NULL)
            json_reader_fault(reader, "\"%.64s\" %s.", name, why);
        if (!list)
            *(char **)place_of(at, key->name_offset) = json_reader_copy(reader, name);
        if (key->read != NULL)
            key->read(reader, element, at + key->value_offset);
        else
            json_table_read(reader, key->table, element, at + key->value_offset);
        json_reader_leave(reader, place);
        member = json_object_iter_next(value, member);
    }
}

static void read_list(struct json_reader *reader, const struct json_key *key, json_t *value,
                      void *into)
{
    bool list = key->type == JSON_KEY_LIST;
    size_t count = list ? json_array_size(value) : json_object_size(value);
    void *elements;

    if (list ? !json_is_array(value) : !json_is_object(value)) {
        json_reader_fault(reader, "This must be an %s.", list ? "array" : "object");
        return;
    }
    if (!count_permitted(reader, key, count) ||
        (elements = json_reader_allocate(reader, count, key->size)) == NULL)
        return;
    /* In their place before they are read: a fault half-way leaks nothing. */
    *(void **)place_of(into, key->offset) = elements;
    *(size_t *)place_of(into, key->count_offset) = count;
    read_elements(reader, key, value, elements);
}

static void read_object(struct json_reader *reader, const struct json_key *key, json_t *value,
                        void *into)
{
    if (key->size > 0) {
        void *allocated = json_reader_allocate(reader, 1, key->size);

        if (allocated == NULL)
            return;
        *(void **)into = allocated;
        into = allocated;
    }
    json_table_read(reader, key->table, value, into);
}

void json_table_read_key(struct json_reader *reader, const struct json_key *key,
                         struct json_t *value, void *into)
{
    uint32_t text_max = key->maximum > 0 ? key->maximum : JSON_TEXT_BYTES_MAX;
    void *at = place_of(into, key->offset);

    switch (key->type) {
    case JSON_KEY_IGNORED:
        if (!json_is_string(value))
            json_reader_fault(reader, "This must be a string.");
        break;
    case JSON_KEY_ELSEWHERE:
        break;
    case JSON_KEY_TEXT:
        *(char **)at = read_text(reader, key, value, text_max);
        break;
    case JSON_KEY_FLAG:
        read_flag(reader, value, at);
        break;
    case JSON_KEY_NUMBER:
        (void)json_reader_number(reader, value, key->minimum, key->maximum, at);
        break;
    case JSON_KEY_CHOICE:
        read_choice(reader, key, value, at);
        break;
    case JSON_KEY_TEXTS:
        read_texts(reader, key, value, at);
        break;
    case JSON_KEY_OBJECT:
        read_object(reader, key, value, at);
        break;
    case JSON_KEY_LIST:
    case JSON_KEY_MAP:
        read_list(reader, key, value, into);
        break;
    case JSON_KEY_CUSTOM:
        key->read(reader, value, at);
        break;
    }
}

/* ---- A whole object ---- */

static void preset_table(const struct json_table *table, void *into)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct json_key *key = &table->keys[i];

        if (key->type == JSON_KEY_NUMBER || key->type == JSON_KEY_CHOICE)
            *(uint32_t *)place_of(into, key->offset) = key->preset;
        else if (key->type == JSON_KEY_OBJECT && key->size == 0)
            preset_table(key->table, place_of(into, key->offset));
    }
}

void json_table_read(struct json_reader *reader, const struct json_table *table,
                     struct json_t *value, void *into)
{
    preset_table(table, into);
    if (!json_is_object(value)) {
        json_reader_fault(reader, "This must be an object: %s.", table->what);
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct json_key *key = &table->keys[i];
        json_t *member = json_object_get(value, key->name);
        size_t place;

        if (member == NULL) {
            if (key->required)
                json_reader_fault(reader, "\"%s\" is missing here; %s needs it.", key->name,
                                  table->what);
            continue;
        }
        if (key->set_offset != 0)
            *(bool *)place_of(into, key->set_offset) = true;
        place = json_reader_enter(reader, key->name);
        json_table_read_key(reader, key, member, into);
        json_reader_leave(reader, place);
    }
    refuse_unknown_keys(reader, table, value);
}

static void clear_elements(const struct json_key *key, char *elements, size_t count)
{
    for (size_t i = 0; elements != NULL && i < count; i++) {
        char *element = elements + i * key->size;

        if (key->type == JSON_KEY_MAP)
            free(*(char **)place_of(element, key->name_offset));
        if (key->clear != NULL)
            key->clear(element + key->value_offset);
        if (key->table != NULL)
            json_table_clear(key->table, element + key->value_offset);
    }
    free(elements);
}

static void clear_key(const struct json_key *key, void *from)
{
    void *at = place_of(from, key->offset);

    switch (key->type) {
    case JSON_KEY_TEXT:
        free(*(char **)at);
        break;
    case JSON_KEY_TEXTS:
        text_list_clear(at);
        break;
    case JSON_KEY_OBJECT:
        if (key->size == 0) {
            json_table_clear(key->table, at);
        } else if (*(void **)at != NULL) {
            json_table_clear(key->table, *(void **)at);
            free(*(void **)at);
        }
        break;
    case JSON_KEY_LIST:
    case JSON_KEY_MAP:
        clear_elements(key, *(char **)at, *(size_t *)place_of(from, key->count_offset));
        break;
    case JSON_KEY_CUSTOM:
        if (key->clear != NULL)
            key->clear(at);
        if (key->table != NULL)
            json_table_clear(key->table, at);
        break;
    default:
        break;
    }
}

void json_table_clear(const struct json_table *table, void *from)
{
    for (size_t i = 0; i < table->count; i++)
        clear_key(&table->keys[i], from);
}
