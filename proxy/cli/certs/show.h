/* What is in a folder of certificates, and what to do with it: for people, or as JSON. */
#pragma once

#include "cli/certs/folder.h"

/* Prints to stdout. EX_OK, or an exit code after saying why. */
int certs_show(const struct certs_folder *folder, int64_t now, bool json);
