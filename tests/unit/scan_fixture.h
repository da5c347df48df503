/* A scanner for all tests of a program, between unit_set_up and unit_tear_down. */
#pragma once

#include "unit.h"
#include "json/scan.h"

static struct json_scan *scan;

static inline int scan_set_up(void **state)
{
    (void)state;
    return json_scan_create(&scan) == OK ? 0 : -1;
}

static inline int scan_tear_down(void **state)
{
    (void)state;
    json_scan_destroy(scan);
    return 0;
}
