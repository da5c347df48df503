/*
 * Parameter records: what a service is launched with, stored on the server and
 * only referred to by sessions. A record is a JSON object; the order of its
 * members and white space mean nothing.
 */
#pragma once

#include "config/config.h"
#include "json/parse.h"

#define PARAMS_BYTES_MAX CANONICAL_TEXT_BYTES_MAX

struct params;

/* Parses strictly (json_scan first, then jansson). ERROR_SYNTAX, ERROR_LIMIT, ERROR_MEMORY. */
enum error params_parse(const char *text, size_t length, struct params **out) MUST_CHECK;
void params_destroy(struct params *params);

/* SHA-256 in hex over the compact dump with sorted keys: the record's identity. */
enum error params_digest(const struct params *params, char out[SHA256_HEX_SIZE]) MUST_CHECK;
/* The same over the part a JSON pointer leads to (NULL or "": all). ERROR_NOT_FOUND. */
enum error params_part_digest(const struct params *params, const char *pointer,
                              char out[SHA256_HEX_SIZE]) MUST_CHECK;
/* Appends the part a JSON pointer leads to, in an encoding (not yet percent-encoded). */
enum error params_append_part(const struct params *params, const char *pointer,
                              enum inject_encoding encoding, struct buffer *out) MUST_CHECK;

/* A command found anywhere in a record: an object with a member "command". */
struct params_command {
    const char *path; /* JSON pointer of the object; "" at the top */
    const char *command;
    const char *const *args;      /* NULL-terminated */
    const char *const *env_names; /* NULL-terminated: names of its "env" object */
    const char *fault;            /* not NULL: command, args or env has a wrong type; refuse */
};
typedef enum error (*params_visit)(void *context, const struct params_command *command);
/* Calls back for each command until one returns something other than OK, which is returned. */
enum error params_each_command(const struct params *params, params_visit visit,
                               void *context) MUST_CHECK;
