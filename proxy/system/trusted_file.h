/*
 * Files that decide what Sidelock does: the configuration, keys, certificates, dialect packs.
 * Who could change or read one is looked at on the open descriptor, before a byte of
 * it is read; its path is followed once, and nobody else may bend it (trusted_path.h).
 */
#pragma once

#include "base/buffer.h"
#include "config/config.h"
#include "system/certificate.h"
#include "system/trusted_path.h"

enum trusted_file_kind {
    TRUSTED_FILE_POLICY = 0, /* nobody else may change it */
    TRUSTED_FILE_SECRET,     /* nor read it */
    TRUSTED_FILE_KEY,        /* nor read it, but root's group or one that this process is in */
};

/*
 * Whether the open file is a regular one (else ERROR_INVALID) that belongs to root or
 * to the user who runs this, and is closed to others as its kind says (ERROR_DENIED).
 * `why` receives one sentence that names the path and says what to do.
 */
enum error trusted_file_check(int fd, const char *path, enum trusted_file_kind kind,
                              char why[WHY_SIZE]) MUST_CHECK;
/*
 * Opens the file, if it and the way to it pass; *fd is the caller's. Each with its sentence:
 * ERROR_DENIED, ERROR_INVALID, ERROR_NOT_FOUND, ERROR_IO (errno says why).
 */
enum error trusted_file_open(const char *path, enum trusted_file_kind kind, struct trust trust,
                             int *fd, char why[WHY_SIZE]) MUST_CHECK;
/*
 * Appends the whole file, if it and the way to it pass; the buffer's ceiling is the file's.
 * Further ERROR_LIMIT.
 */
enum error trusted_file_read(const char *path, enum trusted_file_kind kind, struct trust trust,
                             struct buffer *out, char why[WHY_SIZE]) MUST_CHECK;

/*
 * ---- TLS ----
 *
 * The files that a surface's TLS is configured with: read, held in memory, and
 * checked, so that what is handed to a worker is known to work.
 */
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
 * to nobody else but a group of ours (0640), as the tools that renew certificates leave it; none
 * may be changed by others. ERROR_INVALID with what is wrong, by certificate_check() or by the
 * files themselves; ERROR_MEMORY.
 */
enum error tls_files_read(const struct surface_tls *tls, int64_t now, struct tls_files *out,
                          struct tls_files_fault *fault) MUST_CHECK;

/* The same with files that somebody else opens: the sentence of a failure is as of
 * tls_files_open(). */
struct tls_files_source {
    const struct surface_tls *tls;
    enum error (*open)(const void *context, enum certificate_part part, int *fd,
                       char why[WHY_SIZE]);
    const void *context;
};
enum error tls_files_read_from(const struct tls_files_source *source, int64_t now,
                               struct tls_files *out, struct tls_files_fault *fault) MUST_CHECK;
/* NULL: no such file is named. */
const char *tls_files_path(const struct surface_tls *tls, uint32_t part);
/* One that is named; as trusted_file_open(). */
enum error tls_files_open(const struct surface_tls *tls, enum certificate_part part, int *fd,
                          char why[WHY_SIZE]) MUST_CHECK;

/* Wipes the key. */
void tls_files_clear(struct tls_files *files);
