/*
 * A session's parameter record as the command of a stdio service: {command, args, env, cwd}, as
 * AutoGen Studio's StdioServerParams and the configurations of MCP clients have it. What else it
 * says means nothing here.
 */
#pragma once

#include "setup/service.h"

struct recorded {
    struct surface_command command; /* its own; all zero: none */
};

/*
 * Reads a record out of a descriptor, the caller's, and has "executables" judge it: ERROR_DENIED or
 * ERROR_INVALID with a sentence, in which no value of its environment and no argument is.
 */
enum error record_read(const struct config *config, int fd, struct recorded *out,
                       char why[WHY_SIZE]) MUST_CHECK;
void record_clear(struct recorded *recorded);
