#include "base/unready.h"

const char *unready_text(enum unready why)
{
    static const char *const texts[UNREADY_COUNT] = {
        [UNREADY_KILLED] = "every surface is killed",
        [UNREADY_WORKERS] = "not all workers are up",
        [UNREADY_AUDIT] = "the audit log cannot be written",
    };

    return texts[why];
}
