/* What `sidelock certs show` prints of the folder: for people, or as JSON. Called by
 * ../cmd_certs.c. */
#include "cli/certs/folder.h"

#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "system/certificate.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define TIME_SIZE 32
#define DAY_S     86400

static json_t *time_of(int64_t seconds)
{
    struct tm parts;
    char text[TIME_SIZE];

    gmtime_r(&(time_t){(time_t)seconds}, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_string(text);
}

static json_t *path_of(const char *directory, const char *stem, const char *ending)
{
    char path[CERTS_PATH_BYTES_MAX + CERTS_STEM_BYTES_MAX + 8];

    snprintf(path, sizeof(path), "%s/%s%s", directory, stem, ending);
    return output_string(path);
}

static json_t *entry_of(const char *directory, const char *stem,
                        const struct certificate_facts *facts, int64_t now)
{
    json_t *names = json_array();

    for (size_t i = 0; i < facts->names.count; i++)
        json_array_append_new(names, json_string(facts->names.items[i]));
    return json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:b, s:I, s:s}", "certificate",
                     path_of(directory, stem, ".pem"), "key", path_of(directory, stem, ".key"),
                     "subject", facts->subject, "issuer", facts->issuer, "names", names,
                     "not_before", time_of(facts->not_before), "not_after",
                     time_of(facts->not_after), "expired", facts->not_after <= now, "days_left",
                     (json_int_t)((facts->not_after - now) / DAY_S), "sha256", facts->sha256);
}

/* One certificate of the folder; null for one that is not there. */
static int read_entry(const struct certs_folder *folder, const char *stem, int64_t now,
                      json_t **out)
{
    struct certificate_facts facts;
    struct buffer text;
    enum error error;

    buffer_init(&text, AUTHORITY_PEM_BYTES_MAX);
    error = certs_folder_read_file(folder, stem, CERTS_CERTIFICATE_ENDING, &text);
    if (error == OK)
        error = certificate_read((struct span){text.data, text.length}, &facts);
    buffer_clear(&text);
    if (error == OK) {
        *out = entry_of(folder->path, stem, &facts, now);
        certificate_facts_clear(&facts);
        return *out != NULL ? EX_OK : args_fail(EX_OSERR, "out of memory");
    }
    *out = json_null();
    if (error == ERROR_NOT_FOUND)
        return EX_OK;
    return args_fail(EX_DATAERR, "%s/%s.pem: cannot be read as a certificate: %s", folder->path,
                     stem, error_text(error));
}

/* Fills in what stands in the folder. */
static int read_content(const struct certs_folder *folder, int64_t now, json_t *root)
{
    json_t *authority, *server, *client, *clients = json_array();
    struct text_list stems = {0};
    int code = read_entry(folder, CERTS_AUTHORITY, now, &authority);

    json_object_set_new(root, "authority", authority);
    if (code == EX_OK && json_is_null(authority))
        code = args_fail(EX_DATAERR,
                         "%s: there are no certificates yet; `sidelock certs init` makes them",
                         folder->path);
    if (code == EX_OK) {
        code = read_entry(folder, CERTS_SERVER, now, &server);
        json_object_set_new(root, "server", server);
    }
    json_object_set_new(root, "clients", clients);
    if (code == EX_OK && certs_folder_clients(folder, &stems) != OK)
        code = args_fail(EX_OSERR, "%s: cannot be listed", folder->path);
    for (size_t i = 0; code == EX_OK && i < stems.count; i++) {
        code = read_entry(folder, stems.items[i], now, &client);
        if (code == EX_OK && !json_is_null(client))
            json_array_append_new(clients, client);
    }
    text_list_clear(&stems);
    return code;
}

static void print_entry(const char *title, json_t *entry)
{
    const char *subject, *certificate, *key, *not_after, *sha256;
    json_int_t left;
    json_t *names, *name;
    int expired;
    size_t i;

    if (json_unpack(entry, "{s:s, s:s, s:s, s:o, s:s, s:b, s:I, s:s}", "subject", &subject,
                    "certificate", &certificate, "key", &key, "names", &names, "not_after",
                    &not_after, "expired", &expired, "days_left", &left, "sha256", &sha256) != 0)
        return; /* there is none */
    printf("%-12s%s\n  files     %s, %s\n", title, subject, certificate, strrchr(key, '/') + 1);
    json_array_foreach(names, i, name)
    {
        printf("%s %s", i == 0 ? "  names    " : "", json_string_value(name));
    }
    fputs(json_array_size(names) > 0 ? "\n" : "", stdout);
    if (expired)
        printf("  expired   %s\n", not_after);
    else
        printf("  expires   %s, in %lld day%s\n", not_after, (long long)left, left == 1 ? "" : "s");
    printf("  sha256    %s\n", sha256);
}

static void print_text(const char *path, const json_t *root)
{
    const json_t *clients = json_object_get(root, "clients");
    json_t *client;
    size_t i;

    print_entry("authority", json_object_get(root, "authority"));
    print_entry("server", json_object_get(root, "server"));
    json_array_foreach(clients, i, client)
    {
        print_entry("client", client);
    }
    client = json_array_get(clients, 0);
    if (!json_is_null(json_object_get(root, "server")))
        printf("\nIn a surface of the configuration, then restart Sidelock:\n"
               "  \"tls\": {\"certificate\": \"%s/server.pem\", \"key\": \"%s/server.key\"}\n"
               "After a renewal: kill -HUP its process, or `sidelock reload`.\n",
               path, path);
    if (client != NULL)
        printf("\nTo ask clients for certificates, add to \"tls\": \"client_ca\": \"%s/ca.pem\"\n"
               "and to the surface: \"callers\": {\"certificates\": [\"%s\"]}\n",
               path, json_string_value(json_object_get(client, "sha256")));
    printf("\nTo have clients trust it:\n"
           "  Node.js     NODE_EXTRA_CA_CERTS=%s/ca.pem\n"
           "  curl        curl --cacert %s/ca.pem https://localhost:PORT/\n"
           "  Chromium    certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n sidelock -i %s/ca.pem\n"
           "The authority can vouch for localhost, NAME.localhost and loopback addresses alone.\n",
           path, path, path);
}

int certs_show(const struct certs_folder *given, int64_t now, bool json)
{
    struct certs_folder folder = *given;
    json_t *root;
    int code;

    /* What is to be copied into a configuration must be a whole path. */
    if (realpath(given->path, folder.path) == NULL)
        return args_fail(EX_OSERR, "%s: the folder has no whole path", given->path);
    root = json_pack("{s:o}", "directory", output_string(folder.path));
    if (root == NULL)
        return args_fail(EX_OSERR, "out of memory");
    code = read_content(&folder, now, root);
    if (code == EX_OK && json)
        return output_json(root);
    if (code == EX_OK)
        print_text(folder.path, root);
    json_decref(root);
    return code;
}
