/* Which units of systemd are there, and begin by themselves: by their files, systemd is not asked.
 */
#pragma once

#include "cli/doctor/findings.h"

void units_look(struct findings *findings);
