/*
 * The configuration as files: finds them, reads them with every dialect pack
 * they name, and says what is wrong with them.
 *
 * Which file: the one that is named; else $SIDELOCK_CONFIG; else
 * sidelock/sidelock.json in $XDG_CONFIG_HOME (without it, in ~/.config); else
 * /etc/sidelock/sidelock.json.
 *
 * Which packs: a name with a '/' is a path, relative to the configuration's
 * folder; any other is compiled in. Nobody but the trusted may be able to change
 * the configuration, a pack, or the way to one (system/trusted_file.h).
 */
#pragma once

#include "config/load.h"
#include "system/trusted_path.h"

#define CONFIG_FILE_PATH_SIZE 4096
#define HANDOVER_BYTES_MAX    (16 * 1024 * 1024)

/* The very bytes a configuration was loaded from, for a process that must load the same. */
struct config_bundle {
    char *path; /* NULL: no file was found */
    struct trust trust;
    char *text;
    size_t length;
    struct config_pack *packs; /* names and texts are the bundle's own */
    size_t pack_count;
    struct text_list pack_files; /* where each pack was read, in the order of `packs` */
    struct config *config;       /* NULL if there were faults */
};

/*
 * Reads and loads. EX_OK, EX_CONFIG with every fault in *faults (a file that
 * cannot be read is one), or EX_OSERR without memory. The bundle is the
 * caller's to clear in any case.
 */
int config_file_read(const char *path, struct trust trust, struct config_bundle *out,
                     struct json_faults *faults) MUST_CHECK;
/* One line a fault on stderr: `sidelock: FILE:LINE: POINTER: text`. */
void config_file_print_faults(const struct config_bundle *bundle, const struct json_faults *faults);

/* Reads, loads and prints faults. On anything but EX_OK the bundle is empty. */
int config_file_bundle(const char *path, struct trust trust, struct config_bundle *out) MUST_CHECK;
/* The same for those who serve nothing by it (TRUST_GIVEN); the caller destroys *out. */
int config_file_load(const char *path, struct config **out) MUST_CHECK;

/*
 * config_places.c: adds a fault for each place that the configuration names and that cannot be
 * served with: "tls" files; a directory or socket that others could bend. EX_OK or EX_CONFIG.
 */
int config_places_check(const struct config_bundle *bundle, struct json_faults *faults) MUST_CHECK;

/*
 * A file or folder of the user's own, by the XDG base directory specification. False: there is no
 * place for any, or its path is too long.
 */
bool config_file_user_path(const char *name, char path[CONFIG_FILE_PATH_SIZE]);

void config_bundle_clear(struct config_bundle *bundle);

/*
 * handover.c: a bundle on its way to a worker, in a sealed memfd, so that both processes parse the
 * same. *fd is close-on-exec and owned by the caller.
 */
enum error handover_write(const struct config_bundle *bundle, int *fd) MUST_CHECK;

/* Reads what handover_write wrote and loads it; `fd` stays the caller's. */
enum error handover_read(int fd, struct config **out) MUST_CHECK;
