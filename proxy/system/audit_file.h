/* The file that the audit log is in: for audit.c alone. */
#pragma once

#include "system/audit_line.h"

/* To be read and appended to; made (0600) if it is not there. ERROR_IO, errno: nor if it is no
 * file. */
enum error audit_file_open(const char *path, int *out) MUST_CHECK;
/* The digest of a line by its number, near the end of the file; false if it is not there. */
bool audit_file_find(int fd, uint64_t sequence, char digest[SHA256_HEX_SIZE]);
