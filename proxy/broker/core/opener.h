/*
 * Through here the broker has its parent open what has a name: the configuration, read anew;
 * listeners; the files of TLS. What is opened is always something that the operator's own file
 * names: callers say which surface of it, never a path or an address.
 */
#pragma once

#include "setup/bundle.h"
#include "system/listener.h"
#include "system/trusted_file.h"

struct opener;

/* Takes over the descriptor of the channel for files to the parent (ipc/errand.h). */
enum error opener_create(int fd, struct opener **out) MUST_CHECK;
void opener_destroy(struct opener *opener);

/*
 * Reads the configuration anew and looks at what it names on this host. ERROR_INVALID with every
 * fault in *faults, or ERROR_MEMORY. The bundle, which is sealed if all is well, is the caller's to
 * clear in any case. On any thread, and by one at a time.
 */
enum error opener_read(struct opener *opener, struct config_bundle *out,
                       struct json_faults *faults) MUST_CHECK;
/* What was read last is in force from now on. */
void opener_keep(struct opener *opener);

/*
 * Listens on the address `index` of the surface, which is one of what was read last or of what is
 * in force. As listener_open().
 */
enum error opener_listen(struct opener *opener, const struct surface *surface, size_t index,
                         struct listener out[2], size_t *count, char why[WHY_SIZE]) MUST_CHECK;
/* As listener_open_missing(), for "localhost" in the list of the surface. */
enum error opener_listen_missing(struct opener *opener, const struct surface *surface,
                                 uint16_t port, struct listener *out,
                                 char why[WHY_SIZE]) MUST_CHECK;

/* The listeners of telemetry, the caller's; *count is 0 where the configuration has none. */
enum error opener_telemetry(struct opener *opener, int out[2], size_t *count,
                            char why[WHY_SIZE]) MUST_CHECK;

/* The files of a surface with TLS; as tls_files_read(). On any thread. */
enum error opener_read_tls(struct opener *opener, const struct surface *surface, int64_t now,
                           struct tls_files *out, struct tls_files_fault *fault) MUST_CHECK;
