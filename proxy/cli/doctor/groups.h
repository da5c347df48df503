/* Whether memory and processes of services could be limited by control groups (cgroups(7)). */
#pragma once

#include "cli/doctor/findings.h"

void groups_look(struct findings *findings);
