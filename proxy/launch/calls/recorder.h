/*
 * What the tree does, told once each to whoever learns it (launch/common/record.h). Nothing is
 * waited for: a record that has no room is counted, and the count is told as soon as there is some.
 */
#pragma once

#include "launch/common/record.h"

#include <stdbool.h>

#define RECORDER_SEEN 4096 /* records that are known to have been told; older ones give way */

struct recorder {
    int channel; /* -1: nobody learns */
    uint32_t lost;
    uint64_t seen[RECORDER_SEEN];
};

bool recorder_is_on(const struct recorder *recorder);
void recorder_tell(struct recorder *recorder, enum record_kind kind, uint32_t number,
                   const char *text);
/* Whether this was told and is still known. */
bool recorder_has(const struct recorder *recorder, enum record_kind kind, const char *text);
/* The tree has ended: what was lost is told, if there is room. */
void recorder_end(struct recorder *recorder);
