#include "cli/amend.h"

#include "cli/config_file.h"
#include "cli/edit/file.h"
#include "cli/edit/member.h"
#include "cli/examine.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"
#include "cli/terminal/shown.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define SURFACES "surfaces"

/* The exit code for a file that cannot be had or written. */
static int code_of(enum error error)
{
    switch (error) {
    case ERROR_DENIED:
        return EX_NOPERM;
    case ERROR_STATE:
    case ERROR_TIMEOUT:
        return EX_TEMPFAIL;
    case ERROR_IO:
    case ERROR_MEMORY:
        return EX_OSERR;
    default:
        return EX_CONFIG;
    }
}

/* `text` is what people wrote, `out` what is to stand there. */
static int edit(const struct amendment *amendment, const char *path, struct span text,
                struct buffer *out)
{
    const struct member member = {text, SURFACES, amendment->surface};
    enum error error = amendment->value != NULL ? member_add(&member, amendment->value, out)
                                                : member_remove(&member, out);

    switch (error) {
    case OK:
        return EX_OK;
    case ERROR_EXISTS:
        return args_fail(EX_DATAERR,
                         "there is a surface %s in %s already; `sidelock rm %s` takes it away",
                         amendment->surface, path, amendment->surface);
    case ERROR_NOT_FOUND:
        return amendment->value != NULL
                   ? args_fail(EX_CONFIG, "%s has no object \"" SURFACES "\" to add one to", path)
                   : args_fail(EX_DATAERR, "there is no surface %s in %s", amendment->surface,
                               path);
    case ERROR_SYNTAX:
        return args_fail(EX_CONFIG, "%s is not JSON: run `sidelock check`", path);
    default:
        return args_fail(EX_OSERR, "there is not enough memory");
    }
}

/* A configuration without a surface serves nothing, but it is where `sidelock init` began. */
static bool only_lacks_surfaces(const struct json_faults *faults)
{
    return faults->count == 1 && strcmp(faults->items[0].pointer, "/" SURFACES) == 0;
}

static enum error check(const struct amendment *amendment, const char *path, struct buffer *text,
                        struct config_bundle *bundle)
{
    struct json_faults faults;
    enum error error = bundle_take(path, TRUST_OWN, text, bundle, &faults);

    if (error == ERROR_INVALID && amendment->value == NULL && only_lacks_surfaces(&faults))
        return OK;
    if (error == OK && amendment->value != NULL && !amendment->elsewhere)
        error = examine_places(bundle, &faults);
    if (error != OK)
        config_file_print_faults(bundle, &faults);
    return error;
}

/* `sidelock VERB`, with the configuration that was named, also by the environment. */
static void print_next(const struct amendment *amendment, const char *verb)
{
    printf("next: sidelock %s", verb);
    config_file_print_option(amendment->config);
    putchar('\n');
}

static void say(const struct amendment *amendment, const char *path,
                const struct config_bundle *bundle)
{
    struct gate gate = {.quiet = true};
    bool runs;

    printf("surface %s %s ", amendment->surface,
           amendment->value != NULL ? "added to" : "taken out of");
    shown_text(stdout, path);
    putchar('\n');
    if (amendment->note != NULL)
        puts(amendment->note);
    if (bundle->config == NULL) {
        printf("It was the last one: a gate needs one, and one that runs goes on as it is until "
               "it is ended.\n");
        return;
    }
    gate.control = bundle->config->control_socket;
    runs = gate_open(&gate) == EX_OK && gate_answers(&gate);
    if (runs && amendment->value == NULL)
        printf("Until then it is served as before; then its sessions are revoked.\n");
    print_next(amendment, runs ? "reload" : "serve");
}

static int amend_file(const struct amendment *amendment, const char *path, struct edit_file *file)
{
    struct config_bundle bundle = {.path = NULL};
    struct buffer text;
    char why[WHY_SIZE];
    enum error error;
    int code;

    buffer_init(&text, CONFIG_BYTES_MAX);
    code = edit(amendment, path, (struct span){file->text.data, file->text.length}, &text);
    if (code == EX_OK && check(amendment, path, &text, &bundle) != OK)
        code = args_fail(EX_CONFIG, "so %s would be at fault: nothing was changed", path);
    if (code == EX_OK) {
        error = edit_file_save(file, (struct span){bundle.text, bundle.length}, why);
        if (error != OK)
            code = args_fail(code_of(error), "%s", why);
    }
    if (code == EX_OK)
        say(amendment, path, &bundle);
    buffer_clear(&text);
    bundle_clear(&bundle);
    return code;
}

int amend(const struct amendment *amendment)
{
    char room[CONFIG_FILE_PATH_SIZE], why[WHY_SIZE];
    const char *path = config_file_find(amendment->config, room);
    struct edit_file file;
    enum error error;
    int code;

    if (path == NULL)
        return args_fail(EX_CONFIG, "%s", CONFIG_FILE_MISSING);
    error = edit_file_open(path, &file, why);
    if (error != OK)
        return args_fail(code_of(error), "%s", why);
    code = amend_file(amendment, path, &file);
    edit_file_close(&file);
    return code;
}
