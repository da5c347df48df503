/*
 * What a service did while it was learnt (launch/common/record.h): tables of what was executed,
 * written, connected to and listened on, each as large as it may become.
 */
#pragma once

#include "base/text.h"
#include "launch/common/record.h"

#include <stdbool.h>

#define LEARNT_ROWS_MAX   1024 /* of one kind */
#define LEARNT_RECORD_MAX 4096 /* records that are taken in one turn */

struct learnt {
    int channel; /* -1: nobody tells any more; its own */
    /* By kind; ports as "8000/tcp". Each row once, in the order of the first time. */
    struct text_list rows[RECORD_KIND_COUNT];
    bool full[RECORD_KIND_COUNT];
    uint64_t lost; /* records that nobody told */
};

/* `other` is the end at which it is told, the caller's. ERROR_IO with errno. */
enum error learnt_open(struct learnt *learnt, int *other) MUST_CHECK;
/* What is there now; false: nothing will come any more. */
bool learnt_hear(void *learnt);
/* All that is there, once who tells has ended; what goes on all the same is counted as lost. */
void learnt_end(struct learnt *learnt);
void learnt_clear(struct learnt *learnt);

/* One record; what its user may not write anyway is left out, and devices and the like. */
void learnt_take(struct learnt *learnt, const struct record *record);
/* Whether anything is missing. */
bool learnt_is_partial(const struct learnt *learnt);
