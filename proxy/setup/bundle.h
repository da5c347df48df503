/*
 * The configuration as files: read with every dialect pack they name, and loaded.
 *
 * Which packs: a name with a '/' is a path, relative to the configuration's
 * folder; any other is compiled in. Nobody but the trusted may be able to change
 * the configuration, a pack, or the way to one (system/trusted_file.h).
 */
#pragma once

#include "base/buffer.h"
#include "config/load.h"
#include "system/trusted_path.h"

#define BUNDLE_PATH_SIZE   4096
#define HANDOVER_BYTES_MAX (16 * 1024 * 1024)

/* The very bytes a configuration was loaded from, for a process that must load the same. */
struct config_bundle {
    char *path; /* NULL: no file was found */
    struct trust trust;
    char *text;
    size_t length;
    struct config_pack *packs; /* names and texts are the bundle's own */
    size_t pack_count;
    struct text_list pack_files;    /* where each pack was read, in the order of `packs` */
    struct config *config;          /* NULL if there were faults */
    char *variables, **environment; /* of one that was handed over: what its paths name; the second
                                       points into the first */
    char *owners;                   /* of one that was handed over: the uids of upstreams' owners */
    size_t owners_length;
    int sealed; /* its bytes for other processes, see bundle_seal(); 0: not sealed */
};

/*
 * Reads and loads the file at `path`; NULL: none was found, which is a fault with the text
 * `missing`. ERROR_INVALID with every fault in *faults (a file that cannot be read is one), or
 * ERROR_MEMORY, which is one as well. The bundle is the caller's to clear in any case.
 */
enum error bundle_read(const char *path, struct trust trust, const char *missing,
                       struct config_bundle *out, struct json_faults *faults) MUST_CHECK;
/* The same, as if the file held these bytes, which are the bundle's then. */
enum error bundle_take(const char *path, struct trust trust, struct buffer *text,
                       struct config_bundle *out, struct json_faults *faults) MUST_CHECK;
void bundle_clear(struct config_bundle *bundle);
/* Loads what a bundle holds, as config_load_from(). */
enum error bundle_load(struct config_bundle *bundle, uint32_t self_uid, char *const *environment,
                       struct json_faults *faults) MUST_CHECK;
/* Returns `error`, with the one fault, of no place, that says why. */
enum error bundle_fail(struct json_faults *faults, enum error error, const char *text);

/* `FILE:LINE: POINTER: text`, as far as there is a file, a line and a pointer. */
void bundle_tell_fault(const struct config_bundle *bundle, const struct json_fault *fault,
                       struct buffer *out);

/*
 * ---- handover.c ----
 *
 * The bundle's bytes in a sealed memfd, so that all processes parse the same; of one with faults,
 * what is needed to tell them. It is close-on-exec and the bundle's.
 */
enum error bundle_seal(struct config_bundle *bundle) MUST_CHECK;
/*
 * Loads what bundle_seal() wrote, but for a faulty one. The descriptor is the bundle's, which is
 * the caller's to clear in any case.
 */
enum error bundle_unseal(int fd, bool faulty, struct config_bundle *out) MUST_CHECK;
/*
 * The configuration alone, for a worker; `fd` stays the caller's. `self_uid` resolves "self". Asks
 * the system for nothing that a worker in its sandbox may not.
 */
enum error handover_read(int fd, uint32_t self_uid, struct config **out) MUST_CHECK;

/* Faults on the same way; descriptors are the caller's. */
enum error faults_seal(const struct json_faults *faults, int *fd) MUST_CHECK;
enum error faults_unseal(int fd, struct json_faults *out) MUST_CHECK;
