/*
 * sidelock_manual SOURCES SCHEMA FOLDER
 *
 * Writes into FOLDER man1, man5 and man7, with a page of each verb and one of each file of
 * SOURCES/pages, and `completions` with one of each file of SOURCES/shells. A line `@name@` of
 * these files stands for a list. A program of the build.
 */
#include "manual/keys.h"
#include "manual/mdoc.h"
#include "manual/shells.h"
#include "manual/tables.h"
#include "manual/verbs.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#define LINE_SIZE 1024
#define PATH_SIZE 4096

/* What a line of a page stands for. */
static const struct {
    const char *line;
    void (*write)(FILE *out);
} lists[] = {
    {"@verbs@\n", verbs_list},           {"@reasons@\n", tables_reasons},
    {"@quotas@\n", tables_quotas},       {"@metrics@\n", tables_metrics},
    {"@endpoints@\n", tables_endpoints}, {"@bash_values@\n", bash_values_list},
    {"@bash_calls@\n", bash_calls_list}, {"@bash_actions@\n", bash_actions_list},
    {"@bash_verbs@\n", bash_verbs_list}, {"@zsh_verbs@\n", zsh_verbs_list},
    {"@zsh_calls@\n", zsh_calls_list},   {"@fish_verbs@\n", fish_verbs_list},
    {"@fish_calls@\n", fish_calls_list},
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "sidelock_manual: %s: %s\n", what, why);
    return EX_SOFTWARE;
}

/* FOLDER/BELOW/NAME, to be written; the folders are made. NULL after saying why not. */
static FILE *create(const char *folder, const char *below, const char *name)
{
    char path[PATH_SIZE];
    FILE *out;

    snprintf(path, sizeof(path), "%s/%s", folder, below);
    if (mkdir(folder, 0777) < 0 && errno != EEXIST)
        fail(folder, strerror(errno));
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        fail(path, strerror(errno));
    snprintf(path, sizeof(path), "%s/%s/%s", folder, below, name);
    out = fopen(path, "w");
    if (out == NULL)
        fail(path, strerror(errno));
    return out;
}

static int finish(FILE *out, const char *name)
{
    bool failed = ferror(out) != 0;

    return fclose(out) != 0 || failed ? fail(name, "cannot be written") : EX_OK;
}

static int write_verbs(const char *folder)
{
    int code = EX_OK;

    for (const struct verb *verb = verbs; code == EX_OK && verb->name != NULL; verb++) {
        char name[64];
        FILE *out;

        if (verb->page == NULL)
            continue;
        snprintf(name, sizeof(name), "sidelock-%s.1", verb->name);
        out = create(folder, "man1", name);
        if (out == NULL)
            return EX_CANTCREAT;
        verbs_page(out, verb);
        code = finish(out, name);
    }
    return code;
}

/* One line of a page: a list, or itself with the version and the date filled in. */
static int write_line(FILE *out, const char *line, json_t *schema)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (strcmp(lists[i].line, line) == 0) {
            lists[i].write(out);
            return EX_OK;
        }
    }
    if (strcmp(line, "@keys@\n") == 0)
        return keys_write(out, schema) ? EX_OK : EX_DATAERR;
    if (strcmp(line, ".Dd\n") == 0)
        fprintf(out, ".Dd %s\n", SIDELOCK_DATE);
    else if (strcmp(line, "@version@\n") == 0)
        fputs(SIDELOCK_VERSION "\n", out);
    else if (line[0] == '@')
        return fail(line, "stands for nothing");
    else
        fputs(line, out);
    return EX_OK;
}

/* A file that is made of another one, whose lines may stand for lists. */
static int write_file(const char *from, json_t *schema, FILE *out)
{
    char line[LINE_SIZE];
    int code = EX_OK;
    FILE *in = fopen(from, "r");

    if (in == NULL)
        return fail(from, strerror(errno));
    while (code == EX_OK && fgets(line, sizeof(line), in) != NULL)
        code = write_line(out, line, schema);
    fclose(in);
    return code;
}

/* All files of SOURCES/BELOW, those of the manual by their sections. */
static int write_files(const char *sources, const char *below, json_t *schema, const char *folder)
{
    char path[PATH_SIZE], section[] = "manN";
    struct dirent **entries;
    int count, code = EX_OK;

    snprintf(path, sizeof(path), "%s/%s", sources, below);
    count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        return fail(path, strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        FILE *out;

        section[3] = name[strlen(name) - 1];
        snprintf(path, sizeof(path), "%s/%s/%s", sources, below, name);
        if (name[0] != '.' && code == EX_OK) {
            out = create(folder, strcmp(below, "pages") == 0 ? section : "completions", name);
            code = out != NULL ? write_file(path, schema, out) : EX_CANTCREAT;
            if (out != NULL && finish(out, name) != EX_OK)
                code = EX_IOERR;
        }
        free(entries[i]);
    }
    free(entries);
    return code;
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *schema;
    int code;

    if (argc != 4) {
        fputs("usage: sidelock_manual SOURCES SCHEMA FOLDER\n", stderr);
        return EX_USAGE;
    }
    schema = json_load_file(argv[2], 0, &error);
    if (schema == NULL)
        return fail(argv[2], error.text);
    code = write_verbs(argv[3]);
    if (code == EX_OK)
        code = write_files(argv[1], "pages", schema, argv[3]);
    if (code == EX_OK)
        code = write_files(argv[1], "shells", schema, argv[3]);
    json_decref(schema);
    return code;
}
