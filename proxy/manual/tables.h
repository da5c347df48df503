/* The program's tables as lists of the manual: what is printed is what the program goes by. */
#pragma once

#include <stdio.h>

void tables_reasons(FILE *out);   /* sidelock-reasons(7) */
void tables_quotas(FILE *out);    /* the same */
void tables_metrics(FILE *out);   /* sidelock-metrics(7) */
void tables_endpoints(FILE *out); /* sidelock-control(7) */
