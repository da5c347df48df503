/*
 * Which program is at the other end: whatever executes in the processes that hold the client's
 * socket, as proc(5) tells it. No proof: a process may have handed the socket on, or execute
 * another program by now.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

#define CALLER_PROGRAM_SIZE      512
#define CALLER_PROGRAM_LOOKS_MAX 65536 /* at descriptors: whoever has more hides among them */

/*
 * The program's path, of the processes of `uid` that hold the socket `inode`. ERROR_NOT_FOUND:
 * there is none that this process may look into, they execute different programs, the path is too
 * long, or something else lies there: the program was deleted, or is seen by that path elsewhere
 * only.
 */
enum error caller_program(uint32_t uid, uint32_t inode, char out[CALLER_PROGRAM_SIZE]) MUST_CHECK;
