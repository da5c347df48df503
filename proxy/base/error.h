/*
 * What a fallible function returns. OK is 0; everything else means that no out
 * parameter was set and nothing was kept. Why a *client* was refused is a
 * different matter: see reason.h.
 */
#pragma once

enum error {
    OK = 0,
    ERROR_MEMORY,    /* an allocation failed */
    ERROR_LIMIT,     /* a named limit would be exceeded */
    ERROR_SYNTAX,    /* bytes that are not what their format says */
    ERROR_INVALID,   /* well formed, but not a permitted value */
    ERROR_NOT_FOUND, /* no such thing */
    ERROR_EXISTS,    /* there is one already */
    ERROR_DENIED,    /* not permitted */
    ERROR_STATE,     /* not now: called in the wrong state */
    ERROR_IO,        /* the operating system said no; errno says why */
    ERROR_TIMEOUT,   /* a deadline passed */
    ERROR_CRYPTO,    /* a seal or signature did not verify, or OpenSSL failed */
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))

/* A short English phrase for an error, static: "out of memory". */
const char *error_text(enum error error);

/* One sentence for the operator about a failure. */
#define WHY_SIZE 512
/* Writes the sentence and returns the error. */
enum error error_explain(char why[WHY_SIZE], enum error error, const char *format, ...)
    PRINTF_LIKE(3, 4);
