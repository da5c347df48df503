/*
 * The files that a surface's TLS is configured with: read, held in memory, and
 * checked, so that what is handed to a worker is known to work.
 */
#pragma once

#include "base/buffer.h"
#include "config/config.h"
#include "system/certificate.h"

#define TLS_FILES_BYTES_MAX ((size_t)20 * 1024) /* of one file: three of them fit one message */

struct tls_files {
    struct buffer certificate, key, client_ca; /* PEM; client_ca is empty if there is none */
    struct certificate_facts facts;            /* of the certificate */
};

struct tls_files_fault {
    const char *member;  /* "certificate", "key", "client_ca" */
    char text[WHY_SIZE]; /* one sentence that names the file */
};

/*
 * Reads the files. The key must belong to the user who runs this, or root, and be open
 * to nobody else; none may be changed by others. ERROR_INVALID with what is
 * wrong, by certificate_check() or by the files themselves; ERROR_MEMORY.
 */
enum error tls_files_read(const struct surface_tls *tls, int64_t now, struct tls_files *out,
                          struct tls_files_fault *fault) MUST_CHECK;
/* Wipes the key. */
void tls_files_clear(struct tls_files *files);
