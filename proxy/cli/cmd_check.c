/*
 * `sidelock check`: reads the configuration and looks at what it names on this host as `serve` and
 * `reload` do, and prints each fault with its JSON pointer and line. Called by its row in verbs.c.
 */
#include "cli/cautions.h"
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/examine.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown.h"
#include "setup/service.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

struct warnings {
    json_t *list; /* NULL: they are printed */
    const char *path;
};

static void warn(void *context, const char *sentence)
{
    const struct warnings *warnings = context;

    if (warnings->list != NULL) {
        json_array_append_new(warnings->list, output_string(sentence));
        return;
    }
    fprintf(stderr, "sidelock: %s: warning: ", warnings->path);
    shown_text(stderr, sentence);
    fputc('\n', stderr);
}

/* What a service that is launched may execute, as it is found on this host; null: whatever there
 * is. */
static json_t *find_executables(const struct config_bundle *bundle, const struct surface *surface)
{
    struct service_fault fault;
    struct service service;
    json_t *list;

    if (surface->command.execute_anything ||
        service_find(bundle, surface, environ, &service, &fault) != OK)
        return json_null();
    list = json_array();
    for (char **file = service.command.executables; *file != NULL; file++)
        json_array_append_new(list, output_string(*file));
    service_clear(&service);
    return list;
}

/* By surface, of those that start their services; NULL where the host was not to be looked at. */
static json_t *find_all_executables(const struct config_bundle *bundle,
                                    const struct json_faults *faults)
{
    json_t *all = json_object();

    for (size_t i = 0; faults->count == 0 && i < bundle->config->surface_count; i++) {
        const struct surface *surface = &bundle->config->surfaces[i];

        if (surface_is_launched(surface) && !surface_runs_records(surface))
            json_object_set_new(all, surface->name, find_executables(bundle, surface));
    }
    return all;
}

static int print_json(const struct config_bundle *bundle, const struct json_faults *faults,
                      json_t *warnings, bool elsewhere)
{
    json_t *list = json_array();

    for (size_t i = 0; i < faults->count; i++)
        json_array_append_new(list, json_pack("{s:o, s:I, s:o}", "pointer",
                                              output_string(faults->items[i].pointer), "line",
                                              (json_int_t)faults->items[i].line, "text",
                                              output_string(faults->items[i].text)));
    return output_json(json_pack("{s:b, s:o, s:o, s:O, s:o}", "valid", faults->count == 0, "file",
                                 bundle->path != NULL ? output_string(bundle->path) : json_null(),
                                 "faults", list, "warnings", warnings, "executables",
                                 elsewhere ? json_null() : find_all_executables(bundle, faults)));
}

static void print_executables(const char *name, const json_t *list)
{
    const json_t *file;
    size_t i;

    printf("surface \"%s\": its service may execute", name);
    if (json_is_null(list))
        printf(" anything");
    json_array_foreach(list, i, file) printf("%s %s", i > 0 ? "," : "", json_string_value(file));
    printf("\n");
}

static void print_text(const struct config_bundle *bundle, const struct json_faults *faults,
                       bool elsewhere)
{
    json_t *all = elsewhere ? json_object() : find_all_executables(bundle, faults), *list;
    const char *name;

    config_file_print_faults(bundle, faults);
    if (faults->count == 0)
        printf("%s: ok, %zu surface%s\n", bundle->path, bundle->config->surface_count,
               bundle->config->surface_count == 1 ? "" : "s");
    json_object_foreach(all, name, list) print_executables(name, list);
    json_decref(all);
}

/* Whether a gate could be run here. */
static int look_at_host(const struct config_bundle *bundle, struct warnings *warnings,
                        struct json_faults *faults)
{
    cautions_of_network(bundle, &(struct cautions){warn, warnings});
    return examine_places(bundle, faults) == OK && examine_launching(bundle, faults) == OK
               ? EX_OK
               : EX_CONFIG;
}

int cmd_check(int argc, char **argv)
{
    struct json_faults faults;
    struct config_bundle bundle;
    struct warnings warnings;
    bool json = false, elsewhere = false;
    const char *path = NULL;
    const struct args_option options[] = {
        {.name = "-c", .takes = "FILE", .about = "the configuration", .value = &path},
        {.name = "--elsewhere",
         .about = "the file is for another machine: look only at what is written in it",
         .flag = &elsewhere},
        {.name = "--json", .about = "JSON in the place of text", .flag = &json}};
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 0, &args), printed = EX_OK;

    if (code != EX_OK)
        return code;
    code = config_file_read(path, TRUST_OWN, &bundle, &faults);
    warnings = (struct warnings){.list = json ? json_array() : NULL, .path = bundle.path};
    if (code == EX_OK && !elsewhere)
        code = look_at_host(&bundle, &warnings, &faults);
    if (code == EX_OK)
        cautions_of_text(&bundle, &(struct cautions){warn, &warnings});
    if (code == EX_OK && !elsewhere) {
        cautions_of_kernel(&(struct cautions){warn, &warnings});
        cautions_of_host(&bundle, &(struct cautions){warn, &warnings});
    }
    if (json)
        printed = print_json(&bundle, &faults, warnings.list, elsewhere);
    else
        print_text(&bundle, &faults, elsewhere);
    json_decref(warnings.list);
    bundle_clear(&bundle);
    return code != EX_OK ? code : printed;
}
