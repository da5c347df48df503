#include "broker/core/journal.h"

#include "base/log.h"

#include <time.h>

void journal_commit(struct audit *audit)
{
    if (audit_commit(audit) != OK)
        log_error("the audit log cannot be written");
}

void journal_time(int64_t seconds, char out[JOURNAL_TIME_SIZE])
{
    time_t when = (time_t)seconds;
    struct tm utc;

    if (gmtime_r(&when, &utc) == NULL || strftime(out, JOURNAL_TIME_SIZE, "%FT%TZ", &utc) == 0)
        out[0] = '\0';
}
