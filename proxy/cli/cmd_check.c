/*
 * `sidelock check`: reads the configuration as `serve` does and prints each fault with its JSON
 * pointer and line. Called by its row in verbs.c.
 */
#include "base/buffer.h"
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/config_tls.h"
#include "cli/terminal/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#define REPORT_BYTES_MAX   ((size_t)256 * 1024)
#define SENTENCE_BYTES_MAX 512

/* What is no fault, but worth a second look: printed as it is found, or gathered as JSON. */
struct warnings {
    struct buffer json; /* the elements of an array */
    bool as_json;
};

static void warn(struct warnings *warnings, const char *path, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void warn(struct warnings *warnings, const char *path, const char *format, ...)
{
    char text[SENTENCE_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (!warnings->as_json) {
        fprintf(stderr, "sidelock: %s: warning: %s\n", path, text);
        return;
    }
    buffer_append_text(&warnings->json, warnings->json.length > 0 ? "," : "");
    buffer_append_json_string(&warnings->json, text, strlen(text));
}

/* Whether the surface looks into messages and yet permits every verb. */
static bool permits_every_verb(const struct surface *surface)
{
    for (size_t i = 0; i < surface->route_count && !surface->allow_verbs_set; i++) {
        if (surface->routes[i].vocabulary->envelope != ENVELOPE_OPAQUE)
            return true;
    }
    return false;
}

static void warn_of_surface(struct warnings *warnings, const char *path,
                            const struct surface *surface)
{
    const char *name = surface->name;

    if (surface->why == NULL)
        warn(warnings, path, "The surface \"%s\" does not say \"why\" it exists.", name);
    if (surface->can_do == NULL)
        warn(warnings, path, "The surface \"%s\" does not say what its service \"can_do\".", name);
    if (permits_every_verb(surface))
        warn(warnings, path,
             "The surface \"%s\" permits every verb of its dialect; name the ones it needs in "
             "\"allow\".",
             name);
    if (surface->mode == MODE_OBSERVE)
        warn(warnings, path, "The surface \"%s\" only observes: no message is refused.", name);
    if (surface->allow_non_loopback)
        warn(warnings, path, "The surface \"%s\" may listen where other machines reach it.", name);
}

static void warn_of_all(struct warnings *warnings, const struct config_bundle *bundle)
{
    const struct config *config = bundle->config;
    struct stat status;

    if (stat(bundle->path, &status) == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
        S_ISREG(status.st_mode))
        warn(warnings, bundle->path, "The file can be changed by other users; chmod go-w it.");
    for (size_t i = 0; i < config->executable_count; i++) {
        if (!config->executables[i].args_set)
            warn(warnings, bundle->path,
                 "The executable \"%s\" may run with any arguments; give patterns in \"args\".",
                 config->executables[i].path);
    }
    for (size_t i = 0; i < config->surface_count; i++)
        warn_of_surface(warnings, bundle->path, &config->surfaces[i]);
}

static void append_fault(struct buffer *report, const struct json_fault *fault)
{
    buffer_append_text(report, "{\"pointer\":");
    buffer_append_json_string(report, fault->pointer, strlen(fault->pointer));
    buffer_append_format(report, ",\"line\":%u,\"text\":", fault->line);
    buffer_append_json_string(report, fault->text, strlen(fault->text));
    buffer_append_text(report, "}");
}

static int print_json(const struct config_bundle *bundle, const struct json_faults *faults,
                      const struct warnings *warnings)
{
    struct buffer report;
    int code = EX_OK;

    buffer_init(&report, REPORT_BYTES_MAX);
    buffer_append_format(&report, "{\"valid\":%s,\"file\":", faults->count == 0 ? "true" : "false");
    if (bundle->path != NULL)
        buffer_append_json_string(&report, bundle->path, strlen(bundle->path));
    else
        buffer_append_text(&report, "null");
    buffer_append_text(&report, ",\"faults\":[");
    for (size_t i = 0; i < faults->count; i++) {
        buffer_append_text(&report, i > 0 ? "," : "");
        append_fault(&report, &faults->items[i]);
    }
    buffer_append_text(&report, "],\"warnings\":[");
    buffer_append(&report, warnings->json.data, warnings->json.length);
    buffer_append_text(&report, "]}");
    if (buffer_failed(&report) || buffer_failed(&warnings->json) || puts(report.data) < 0)
        code = args_fail(EX_OSERR, "the report could not be printed");
    buffer_clear(&report);
    return code;
}

static void print_text(const struct config_bundle *bundle, const struct json_faults *faults)
{
    config_file_print_faults(bundle, faults);
    if (faults->count == 0)
        printf("%s: ok, %zu surface%s\n", bundle->path, bundle->config->surface_count,
               bundle->config->surface_count == 1 ? "" : "s");
}

int cmd_check(int argc, char **argv)
{
    struct json_faults faults;
    struct config_bundle bundle;
    struct warnings warnings = {.as_json = false};
    const char *path = NULL;
    const struct args_option options[] = {{.name = "-c", .value = &path},
                                          {.name = "--json", .flag = &warnings.as_json}};
    struct args args;
    int code = args_parse(argc, argv, options, 2, 0, 0, &args), printed = EX_OK;

    if (code != EX_OK)
        return code;
    buffer_init(&warnings.json, REPORT_BYTES_MAX);
    code = config_file_read(path, &bundle, &faults);
    if (code == EX_OK)
        code = config_tls_check(&bundle, &faults);
    if (code == EX_OK)
        warn_of_all(&warnings, &bundle);
    if (warnings.as_json)
        printed = print_json(&bundle, &faults, &warnings);
    else
        print_text(&bundle, &faults);
    buffer_clear(&warnings.json);
    config_bundle_clear(&bundle);
    return code != EX_OK ? code : printed;
}
