#include "cli/config_tls.h"

#include "system/tls_files.h"

#include <sysexits.h>
#include <time.h>

static void add_fault(const struct config_bundle *bundle, const struct surface *surface,
                      const struct tls_files_fault *found, struct json_faults *faults)
{
    struct json_reader reader = {.text = bundle->text, .length = bundle->length, .faults = faults};

    json_reader_enter(&reader, "surfaces");
    json_reader_enter(&reader, surface->name);
    json_reader_enter(&reader, "tls");
    json_reader_fault_at(&reader, found->member, "%s", found->text);
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
