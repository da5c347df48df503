/* Reads a dialect pack (dialect.h says what is in one). */
#pragma once

#include "dialect/dialect.h"
#include "json/reader.h"

/*
 * Parses and reads the reader's document. ERROR_INVALID with every fault noted
 * in the reader, or ERROR_MEMORY; else the caller owns *out.
 */
enum error dialect_read(struct json_reader *reader, struct dialect **out) MUST_CHECK;
void dialect_destroy(struct dialect *dialect);
