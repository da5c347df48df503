/* Parameter records: what may be launched, and with what, kept under a name. */
#pragma once

#include "broker/operations/operation.h"
#include "policy/params.h"

/*
 * Adds or replaces a record; `surface` NULL: for any. ERROR_INVALID for a name,
 * a surface or a record that cannot be; ERROR_SYNTAX, ERROR_LIMIT; ERROR_DENIED
 * for a command that may not run. Live connections of sessions that were made
 * for another content of the record are cut, and sessions of surfaces that the
 * record is no longer for are revoked.
 */
enum error records_put(struct operation *operation, const char *name, const char *surface,
                       struct span json, struct store_params *out) MUST_CHECK;
/*
 * The public part and the text, which the caller wipes. With `reveal` the
 * caller means to show its secrets, and the log says so.
 */
enum error records_get(struct operation *operation, const char *name, bool reveal,
                       struct store_params *out, struct buffer *json) MUST_CHECK;
/* Cuts the live connections of every session that names the record. */
enum error records_remove(struct operation *operation, const char *name) MUST_CHECK;

/* A record as stored, if what it runs is still permitted; notes what is wrong with it. */
enum error records_find_usable(struct operation *operation, const char *name,
                               struct store_params *out) MUST_CHECK;
