/*
 * `sidelock serve`: reads and checks the configuration, then is the parent of the broker and of the
 * workers until they end (parent/parent.h). Called by its row in verbs.c.
 */
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/terminal/args.h"
#include "parent/parent.h"
#include "setup/insiders.h"
#include "setup/places.h"
#include "system/cgroup.h"

#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#define DESCRIPTOR_MAX 65535

/* The descriptor readiness is written to, kept from the workers; -1 if none was named. */
static int take_ready_fd(const char *text, int *fd)
{
    uint64_t number;

    *fd = -1;
    if (text == NULL)
        return EX_OK;
    if (!args_number(text, DESCRIPTOR_MAX, &number))
        return args_usage("serve", "--ready-fd takes the number of an open descriptor, not %s",
                          text);
    if (fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
        return args_fail(EX_USAGE, "descriptor %s is not open: give --ready-fd one that is", text);
    *fd = (int)number;
    return EX_OK;
}

static void warn_of_insider(void *context, const char *sentence)
{
    (void)context;
    log_warning("%s", sentence);
}

static bool limits_use(const struct config *config)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface_use *use = &config->surfaces[i].command.use;

        if (use->memory_mib > 0 || use->processes > 0)
            return true;
    }
    return false;
}

/* Before anything is started, and before it is asked what can be held here. */
static void take_control_group(const struct config *config)
{
    char why[WHY_SIZE];
    enum error error = limits_use(config) ? cgroup_prepare(why) : OK;

    if (error != OK && error != ERROR_NOT_FOUND)
        log_warning("the control group %s; limits of services may be advisory", why);
}

int cmd_serve(int argc, char **argv)
{
    const char *file = NULL, *ready = NULL;
    const struct args_option options[] = {
        {.name = "-c", .takes = "FILE", .about = "the configuration", .value = &file},
        {.name = "--ready-fd",
         .takes = "N",
         .about = "a descriptor on which a line is written when all is up",
         .value = &ready}};
    struct config_bundle bundle;
    struct parent_options parent = {.bundle = &bundle};
    struct json_faults faults = {.count = 0};
    char why[WHY_SIZE];
    struct args args;
    int code = args_parse(argc, argv, options, sizeof(options) / sizeof(options[0]), 0, 0, &args);

    if (code == EX_OK)
        code = take_ready_fd(ready, &parent.ready_fd);
    if (code == EX_OK)
        code = config_file_bundle(file, TRUST_OWN, &bundle);
    if (code != EX_OK)
        return code;
    take_control_group(bundle.config);
    if (places_check(&(struct places){.bundle = &bundle, .bind = true}, &faults) != OK) {
        config_file_print_faults(&bundle, &faults);
        bundle_clear(&bundle);
        return EX_CONFIG;
    }
    if (places_clock_is_back(bundle.config, why))
        log_warning("%s", why);
    insiders_tell(bundle.config, geteuid(), warn_of_insider, NULL);
    if (bundle_seal(&bundle) == OK)
        code = parent_run(&parent);
    else
        code = args_fail(EX_OSERR, "the configuration cannot be handed to the broker");
    bundle_clear(&bundle);
    return code;
}
