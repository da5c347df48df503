#include "cli/doctor/findings.h"

#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define SENTENCE_BYTES_MAX 1024
#define EXIT_UNWELL        1

static const char *const states[] = {
    [FINDING_OK] = "ok", [FINDING_WARN] = "warn", [FINDING_FAIL] = "fail"};

void findings_init(struct findings *findings)
{
    *findings = (struct findings){.list = json_array(), .whole = true};
}

void findings_clear(struct findings *findings)
{
    json_decref(findings->list);
    findings->list = NULL;
}

void findings_add(struct findings *findings, const struct finding *finding, const char *format, ...)
{
    bool remedied = finding->remedy != NULL && finding->remedy[0] != '\0';
    char text[SENTENCE_BYTES_MAX];
    va_list arguments;
    json_t *row;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    row = json_pack("{s:s, s:o, s:s, s:o, s:o}", "area", finding->area, "name",
                    output_string(finding->name), "state", states[finding->state], "text",
                    output_string(text), "remedy",
                    remedied ? output_string(finding->remedy) : json_null());
    if (json_array_append_new(findings->list, row) != 0)
        findings->whole = false;
    findings->failed = findings->failed || finding->state == FINDING_FAIL;
}

static int code_of(const struct findings *findings)
{
    if (!findings->whole)
        return args_fail(EX_OSERR, "out of memory");
    return findings->failed ? EXIT_UNWELL : EX_OK;
}

static const char *text_of(const json_t *row, const char *member)
{
    const char *text = json_string_value(json_object_get(row, member));

    return text != NULL ? text : "";
}

/* Of the longest name. */
static int width_of(const struct findings *findings)
{
    size_t width = 0, i;
    json_t *row;

    json_array_foreach(findings->list, i, row)
    {
        if (strlen(text_of(row, "name")) > width)
            width = strlen(text_of(row, "name"));
    }
    return (int)width;
}

static void print_row(const json_t *row, int width)
{
    const char *name = text_of(row, "name"), *remedy = text_of(row, "remedy");

    printf("  %-4s  ", text_of(row, "state"));
    shown_text(stdout, name);
    printf("%*s  ", width - (int)strlen(name), "");
    shown_text(stdout, text_of(row, "text"));
    putchar('\n');
    if (remedy[0] == '\0')
        return;
    printf("%*s", width + 10, "");
    fputs("-> ", stdout);
    shown_text(stdout, remedy);
    putchar('\n');
}

int findings_print(const struct findings *findings)
{
    const char *area = "";
    int width = width_of(findings);
    json_t *row;
    size_t i;

    json_array_foreach(findings->list, i, row)
    {
        if (strcmp(area, text_of(row, "area")) != 0) {
            printf("%s%s\n", i > 0 ? "\n" : "", text_of(row, "area"));
            area = text_of(row, "area");
        }
        print_row(row, width);
    }
    return code_of(findings);
}

int findings_print_json(const struct findings *findings, const char *configuration)
{
    int code = code_of(findings), printed;

    printed = output_json(json_pack(
        "{s:b, s:s, s:o, s:O}", "ok", !findings->failed, "version", SIDELOCK_VERSION,
        "configuration", configuration != NULL ? output_string(configuration) : json_null(),
        "findings", findings->list));
    return printed != EX_OK ? printed : code;
}
