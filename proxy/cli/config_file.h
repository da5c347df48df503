/*
 * Which configuration: the one that is named; else $SIDELOCK_CONFIG; else
 * sidelock/sidelock.json in $XDG_CONFIG_HOME (without it, in ~/.config); else
 * /etc/sidelock/sidelock.json. And what is said of its faults.
 */
#pragma once

#include "setup/bundle.h"

#define CONFIG_FILE_PATH_SIZE BUNDLE_PATH_SIZE
#define CONFIG_FILE_SYSTEM    "/etc/sidelock/sidelock.json"
#define CONFIG_FILE_MISSING                                                                        \
    "There is no configuration; `sidelock init` makes one, or name one with -c FILE or in "        \
    "SIDELOCK_CONFIG."

/* The path to read, or NULL if there is none to be found; `room` may hold it. */
const char *config_file_find(const char *named, char room[CONFIG_FILE_PATH_SIZE]);
/* The same for one that is to be made: whether it is there is not asked; never the system's. */
const char *config_file_wanted(const char *named, char room[CONFIG_FILE_PATH_SIZE]);

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
 * A file or folder of the user's own, by the XDG base directory specification. False: there is no
 * place for any, or its path is too long.
 */
bool config_file_user_path(const char *name, char path[CONFIG_FILE_PATH_SIZE]);
/* The folder that a file is in or will be, without links as far as it is there. False: too long. */
bool config_file_folder(const char *path, char folder[CONFIG_FILE_PATH_SIZE]);
/*
 * A path as `config` is to have it, the caller's to free: if both are below HOME it is said to be
 * there, wherever that is (who reads another configuration may have another); a '$' begins no
 * variable. NULL without memory.
 */
char *config_file_path(const char *path, const char *config);
/* ` -c FILE`, as a shell takes it, where a further command needs that to mean the same file. */
void config_file_append_option(const char *named, struct buffer *out);
void config_file_print_option(const char *named);
