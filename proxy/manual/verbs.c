#include "manual/verbs.h"

#include "manual/mdoc.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What else is to be read, beside what every page names. */
static const struct {
    const char *verb, *page;
    int section;
} related[] = {
    {"audit", "sidelock-audit", 5},     {"vet", "sidelock-dialect", 5},
    {"explain", "sidelock-dialect", 5}, {"help", "sidelock-reasons", 7},
    {"status", "sidelock-control", 7},  {"status", "sidelock-metrics", 7},
    {"health", "sidelock-metrics", 7},
};

static void describe(const struct verb *verb,
                     void (*told)(void *context, const struct args_shape *shape), void *context)
{
    args_describe(verb->run != NULL ? verb->run : cmd_help, verb->name, told, context);
}

void verbs_each(FILE *out, void (*told)(void *context, const struct args_shape *shape))
{
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        struct verbs_task task = {out, verb};

        if (verb->page != NULL)
            describe(verb, told, &task);
    }
}

void verbs_list(FILE *out)
{
    fputs(".Bl -tag -width Ds\n", out);
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (verb->page == NULL)
            continue;
        fprintf(out, ".It Xr sidelock-%s 1\n", verb->name);
        mdoc_phrase(out, verb->summary);
    }
    fputs(".El\n", out);
}

/* The lines before the first empty one: each call, which may go on in lines that are indented. */
static const char *write_synopsis(FILE *out, const char *page)
{
    while (*page != '\0' && *page != '\n') {
        size_t length = strcspn(page, "\n");
        char *line = strndup(page, length);
        const char *text = line != NULL ? line + strspn(line, " ") : "";
        size_t called = strcspn(text, " ");

        if (text == line && called < strlen(text)) {
            called += 1 + strcspn(text + called + 1, " ");
            fprintf(out, ".Nm %.*s\n", (int)called, text);
            text += called + strspn(text + called, " ");
        } else if (text == line) {
            fprintf(out, ".Nm %s\n", text);
            text = "";
        }
        if (*text != '\0') {
            mdoc_usage(out, text);
            fputc('\n', out);
        }
        free(line);
        page += length + (page[length] == '\n');
    }
    return page;
}

/* The lines from `text` on that are indented, or that are not. */
static size_t lines_that_are(const char *text, bool indented)
{
    size_t length = 0;

    while (text[length] != '\0' && text[length] != '\n' && (text[length] == ' ') == indented) {
        length += strcspn(text + length, "\n");
        length += text[length] == '\n';
    }
    return length;
}

/* Paragraphs, and lists that are indented and stay as they are. */
static void write_description(FILE *out, const char *text)
{
    bool first = true;

    while (*text != '\0') {
        size_t length = strspn(text, "\n");
        char *part;

        if (length > 0) {
            if (!first)
                fputs(".Pp\n", out);
            text += length;
            continue;
        }
        if (*text == ' ') {
            length = lines_that_are(text, true);
            fputs(".Bd -literal -offset indent\n", out);
            mdoc_literal(out, text, length);
            fputs(".Ed\n", out);
        } else {
            length = lines_that_are(text, false);
            part = strndup(text, length);
            mdoc_text(out, part != NULL ? part : "");
            free(part);
        }
        first = false;
        text += length;
    }
}

/* Which of its actions take an option, where not all do. */
static void write_takers(FILE *out, const struct args_shape *shape, unsigned group)
{
    const char *between = "Of ";

    if (group == 0)
        return;
    for (size_t i = 0; i < shape->action_count; i++) {
        if ((shape->actions[i].takes & group) == 0)
            continue;
        fprintf(out, "%s\\fB%s\\fR", between, shape->actions[i].name);
        between = ", ";
    }
    fputs(".\n", out);
}

static void write_options(void *context, const struct args_shape *shape)
{
    FILE *out = context;

    if (shape->option_count == 0)
        return;
    fputs(".Sh OPTIONS\n.Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < shape->option_count; i++) {
        const struct args_option *option = &shape->options[i];

        fprintf(out, ".It Fl %s", option->name[1] == '-' ? "\\-" : "");
        fputs(option->name + 1 + (option->name[1] == '-'), out);
        if (option->takes != NULL) {
            fputs(" Ar ", out);
            mdoc_argument(out, option->takes);
        }
        fputc('\n', out);
        mdoc_phrase(out, option->about);
        write_takers(out, shape, option->group);
    }
    fputs(".El\n", out);
}

/* By sections and names: so they are looked for. */
static void write_related(FILE *out, const struct verb *verb, int section)
{
    for (size_t i = 0; i < sizeof(related) / sizeof(related[0]); i++) {
        if (related[i].section == section && strcmp(related[i].verb, verb->name) == 0)
            fprintf(out, " ,\n.Xr %s %d", related[i].page, section);
    }
}

void verbs_page(FILE *out, const struct verb *verb)
{
    const char *rest;

    fprintf(out, ".Dd %s\n.Dt SIDELOCK-", SIDELOCK_DATE);
    for (const char *at = verb->name; *at != '\0'; at++)
        fputc(toupper((unsigned char)*at), out);
    fputs(" 1\n.Os\n", out);
    fprintf(out, ".Sh NAME\n.Nm sidelock-%s\n.Nd %s\n.Sh SYNOPSIS\n", verb->name, verb->summary);
    rest = write_synopsis(out, verb->page);
    fputs(".Sh DESCRIPTION\n", out);
    write_description(out, rest);
    describe(verb, write_options, out);
    fputs(".Sh EXIT STATUS\nThose of\n.Xr sidelock 1 ,\nunless this page says otherwise.\n", out);
    fputs(".Sh SEE ALSO\n.Xr sidelock 1", out);
    write_related(out, verb, 5);
    fputs(" ,\n.Xr sidelock.json 5", out);
    write_related(out, verb, 7);
    fputc('\n', out);
}
