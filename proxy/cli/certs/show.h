/* What is in a folder of certificates, and what to do with it: for people, or as JSON. */
#ifndef SIDELOCK_CLI_CERTS_SHOW_H
#define SIDELOCK_CLI_CERTS_SHOW_H

#include "cli/certs/folder.h"

/* Prints to stdout. EX_OK, or an exit code after saying why. */
int certs_show(const struct certs_folder *folder, int64_t now, bool json);

#endif
