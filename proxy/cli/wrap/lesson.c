#include "cli/wrap/lesson.h"

#include "base/buffer.h"
#include "cli/terminal/shown.h"
#include "cli/wrap/policy.h"
#include "launch/common/command.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_LINE_BYTES_MAX (1 << 20)

/* What the service is to be given. */
struct needs {
    struct text_list executables, libraries, guarded, connects;
    struct text_list left_out; /* names that nobody could copy, or that may not be named */
    struct policy policy;
    const char *hidden; /* what it stands on in /tmp or the like: so no limit is set; NULL */
    uint16_t port;      /* of several; 0: it has one */
};

static void clear(struct needs *needs)
{
    text_list_clear(&needs->executables);
    text_list_clear(&needs->libraries);
    text_list_clear(&needs->guarded);
    text_list_clear(&needs->connects);
    text_list_clear(&needs->left_out);
    policy_clear(&needs->policy);
}

/* ---- What it needs ---- */

static bool can_be_copied(const char *path)
{
    struct buffer word;
    bool can;

    buffer_init(&word, 8 * PATH_MAX);
    can = buffer_append_word(&word, path) && !buffer_failed(&word);
    buffer_clear(&word);
    return can;
}

static enum error add(struct text_list *list, const char *path, struct text_list *left_out)
{
    struct text_list *to = left_out == NULL || can_be_copied(path) ? list : left_out;

    return text_list_contains(to, span_of(path)) ? OK : text_list_add(to, path, strlen(path));
}

static enum error add_all(struct text_list *list, const struct text_list *from,
                          struct text_list *left_out)
{
    enum error error = OK;

    for (size_t i = 0; error == OK && i < from->count; i++)
        error = add(list, from->items[i], left_out);
    return error;
}

static enum error add_real(struct text_list *list, const char *path)
{
    char *real = realpath(path, NULL);
    enum error error = real != NULL ? add(list, real, NULL) : OK;

    free(real);
    return error;
}

/* Where PATH leads, and the program itself, by whatever name. */
static enum error guard_program(const char *program, struct text_list *guarded)
{
    const char *path = getenv("PATH");
    struct span rest = span_of(path != NULL ? path : "");
    enum error error = strchr(program, '/') != NULL ? add(guarded, program, NULL) : OK;

    if (error == OK && strchr(program, '/') != NULL)
        error = add_real(guarded, program);
    while (error == OK && rest.data != NULL) {
        char *directory = text_copy(span_split(&rest, ':')), file[PATH_MAX];

        if (directory == NULL)
            return ERROR_MEMORY;
        if (directory[0] == '/') {
            error = add(guarded, directory, NULL);
            if (error == OK && strchr(program, '/') == NULL &&
                snprintf(file, sizeof(file), "%s/%s", directory, program) < PATH_MAX)
                error = add_real(guarded, file);
        }
        free(directory);
    }
    return error;
}

/* Code of the system's own libraries may be loaded in any case. */
static bool is_systems(const char *directory)
{
    for (size_t i = 0; i < COMMAND_LIBRARIES; i++) {
        char *real = realpath(command_libraries[i], NULL);
        bool is = real != NULL && policy_is_below(directory, real);

        free(real);
        if (is)
            return true;
    }
    return false;
}

static enum error find_programs(const struct lesson *lesson, struct text_list *loads,
                                struct needs *needs)
{
    const struct text_list *rows = lesson->learnt->rows;
    enum error error = add_all(&needs->executables, &lesson->line->executables, NULL);

    if (error == OK)
        error = add_all(&needs->executables, &rows[RECORD_EXECUTE], &needs->left_out);
    for (size_t i = 0; error == OK && i < rows[RECORD_LOAD].count; i++) {
        if (!is_systems(rows[RECORD_LOAD].items[i]))
            error = add(loads, rows[RECORD_LOAD].items[i], &needs->left_out);
    }
    if (error == OK)
        error = guard_program(lesson->recipe->command[0], &needs->guarded);
    if (error == OK)
        error = add_all(&needs->guarded, &needs->executables, NULL);
    if (error == OK)
        error = add_all(&needs->guarded, &lesson->line->libraries, NULL);
    for (size_t i = 0; error == OK && i < COMMAND_LIBRARIES; i++)
        error = add_real(&needs->guarded, command_libraries[i]);
    return error == OK ? add_all(&needs->guarded, loads, NULL) : error;
}

static const char *home_of(void)
{
    const char *home = getenv("HOME");

    return home != NULL && home[0] == '/' ? home : "";
}

static enum error find_writes(const struct lesson *lesson, struct needs *needs)
{
    const struct text_list *rows = lesson->learnt->rows;
    struct text_list changed = {NULL, 0}, entries = {NULL, 0};
    const struct policy_facts facts = {&changed,           &entries,        &rows[RECORD_DIRECTORY],
                                       &rows[RECORD_SPAN], &needs->guarded, home_of()};
    enum error error = add_all(&changed, &rows[RECORD_CHANGE], &needs->left_out);

    if (error == OK)
        error = add_all(&entries, &rows[RECORD_ENTRY], &needs->left_out);
    if (error == OK)
        error = add_all(&changed, &lesson->line->writable, NULL);
    if (error == OK)
        error = policy_make(&facts, &needs->policy);
    if (error == OK)
        error = add_all(&needs->left_out, &needs->policy.left_out, NULL);
    text_list_clear(&changed);
    text_list_clear(&entries);
    return error;
}

/* Directories of code that lie beside each other are put together as those that are written, but
 * over none of these. */
static enum error find_libraries(const struct lesson *lesson, const struct text_list *loads,
                                 struct needs *needs)
{
    const struct text_list none = {NULL, 0};
    const struct policy_facts facts = {&none,    loads, &none, &none, &needs->policy.writable,
                                       home_of()};
    struct policy joined;
    enum error error = add_all(&needs->libraries, &lesson->line->libraries, NULL);

    if (error == OK)
        error = policy_make(&facts, &joined);
    if (error != OK)
        return error;
    error = add_all(&needs->libraries, &joined.writable, NULL);
    if (error == OK)
        error = add_all(&needs->libraries, &joined.left_out, NULL);
    policy_clear(&joined);
    return error;
}

/* It came before that listener of its own was there. */
static bool is_own(const char *address, const struct text_list *listens)
{
    static const char *const hosts[] = {"127.0.0.1:", "[::1]:"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t length = strlen(hosts[i]);

        if (strncmp(address, hosts[i], length) == 0 &&
            text_list_contains(listens, span_of(address + length)))
            return true;
    }
    return false;
}

static enum error find_connects(const struct lesson *lesson, struct text_list *out)
{
    const struct text_list *rows = lesson->learnt->rows;
    enum error error = OK;

    for (size_t i = 0; error == OK && i < rows[RECORD_CONNECT].count; i++) {
        const char *address = rows[RECORD_CONNECT].items[i];

        if (!is_own(address, &rows[RECORD_LISTEN]))
            error = add(out, address, NULL);
    }
    return error;
}

/* As many as can be named. */
static enum error cut(struct text_list *list, size_t max, struct text_list *left_out)
{
    enum error error = OK;

    while (error == OK && list->count > max) {
        error = add(left_out, list->items[list->count - 1], NULL);
        if (error == OK)
            free(list->items[--list->count]);
    }
    return error;
}

/* The first of what it stands on that would not be there, in a directory that is its own. */
static const char *find_hidden(const struct lesson *lesson, const struct needs *needs)
{
    const char *needed[] = {lesson->recipe->directory, NULL};
    char *const *words = lesson->recipe->command;
    struct text_list all = {NULL, 0};
    const char *found = NULL;
    enum error error = add(&all, needed[0], NULL);

    for (; error == OK && *words != NULL; words++)
        error = access(*words, F_OK) == 0 ? add(&all, *words, NULL) : OK;
    if (error == OK)
        error = add_all(&all, &needs->executables, NULL);
    if (error == OK)
        error = add_all(&all, &needs->libraries, NULL);
    for (size_t i = 0; error == OK && found == NULL && i < all.count; i++) {
        for (const char *const *own = command_private; *own != NULL; own++) {
            bool named = false;

            for (size_t j = 0; j < needs->policy.writable.count; j++)
                named = named || policy_is_below(needs->policy.writable.items[j], *own);
            if (!named && policy_is_below(all.items[i], *own))
                found = *own;
        }
    }
    text_list_clear(&all);
    return found;
}

/* Of several ports that of the first, where it asked for that one; it was served. */
static uint16_t find_port(const struct lesson *lesson)
{
    const struct text_list *listens = &lesson->learnt->rows[RECORD_LISTEN];
    const char *first = NULL;
    size_t count = 0;

    for (size_t i = 0; i < listens->count; i++) {
        if (strstr(listens->items[i], "/tcp") == NULL)
            continue;
        first = first != NULL ? first : listens->items[i];
        count++;
    }
    if (lesson->line->port != 0 || count < 2 ||
        !text_list_contains(&lesson->learnt->rows[RECORD_BIND], span_of(first)))
        return lesson->line->port;
    return (uint16_t)strtoul(first, NULL, 10);
}

static enum error find(const struct lesson *lesson, struct needs *needs)
{
    struct text_list loads = {NULL, 0};
    enum error error = find_programs(lesson, &loads, needs);

    if (error == OK)
        error = find_writes(lesson, needs);
    if (error == OK)
        error = find_libraries(lesson, &loads, needs);
    if (error == OK)
        error = find_connects(lesson, &needs->connects);
    if (error == OK)
        error = cut(&needs->executables, LESSON_PROGRAMS_MAX, &needs->left_out);
    if (error == OK)
        error = cut(&needs->libraries, POLICY_MAX, &needs->left_out);
    if (error == OK) {
        needs->hidden = find_hidden(lesson, needs);
        needs->port = find_port(lesson);
    }
    text_list_clear(&loads);
    return error;
}

/* ---- The report ---- */

static void tell_rows(FILE *out, const char *what, const struct text_list *rows)
{
    for (size_t i = 0; i < rows->count && i < LESSON_SHOWN; i++) {
        fprintf(out, "sidelock:   %s ", what);
        shown_text(out, rows->items[i]);
        fputc('\n', out);
    }
    if (rows->count > LESSON_SHOWN)
        fprintf(out, "sidelock:   %s %zu more\n", what, rows->count - LESSON_SHOWN);
}

static void tell_report(const struct lesson *lesson, const struct needs *needs, FILE *out)
{
    const struct text_list *rows = lesson->learnt->rows;

    fprintf(out, "sidelock: what %s did in this run:\n", lesson->recipe->surface);
    tell_rows(out, "executed", &rows[RECORD_EXECUTE]);
    tell_rows(out, "loaded code from", &needs->libraries);
    tell_rows(out, "wrote", &needs->policy.writable);
    if (needs->policy.temporary)
        fputs("sidelock:   wrote temporary files\n", out);
    tell_rows(out, "listened on", &rows[RECORD_LISTEN]);
    tell_rows(out, "connected to", &needs->connects);
    tell_rows(out, "is not given, though it had it,", &needs->left_out);
    if (needs->hidden != NULL)
        fprintf(out,
                "sidelock: what it writes is not limited: it stands in %s, in whose place it would "
                "have an empty directory\n",
                needs->hidden);
    if (learnt_is_partial(lesson->learnt))
        fprintf(out,
                "sidelock: it did more than could be kept, so something may be missing here (%llu "
                "records were lost on their way)\n",
                (unsigned long long)lesson->learnt->lost);
    fputs("sidelock: nothing else is known of it: what it did not do in this run, the following "
          "refuses\n",
          out);
}

/* ---- The command line ---- */

static void put_option(struct buffer *out, const char *option, const char *value)
{
    size_t before = out->length;

    buffer_append_format(out, " %s ", option);
    if (!buffer_append_word(out, value))
        buffer_truncate(out, before);
}

static void put_options(struct buffer *out, const char *option, const struct text_list *values)
{
    for (size_t i = 0; i < values->count; i++)
        put_option(out, option, values->items[i]);
}

/* False: a word of the command cannot be copied. */
static bool put_command(const struct lesson *lesson, const struct needs *needs, struct buffer *out)
{
    const struct line *line = lesson->line;
    bool whole = true;

    buffer_append_text(out, "sidelock wrap");
    if (line->dialect != NULL)
        put_option(out, "--dialect", line->dialect);
    if (line->surface != NULL)
        put_option(out, "--surface", line->surface);
    if (needs->port != 0)
        buffer_append_format(out, " --port %u", needs->port);
    put_options(out, "--env", &line->variables);
    put_options(out, "--allow-exec", &needs->executables);
    put_options(out, "--allow-library", &needs->libraries);
    if (needs->hidden == NULL && needs->policy.writable.count == 0)
        buffer_append_text(out, " --read-only");
    if (needs->hidden == NULL)
        put_options(out, "--write", &needs->policy.writable);
    buffer_append_text(out, " --");
    for (char *const *word = lesson->recipe->command; *word != NULL; word++) {
        buffer_append_text(out, " ");
        whole = buffer_append_word(out, *word) && whole;
    }
    return whole && !buffer_failed(out);
}

static void tell_command(const struct lesson *lesson, const struct needs *needs, FILE *out)
{
    struct buffer text;

    buffer_init(&text, COMMAND_LINE_BYTES_MAX);
    if (put_command(lesson, needs, &text))
        fprintf(out, "%s\n", text.data);
    else
        fputs("sidelock: the command has words that cannot be shown, so it is not repeated here\n",
              out);
    buffer_clear(&text);
}

/* ---- The configuration ---- */

static char *upstream_of(const struct lesson *lesson, const struct needs *needs)
{
    struct recipe recipe = *lesson->recipe;

    recipe.anything = false;
    recipe.executables = &needs->executables;
    recipe.libraries = &needs->libraries;
    recipe.writable = &needs->policy.writable;
    recipe.write_limited = needs->hidden == NULL;
    recipe.environment_file = NULL;
    recipe.variables = &lesson->line->variables;
    recipe.port = needs->port;
    return recipe_upstream(&recipe);
}

enum error lesson_tell(const struct lesson *lesson, FILE *report, FILE *policy)
{
    struct needs needs = {.hidden = NULL};
    enum error error = find(lesson, &needs);
    char *upstream = error == OK ? upstream_of(lesson, &needs) : NULL;

    if (error == OK && upstream == NULL)
        error = ERROR_MEMORY;
    if (error == OK) {
        tell_report(lesson, &needs, report);
        tell_command(lesson, &needs, report);
        fprintf(report, "sidelock: the same, as a surface's \"upstream\":\n%s\n", upstream);
        if (policy != NULL && (fprintf(policy, "%s\n", upstream) < 0 || fflush(policy) != 0))
            error = ERROR_IO;
    }
    free(upstream);
    clear(&needs);
    return error;
}
