#include "base/error.h"

const char *error_text(enum error error)
{
    switch (error) {
    case OK:
        return "ok";
    case ERROR_MEMORY:
        return "out of memory";
    case ERROR_LIMIT:
        return "a limit was exceeded";
    case ERROR_SYNTAX:
        return "malformed input";
    case ERROR_INVALID:
        return "invalid value";
    case ERROR_NOT_FOUND:
        return "not found";
    case ERROR_EXISTS:
        return "already exists";
    case ERROR_DENIED:
        return "not permitted";
    case ERROR_STATE:
        return "not possible in this state";
    case ERROR_IO:
        return "input/output error";
    case ERROR_TIMEOUT:
        return "timed out";
    case ERROR_CRYPTO:
        return "cryptographic check failed";
    }
    return "unknown error";
}
