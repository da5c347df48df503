/*
 * `sidelock certs init` and `show`: a local authority and certificates for the loopback names,
 * in the folder that certs/folder.c keeps. Called by its row in verbs.c; no gate has to run.
 */
#include "base/secret.h"
#include "cli/certs/folder.h"
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/terminal/args.h"
#include "system/authority.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define LEAF_DAYS_DEFAULT      30
#define LEAF_DAYS_MAX          397 /* what browsers accept at most */
#define AUTHORITY_DAYS_DEFAULT 1825
#define AUTHORITY_DAYS_MAX     3650
#define AUTHORITY_SUBJECT      "Sidelock local authority"
#define SERVER_SUBJECT         "localhost"

/* The command line of `certs`, as it was given. */
struct options {
    const char *config, *folder, *days_text, *authority_days_text, *client;
    struct text_list names;
    bool force, json;
    uint64_t days, authority_days;
};

/* ---- Where, and for which names ---- */

/* The configuration, or NULL where there is none at the usual places. */
static int find_config(const struct options *options, struct config_bundle *bundle)
{
    struct json_faults faults;
    int code = config_file_read(options->config, TRUST_GIVEN, bundle, &faults);

    if (code == EX_OK || (code == EX_CONFIG && bundle->path == NULL))
        return EX_OK;
    config_file_print_faults(bundle, &faults);
    return code;
}

static int find_folder(const struct options *options, const struct config *config,
                       char path[CERTS_PATH_BYTES_MAX])
{
    int length = 0;

    if (options->folder != NULL)
        length = snprintf(path, CERTS_PATH_BYTES_MAX, "%s", options->folder);
    else if (config != NULL)
        length = snprintf(path, CERTS_PATH_BYTES_MAX, "%s/certs", config->state_dir);
    else if (!config_file_user_path("certs", path))
        return args_fail(EX_USAGE, "certs: say where with --dir, or which configuration with -c");
    return length < CERTS_PATH_BYTES_MAX ? EX_OK
                                         : args_fail(EX_DATAERR, "the folder's name is too long");
}

static enum error add_name(struct text_list *names, const char *name)
{
    struct span span = span_of(name);

    return text_list_contains(names, span) ? OK : text_list_add(names, name, span.length);
}

/* NAME.localhost of a surface, if its name can be part of a host name. */
static enum error add_surface(struct text_list *names, const char *surface)
{
    char name[CONFIG_NAME_BYTES_MAX + sizeof(".localhost")];

    snprintf(name, sizeof(name), "%.*s.localhost", CONFIG_NAME_BYTES_MAX, surface);
    for (char *c = name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return authority_permits(name) ? add_name(names, name) : OK;
}

static enum error gather_names(const struct options *options, const struct config *config,
                               struct text_list *out)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "::1"};
    enum error error = OK;

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]) && error == OK; i++)
        error = add_name(out, always[i]);
    for (size_t i = 0; config != NULL && i < config->surface_count && error == OK; i++)
        error = add_surface(out, config->surfaces[i].name);
    for (size_t i = 0; i < options->names.count && error == OK; i++)
        error = add_name(out, options->names.items[i]);
    return error;
}

/* ---- Making ---- */

static int make_authority(const struct certs_folder *folder, const struct options *options,
                          int64_t now, struct authority_pair *out)
{
    unsigned char random[4];
    char subject[AUTHORITY_SUBJECT_BYTES_MAX], tag[2 * sizeof(random) + 1];
    enum error error = secret_random(random, sizeof(random));

    /* A tag of its own: two authorities of one name confuse those who trust both. */
    text_hex(random, sizeof(random), tag);
    snprintf(subject, sizeof(subject), AUTHORITY_SUBJECT " %s", tag);
    if (error == OK)
        error = authority_create(subject, now, (unsigned)options->authority_days, out);
    if (error != OK)
        return certs_folder_fail(folder->path, "the authority cannot be made", error);
    error = certs_folder_write(folder, CERTS_AUTHORITY, out);
    return error == OK ? EX_OK
                       : certs_folder_fail(folder->path, "the authority cannot be written", error);
}

/* The authority that is there, or a new one. The caller clears *out in any case. */
static int have_authority(const struct certs_folder *folder, const struct options *options,
                          int64_t now, struct authority_pair *out)
{
    enum error error =
        options->force ? ERROR_NOT_FOUND : certs_folder_read(folder, CERTS_AUTHORITY, out);

    if (error == ERROR_NOT_FOUND)
        return make_authority(folder, options, now, out);
    if (error == ERROR_INVALID)
        return args_fail(EX_DATAERR,
                         "%s: ca.pem or ca.key is missing; restore it, or make a new authority "
                         "with --force",
                         folder->path);
    return error == OK ? EX_OK
                       : certs_folder_fail(folder->path, "the authority cannot be read", error);
}

static int issue(const struct certs_folder *folder, const struct authority_pair *authority,
                 const struct authority_request *request, const char *stem)
{
    struct authority_pair pair;
    enum error error = authority_issue(authority, request, &pair);

    if (error == ERROR_CRYPTO || error == ERROR_STATE)
        return args_fail(EX_DATAERR,
                         "%s: the authority %s; make a new one with --force, which whoever trusts "
                         "the old one must be told",
                         folder->path,
                         error == ERROR_STATE ? "has expired" : "cannot sign with its key");
    if (error != OK)
        return certs_folder_fail(folder->path, "the certificate cannot be made", error);
    error = certs_folder_write(folder, stem, &pair);
    authority_pair_clear(&pair);
    return error == OK
               ? EX_OK
               : certs_folder_fail(folder->path, "the certificate cannot be written", error);
}

/* The server's certificate, or a client's. */
static int init(const struct certs_folder *folder, const struct options *options,
                const struct config *config, int64_t now)
{
    char subject[AUTHORITY_SUBJECT_BYTES_MAX + 1], stem[CERTS_STEM_BYTES_MAX];
    struct authority_request request = {.use = AUTHORITY_SERVER,
                                        .subject = SERVER_SUBJECT,
                                        .now = now,
                                        .days = (unsigned)options->days};
    struct authority_pair authority;
    struct text_list names = {0};
    int code;

    authority_pair_init(&authority);
    code = have_authority(folder, options, now, &authority);
    if (options->client != NULL) {
        /* The subject has blanks in it, so that nobody takes it for a host name. */
        snprintf(subject, sizeof(subject), "%s (Sidelock client)", options->client);
        snprintf(stem, sizeof(stem), CERTS_CLIENT_PREFIX "%s", options->client);
        request.use = AUTHORITY_CLIENT;
        request.subject = subject;
    } else if (code == EX_OK && gather_names(options, config, &names) != OK) {
        code = args_fail(EX_OSERR, "out of memory");
    }
    request.names = &names;
    if (code == EX_OK)
        code = issue(folder, &authority, &request, options->client != NULL ? stem : CERTS_SERVER);
    text_list_clear(&names);
    authority_pair_clear(&authority);
    return code;
}

/* ---- The command line ---- */

static int check_days(const char *option, const char *text, uint64_t preset, uint64_t max,
                      uint64_t *out)
{
    *out = preset;
    if (text != NULL && (!args_number(text, max, out) || *out == 0))
        return args_usage("certs", "%s takes a number of days from 1 to %llu, not %s", option,
                          (unsigned long long)max, text);
    return EX_OK;
}

static int check_options(struct options *options)
{
    int code =
        check_days("--days", options->days_text, LEAF_DAYS_DEFAULT, LEAF_DAYS_MAX, &options->days);

    if (code == EX_OK)
        code = check_days("--ca-days", options->authority_days_text, AUTHORITY_DAYS_DEFAULT,
                          AUTHORITY_DAYS_MAX, &options->authority_days);
    for (size_t i = 0; code == EX_OK && i < options->names.count; i++) {
        if (!authority_permits(options->names.items[i]))
            code =
                args_usage("certs",
                           "--name takes localhost, a NAME.localhost in lower case or a loopback "
                           "address, not %s",
                           options->names.items[i]);
    }
    if (code == EX_OK && options->client != NULL &&
        (!text_is_name(options->client) || strlen(options->client) > CERTS_CLIENT_NAME_MAX))
        code = args_usage("certs",
                          "--client takes a name of at most %d letters, digits, dots, dashes and "
                          "underscores",
                          CERTS_CLIENT_NAME_MAX);
    if (code == EX_OK && options->client != NULL && options->force)
        code = args_usage("certs", "--force makes a new authority; then ask for --client");
    return code;
}

/* Makes what is asked for, and shows what is there then. */
static int run(const struct options *options, bool making)
{
    int64_t now = (int64_t)time(NULL);
    char path[CERTS_PATH_BYTES_MAX];
    struct config_bundle bundle;
    struct certs_folder folder = {.fd = -1};
    int code = find_config(options, &bundle);

    if (code == EX_OK)
        code = find_folder(options, bundle.config, path);
    if (code == EX_OK)
        code = certs_folder_open(path, making, &folder);
    if (code == EX_OK && making)
        code = init(&folder, options, bundle.config, now);
    if (code == EX_OK)
        code = certs_show(&folder, now, options->json);
    certs_folder_close(&folder);
    bundle_clear(&bundle);
    return code;
}

static int run_init(void *context, const struct args *args)
{
    int code = check_options(context);

    (void)args;
    return code == EX_OK ? run(context, true) : code;
}

static int run_show(void *context, const struct args *args)
{
    (void)args;
    return run(context, false);
}

int cmd_certs(int argc, char **argv)
{
    enum { TAKES_MAKING = 1 };
    static const struct args_action actions[] = {
        {"init", 0, 0, TAKES_MAKING, NULL, run_init},
        {"show", 0, 0, 0, NULL, run_show},
    };
    struct options options = {.config = NULL};
    const struct args_option known[] = {
        {.name = "-c", .takes = "FILE", .about = "the configuration", .value = &options.config},
        {.name = "--dir", .takes = "DIR", .about = "where they are kept", .value = &options.folder},
        {.name = "--json", .about = "JSON in the place of text", .flag = &options.json},
        {.name = "--name",
         .takes = "NAME",
         .about = "one more name for the certificate; may be repeated",
         .list = &options.names,
         .group = TAKES_MAKING},
        {.name = "--days",
         .takes = "N",
         .about = "how long the certificate is good",
         .value = &options.days_text,
         .group = TAKES_MAKING},
        {.name = "--ca-days",
         .takes = "N",
         .about = "how long the authority is good",
         .value = &options.authority_days_text,
         .group = TAKES_MAKING},
        {.name = "--client",
         .takes = "NAME",
         .about = "a certificate for a client, called so",
         .value = &options.client,
         .group = TAKES_MAKING},
        {.name = "--force",
         .about = "a new authority, too",
         .flag = &options.force,
         .group = TAKES_MAKING},
    };
    int code = args_run(argc, argv, ARGS_TABLE(known), ARGS_TABLE(actions), &options);

    text_list_clear(&options.names);
    return code;
}
