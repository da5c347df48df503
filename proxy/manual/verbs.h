/* The verbs and what they take: pages of section 1. */
#pragma once

#include "cli/cmd.h"
#include "cli/terminal/args.h"

#include <stdio.h>

/* A list of all verbs, for sidelock(1). */
void verbs_list(FILE *out);
/* sidelock-VERB(1): how it is called and what it does from its page of `help`, then its options. */
void verbs_page(FILE *out, const struct verb *verb);

/* A verb, for who is told its tables. */
struct verbs_task {
    FILE *out;
    const struct verb *verb;
};

/* Tells what each verb takes; the context is a struct verbs_task. */
void verbs_each(FILE *out, void (*told)(void *context, const struct args_shape *shape));
