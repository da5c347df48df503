#include "system/tls_files.h"

#include "system/trusted_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One file on its way into memory. */
struct reading {
    const char *member, *path;
    bool secret;
    struct tls_files_fault *fault;
};

static enum error fail(const struct reading *reading, const char *format, ...) PRINTF_LIKE(2, 3);

static enum error fail(const struct reading *reading, const char *format, ...)
{
    va_list arguments;

    reading->fault->member = reading->member;
    va_start(arguments, format);
    vsnprintf(reading->fault->text, sizeof(reading->fault->text), format, arguments);
    va_end(arguments);
    return ERROR_INVALID;
}

static enum error read_file(const struct reading *reading, struct buffer *out)
{
    char why[TRUSTED_FILE_WHY_SIZE];
    enum error error = trusted_file_read(
        reading->path, reading->secret ? TRUSTED_FILE_SECRET : TRUSTED_FILE_POLICY, out, why,
        sizeof(why));

    if (error != OK)
        return fail(reading, "%s%s", why,
                    error == ERROR_NOT_FOUND ? " `sidelock certs init` makes one." : "");
    if (out->length == 0 || memchr(out->data, '\0', out->length) != NULL)
        return fail(reading, "%.150s does not hold PEM.", reading->path);
    return OK;
}

/* What the files hold, against each other and the clock. */
static enum error check_texts(const struct surface_tls *tls, struct tls_files *files, int64_t now,
                              struct tls_files_fault *fault)
{
    const struct certificate_texts texts = {
        .chain = {files->certificate.data, files->certificate.length},
        .key = {files->key.data, files->key.length},
        .client_ca = {files->client_ca.data, files->client_ca.length},
    };
    struct certificate_fault found;
    struct reading reading = {"certificate", tls->certificate, false, fault};
    enum error error = certificate_check(&texts, now, &found);

    if (error == OK)
        error = certificate_read(texts.chain, &files->facts);
    else if (found.part == CERTIFICATE_KEY)
        reading = (struct reading){"key", tls->key, true, fault};
    else if (found.part == CERTIFICATE_CLIENT_CA)
        reading = (struct reading){"client_ca", tls->client_ca, false, fault};
    return error == OK ? OK : fail(&reading, "%.90s: %s", reading.path, found.text);
}

enum error tls_files_read(const struct surface_tls *tls, int64_t now, struct tls_files *out,
                          struct tls_files_fault *fault)
{
    const struct reading certificate = {"certificate", tls->certificate, false, fault};
    const struct reading key = {"key", tls->key, true, fault};
    const struct reading client_ca = {"client_ca", tls->client_ca, false, fault};
    struct tls_files files = {.facts = {.authority = false}};
    enum error error;

    buffer_init(&files.certificate, TLS_FILES_BYTES_MAX);
    buffer_init(&files.key, TLS_FILES_BYTES_MAX);
    buffer_init(&files.client_ca, TLS_FILES_BYTES_MAX);
    error = read_file(&certificate, &files.certificate);
    if (error == OK)
        error = read_file(&key, &files.key);
    if (error == OK && tls->client_ca != NULL)
        error = read_file(&client_ca, &files.client_ca);
    if (error == OK)
        error = check_texts(tls, &files, now, fault);
    if (error == OK)
        *out = files;
    else
        tls_files_clear(&files);
    return error;
}

void tls_files_clear(struct tls_files *files)
{
    buffer_clear(&files->certificate);
    buffer_wipe(&files->key);
    buffer_clear(&files->client_ca);
    certificate_facts_clear(&files->facts);
}
