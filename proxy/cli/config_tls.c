#include "cli/config_tls.h"

#include "system/tls_files.h"
#include "json/scan.h"

#include <stdio.h>
#include <sysexits.h>
#include <time.h>

static unsigned line_of(const struct config_bundle *bundle, const char *pointer)
{
    unsigned line = 1;
    size_t offset;

    if (!json_scan_locate(bundle->text, bundle->length, pointer, &offset))
        return 0;
    for (size_t i = 0; i < offset; i++)
        line += bundle->text[i] == '\n';
    return line;
}

/* Names of surfaces need no escapes in a pointer. */
static void add_fault(const struct config_bundle *bundle, const struct surface *surface,
                      const struct tls_files_fault *found, struct json_faults *faults)
{
    struct json_fault *fault = &faults->items[faults->count];

    if (faults->count == JSON_FAULTS_MAX)
        return;
    snprintf(fault->pointer, sizeof(fault->pointer), "/surfaces/%.64s/tls/%s", surface->name,
             found->member);
    snprintf(fault->text, sizeof(fault->text), "%.255s", found->text);
    fault->line = line_of(bundle, fault->pointer);
    faults->count++;
}

int config_tls_check(const struct config_bundle *bundle, struct json_faults *faults)
{
    const struct config *config = bundle->config;
    size_t before = faults->count;

    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface *surface = &config->surfaces[i];
        struct tls_files_fault fault = {"certificate", "There is not enough memory to read it."};
        struct tls_files files;

        if (surface->tls == NULL)
            continue;
        if (tls_files_read(surface->tls, (int64_t)time(NULL), &files, &fault) == OK)
            tls_files_clear(&files);
        else
            add_fault(bundle, surface, &fault, faults);
    }
    return faults->count == before ? EX_OK : EX_CONFIG;
}
