/* What `--env` of `sidelock wrap` adds to the environment of a service. */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

#define VARIABLES_BYTES_MAX (128 * 1024) /* of all their values */

/*
 * The text of a file (config/README.md, "env_files") of "NAME=VALUE", and of "NAME", whose value is
 * our own. EX_OK, or an exit code after saying why not. The text holds secrets.
 */
int variables_write(const struct text_list *given, struct buffer *text);
