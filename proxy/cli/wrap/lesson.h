/*
 * What was learnt of a service, said to the operator: a report, and the policy that permits just
 * that, as a command line to be pasted and as the "upstream" of a surface.
 */
#pragma once

#include "cli/wrap/learnt.h"
#include "cli/wrap/line.h"
#include "cli/wrap/recipe.h"

#include <stdio.h>

#define LESSON_SHOWN        12 /* of each kind in the report */
#define LESSON_PROGRAMS_MAX 64 /* as many as a command line takes (ARGS_LIST_MAX) */

struct lesson {
    const struct line *line;
    const struct recipe *recipe; /* by which it ran */
    const struct learnt *learnt;
};

/*
 * All of it on `report`; the upstream alone, as JSON, on `policy` (NULL: nowhere). ERROR_MEMORY,
 * and ERROR_IO where it could not all be written.
 */
enum error lesson_tell(const struct lesson *lesson, FILE *report, FILE *policy) MUST_CHECK;
