/*
 * What a worker writes to its standard error: the end of a pipe, whose other end is read
 * here and put into the operator's log as `worker N: …`, each line bounded and cleaned, so
 * many bytes a second. A worker that writes more finds its pipe full, which does not make it
 * wait; what it then wrote is lost. Its last words are what the pipe holds when it is gone.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define WORKER_LOG_LINE_BYTES_MAX   512          /* a longer one becomes several */
#define WORKER_LOG_BURST_BYTES      (128 * 1024) /* a sanitizer's report, whole */
#define WORKER_LOG_BYTES_PER_SECOND (4 * 1024)
#define WORKER_LOG_LINE_COST        32 /* bytes that a line counts beside its own */

struct worker_log;

/* What has been spent, by all the processes that are this worker one after the other. */
struct worker_log_account {
    uint64_t spent, seen_ms;
    bool told; /* that it is overdrawn */
};

/*
 * Reads `fd`, which is non-blocking and taken over on success, on the loop. The account is
 * borrowed until worker_log_end().
 */
enum error worker_log_create(uv_loop_t *loop, unsigned worker, int fd,
                             struct worker_log_account *account,
                             struct worker_log **out) MUST_CHECK;
/* The process is gone: logs what it said last, and frees this once the loop turns. Takes NULL. */
void worker_log_end(struct worker_log *log);
