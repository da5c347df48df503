#include "system/tls_files.h"

#include "system/trusted_file.h"

#include <string.h>

/* One of the files that "tls" names, on its way into memory. */
struct part {
    const char *member, *path;
    enum trusted_file_kind kind;
    struct buffer *text;
};

static enum error read_part(const struct part *part, struct tls_files_fault *fault)
{
    char why[WHY_SIZE];
    struct buffer *text = part->text;
    enum error error;

    fault->member = part->member;
    buffer_init(text, TLS_FILES_BYTES_MAX);
    if (part->path == NULL)
        return OK;
    error = trusted_file_read(part->path, part->kind, text, why);
    if (error != OK)
        return error_explain(fault->text, ERROR_INVALID, "%s%s", why,
                             error == ERROR_NOT_FOUND ? " `sidelock certs init` makes one." : "");
    if (text->length == 0 || memchr(text->data, '\0', text->length) != NULL)
        return error_explain(fault->text, ERROR_INVALID, "%.150s does not hold PEM.", part->path);
    return OK;
}

enum error tls_files_read(const struct surface_tls *tls, int64_t now, struct tls_files *out,
                          struct tls_files_fault *fault)
{
    struct tls_files files = {.facts = {.authority = false}};
    const struct part parts[] = {
        [CERTIFICATE_CHAIN] = {"certificate", tls->certificate, TRUSTED_FILE_POLICY,
                               &files.certificate},
        [CERTIFICATE_KEY] = {"key", tls->key, TRUSTED_FILE_SECRET, &files.key},
        [CERTIFICATE_CLIENT_CA] = {"client_ca", tls->client_ca, TRUSTED_FILE_POLICY,
                                   &files.client_ca},
    };
    struct certificate_texts texts;
    struct certificate_fault found = {.part = 0};
    enum error error = OK;

    for (size_t i = CERTIFICATE_CHAIN; error == OK && i <= CERTIFICATE_CLIENT_CA; i++)
        error = read_part(&parts[i], fault);
    texts = (struct certificate_texts){
        .chain = {files.certificate.data, files.certificate.length},
        .key = {files.key.data, files.key.length},
        .client_ca = {files.client_ca.data, files.client_ca.length},
    };
    /* What the files hold, against each other and the clock. */
    if (error == OK)
        error = certificate_check(&texts, now, &found);
    if (error == ERROR_INVALID && found.part != 0) {
        fault->member = parts[found.part].member;
        error_explain(fault->text, error, "%.90s: %s", parts[found.part].path, found.text);
    }
    if (error == OK)
        error = certificate_read(texts.chain, &files.facts);
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
