#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

const char *error_text(enum error error)
{
    static const char *const texts[] = {
        [OK] = "ok",
        [ERROR_MEMORY] = "out of memory",
        [ERROR_LIMIT] = "a limit was exceeded",
        [ERROR_SYNTAX] = "malformed input",
        [ERROR_INVALID] = "invalid value",
        [ERROR_NOT_FOUND] = "not found",
        [ERROR_EXISTS] = "already exists",
        [ERROR_DENIED] = "not permitted",
        [ERROR_STATE] = "not possible in this state",
        [ERROR_IO] = "input/output error",
        [ERROR_TIMEOUT] = "timed out",
        [ERROR_CRYPTO] = "cryptographic check failed",
    };

    return (size_t)error < sizeof(texts) / sizeof(texts[0]) ? texts[error] : "unknown error";
}

enum error error_explain(char why[WHY_SIZE], enum error error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, WHY_SIZE, format, arguments);
    va_end(arguments);
    return error;
}
