/*
 * The work: the JSON-RPC text of a 300-byte tools/call, and what generator and
 * service read of each other's messages without parsing them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_BYTES          300                /* of every request */
#define CALL_ID_FIRST       100000000000000ULL /* all ids have the same length */
#define CALL_TOOL_BYTES_MAX 32
#define CALL_JUDGED_BYTES   64 /* of an answer decide whose it is */

enum call_answer { CALL_STRANGE, CALL_RESULT, CALL_ERROR };

/*
 * Writes the request with this id. `result_bytes` is how large an answer it
 * asks for; 0: it does not say. False if the tool's name is too long.
 */
bool call_write(char out[CALL_BYTES], uint64_t id, const char *tool, size_t result_bytes);

/* The request that opens an MCP session, and whether one is it. */
void call_write_initialize(char out[CALL_BYTES], uint64_t id);
bool call_is_initialize(const void *request, size_t length);

/* Makes a request that was written longer: so many bytes in all, at least CALL_BYTES. */
void call_lengthen(char *out, size_t total_bytes);

/* What an answer is, by its start: the result for this id, an error or neither. */
enum call_answer call_judge(const void *answer, size_t length, uint64_t id);

/* The number after `"name":` in a request, as it is written there; false: there is none. */
bool call_read_number(const void *request, size_t length, const char *name, const char **digits,
                      size_t *count);
