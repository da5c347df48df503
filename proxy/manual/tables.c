#include "manual/tables.h"

#include "base/reason.h"
#include "broker/control/routes.h"
#include "broker/telemetry/metrics.h"
#include "manual/mdoc.h"
#include "policy/quota.h"

#include <string.h>

static void put_number(FILE *out, const char *what, unsigned number)
{
    if (number != 0)
        fprintf(out, " %s%u", what, number);
}

/* Causes stand behind the reason that they are one of. */
void tables_reasons(FILE *out)
{
    fputs(".Bl -tag -width Ds\n", out);
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info(i);

        fprintf(out, ".It Sy %s", info->code);
        if (info->cause != NULL)
            fprintf(out, " Em %s", info->cause);
        put_number(out, "No HTTP\\~", info->http_status);
        put_number(out, "No WebSocket\\~", info->close_code);
        fputc('\n', out);
        mdoc_phrase(out, info->text);
    }
    fputs(".El\n", out);
}

void tables_quotas(FILE *out)
{
    fputs(".Bl -tag -width Ds\n", out);
    for (unsigned i = 0; i < QUOTA_COUNT; i++) {
        const struct quota_info *info = quota_info(i);

        fprintf(out, ".It Sy %s No of one %s", info->name, quota_per_text(info->per));
        if (info->limit == QUOTA_CONFIGURED)
            fputs(" , as configured", out);
        else
            fprintf(out, " , %u at once", (unsigned)info->limit);
        fputc('\n', out);
        mdoc_phrase(out, info->text);
        fprintf(out, "Beyond it %s, with\n.Sy %s .\n",
                info->yields == QUOTA_OWN_OLDEST ? "its own oldest goes" : "the new one is refused",
                reason_info(info->reason)->code);
    }
    fputs(".El\n", out);
}

void tables_metrics(FILE *out)
{
    fputs(".Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < metric_count; i++) {
        fprintf(out, ".It Sy %s No %s", metrics[i].name, metrics[i].type);
        if (metrics[i].labels != NULL)
            fprintf(out, " , by\\~%s", metrics[i].labels);
        fputc('\n', out);
        mdoc_phrase(out, metrics[i].help);
    }
    fputs(".El\n", out);
}

void tables_endpoints(FILE *out)
{
    struct control_row row;

    fputs(".Bl -tag -width Ds\n", out);
    for (size_t i = 0; control_routes_row(i, &row); i++) {
        const char *hole = strstr(row.path, "{}");
        int before = (int)(hole != NULL ? (size_t)(hole - row.path) : strlen(row.path));

        fprintf(out, ".It Sy %s %.*s", row.method, before, row.path);
        if (hole != NULL)
            fprintf(out, " Ns Ar %s Ns Sy \"\\&%s\"",
                    strncmp(row.path, "/v1/sessions", 12) == 0 ? "id" : "name", hole + 2);
        for (size_t j = 0; j < sizeof(row.query) / sizeof(row.query[0]); j++) {
            if (row.query[j] != NULL)
                fprintf(out, " Oo Cm %s Oc", row.query[j]);
        }
        fputc('\n', out);
        mdoc_phrase(out, row.about);
    }
    fputs(".El\n", out);
}
