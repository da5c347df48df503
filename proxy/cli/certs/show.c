#include "cli/certs/show.h"

#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "system/certificate.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define TIME_SIZE 32
#define DAY_S     86400

/* One certificate of the folder. */
struct entry {
    const char *stem;
    struct certificate_facts facts;
};

static void write_time(int64_t seconds, char out[TIME_SIZE])
{
    struct tm parts;

    gmtime_r(&(time_t){(time_t)seconds}, &parts);
    strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static json_t *path_of(const struct certs_folder *folder, const char *stem, const char *ending)
{
    return json_sprintf("%s/%s%s", folder->path, stem, ending);
}

/* null for one that is not there. */
static json_t *json_of(const struct certs_folder *folder, const struct entry *entry, int64_t now)
{
    const struct certificate_facts *facts = &entry->facts;
    char start[TIME_SIZE], end[TIME_SIZE];
    json_t *names;

    if (entry->stem == NULL)
        return json_null();
    names = json_array();
    for (size_t i = 0; i < facts->names.count; i++)
        json_array_append_new(names, json_string(facts->names.items[i]));
    write_time(facts->not_before, start);
    write_time(facts->not_after, end);
    return json_pack("{s:o, s:o, s:s, s:s, s:o, s:s, s:s, s:b, s:s}", "certificate",
                     path_of(folder, entry->stem, ".pem"), "key",
                     path_of(folder, entry->stem, ".key"), "subject", facts->subject, "issuer",
                     facts->issuer, "names", names, "not_before", start, "not_after", end,
                     "expired", facts->not_after <= now, "sha256", facts->sha256);
}

struct content {
    struct entry authority, server; /* stem NULL: not there */
    struct entry *clients;
    size_t client_count;
};

static int print_json(const struct certs_folder *folder, const struct content *content, int64_t now)
{
    json_t *clients = json_array(), *root;

    for (size_t i = 0; i < content->client_count; i++)
        json_array_append_new(clients, json_of(folder, &content->clients[i], now));
    root = json_pack("{s:s, s:o, s:o, s:o}", "directory", folder->path, "authority",
                     json_of(folder, &content->authority, now), "server",
                     json_of(folder, &content->server, now), "clients", clients);
    return output_json(root);
}

static void print_entry(const char *title, const struct certs_folder *folder,
                        const struct entry *entry, int64_t now)
{
    const struct certificate_facts *facts = &entry->facts;
    long long left = (long long)((facts->not_after - now) / DAY_S);
    char end[TIME_SIZE];

    write_time(facts->not_after, end);
    printf("%-12s%s\n", title, facts->subject);
    printf("  files     %s/%s.pem, %s.key\n", folder->path, entry->stem, entry->stem);
    if (facts->names.count > 0) {
        printf("  names    ");
        for (size_t i = 0; i < facts->names.count; i++)
            printf(" %s", facts->names.items[i]);
        printf("\n");
    }
    if (facts->not_after <= now)
        printf("  expired   %s\n", end);
    else
        printf("  expires   %s, in %lld day%s\n", end, left, left == 1 ? "" : "s");
    printf("  sha256    %s\n", facts->sha256);
}

static void print_advice(const struct certs_folder *folder, const struct content *content)
{
    const char *path = folder->path;

    if (content->server.stem != NULL)
        printf("\nIn a surface of the configuration, then restart Sidelock:\n"
               "  \"tls\": {\"certificate\": \"%s/server.pem\", \"key\": \"%s/server.key\"}\n"
               "After a renewal: kill -HUP its process, or `sidelock reload`.\n",
               path, path);
    if (content->client_count > 0)
        printf("\nTo ask clients for certificates, add to \"tls\": \"client_ca\": \"%s/ca.pem\"\n"
               "and to the surface: \"callers\": {\"certificates\": [\"%s\"]}\n",
               path, content->clients[0].facts.sha256);
    printf("\nTo have clients trust it:\n"
           "  Node.js     NODE_EXTRA_CA_CERTS=%s/ca.pem\n"
           "  curl        curl --cacert %s/ca.pem https://localhost:PORT/\n"
           "  Chromium    certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n sidelock -i %s/ca.pem\n"
           "The authority can vouch for localhost, NAME.localhost and loopback addresses alone.\n",
           path, path, path);
}

static int print_text(const struct certs_folder *folder, const struct content *content, int64_t now)
{
    print_entry("authority", folder, &content->authority, now);
    if (content->server.stem != NULL)
        print_entry("server", folder, &content->server, now);
    for (size_t i = 0; i < content->client_count; i++)
        print_entry("client", folder, &content->clients[i], now);
    print_advice(folder, content);
    return EX_OK;
}

/* A certificate that is not there leaves *out as it is. */
static int read_entry(const struct certs_folder *folder, const char *stem, struct entry *out)
{
    struct buffer text;
    enum error error;

    buffer_init(&text, AUTHORITY_PEM_BYTES_MAX);
    error = certs_folder_read_certificate(folder, stem, &text);
    if (error == OK)
        error = certificate_read((struct span){text.data, text.length}, &out->facts);
    buffer_clear(&text);
    if (error == OK)
        out->stem = stem;
    if (error == OK || error == ERROR_NOT_FOUND)
        return EX_OK;
    return args_fail(EX_DATAERR, "%s/%s.pem: cannot be read as a certificate: %s", folder->path,
                     stem, error_text(error));
}

static int read_content(const struct certs_folder *folder, const struct text_list *clients,
                        struct content *content)
{
    int code = read_entry(folder, CERTS_AUTHORITY, &content->authority);

    if (code == EX_OK && content->authority.stem == NULL)
        code = args_fail(EX_DATAERR,
                         "%s: there are no certificates yet; `sidelock certs init` makes them",
                         folder->path);
    if (code == EX_OK)
        code = read_entry(folder, CERTS_SERVER, &content->server);
    if (code == EX_OK && clients->count > 0) {
        content->clients = calloc(clients->count, sizeof(*content->clients));
        if (content->clients == NULL)
            return args_fail(EX_OSERR, "out of memory");
    }
    for (size_t i = 0; code == EX_OK && i < clients->count; i++) {
        code = read_entry(folder, clients->items[i], &content->clients[content->client_count]);
        if (content->clients[content->client_count].stem != NULL)
            content->client_count++;
    }
    return code;
}

int certs_show(const struct certs_folder *given, int64_t now, bool json)
{
    struct certs_folder folder = *given;
    struct text_list clients = {0};
    struct content content = {.clients = NULL};
    int code;

    /* What is to be copied into a configuration must be a whole path. */
    if (realpath(given->path, folder.path) == NULL)
        return args_fail(EX_OSERR, "%s: the folder has no whole path", given->path);
    if (certs_folder_clients(&folder, &clients) != OK)
        code = args_fail(EX_OSERR, "%s: cannot be listed", folder.path);
    else
        code = read_content(&folder, &clients, &content);
    if (code == EX_OK)
        code = json ? print_json(&folder, &content, now) : print_text(&folder, &content, now);
    certificate_facts_clear(&content.authority.facts);
    certificate_facts_clear(&content.server.facts);
    for (size_t i = 0; i < content.client_count; i++)
        certificate_facts_clear(&content.clients[i].facts);
    free(content.clients);
    text_list_clear(&clients);
    return code;
}
