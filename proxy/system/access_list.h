/* Who besides its owner may use a file: an access control list (acl(5)), set without libacl. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Lets these users read and write what is at a path, or connect to it if it is a socket, as its
 * owner can; nobody else. ERROR_NOT_FOUND: the file system has no such lists. ERROR_IO, errno.
 */
enum error access_list_set(const char *path, const uint32_t *uids, size_t count) MUST_CHECK;
