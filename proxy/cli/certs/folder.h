/*
 * The folder of certificates that `sidelock certs` keeps, 0700, its files
 * 0600: ca.pem and ca.key, server.pem and server.key, client-NAME.pem and
 * client-NAME.key. Files are replaced whole or not at all.
 */
#pragma once

#include "system/authority.h"

#define CERTS_PATH_BYTES_MAX     4096
#define CERTS_CLIENTS_MAX        256
#define CERTS_CERTIFICATE_ENDING ".pem"
#define CERTS_KEY_ENDING         ".key"
#define CERTS_AUTHORITY          "ca"
#define CERTS_SERVER             "server"
#define CERTS_CLIENT_PREFIX      "client-"
#define CERTS_STEM_BYTES_MAX     80 /* of a file's name without .pem or .key */
#define CERTS_CLIENT_NAME_MAX    40

struct certs_folder {
    char path[CERTS_PATH_BYTES_MAX];
    int fd; /* -1: not open */
};

/*
 * Opens the folder, for its owner alone; makes it and the folders above it if
 * `make` is set, and keeps others of this program out while it is open. EX_OK, or an
 * exit code after saying why. The caller closes it.
 */
int certs_folder_open(const char *path, bool make, struct certs_folder *out);
void certs_folder_close(struct certs_folder *folder);

/* Says what goes wrong with a path; ERROR_IO: for the reason in errno. Returns the exit code. */
int certs_folder_fail(const char *path, const char *what, enum error error);

/* Reads a file into an initialised buffer. ERROR_NOT_FOUND: it is not there. */
enum error certs_folder_read_file(const struct certs_folder *folder, const char *stem,
                                  const char *ending, struct buffer *out) MUST_CHECK;
/*
 * Reads STEM.pem and STEM.key into an initialised pair, which may hold one of them after a
 * failure. ERROR_NOT_FOUND: neither is there; ERROR_INVALID: one is missing.
 */
enum error certs_folder_read(const struct certs_folder *folder, const char *stem,
                             struct authority_pair *out) MUST_CHECK;
/* Writes both, durable on return: the key first, then the certificate that needs it. */
enum error certs_folder_write(const struct certs_folder *folder, const char *stem,
                              const struct authority_pair *pair) MUST_CHECK;

/* The stems of the client certificates, sorted. */
enum error certs_folder_clients(const struct certs_folder *folder,
                                struct text_list *out) MUST_CHECK;

/* show.c: prints what is in the folder and what to do with it, for people or as JSON. */
int certs_show(const struct certs_folder *folder, int64_t now, bool json);
