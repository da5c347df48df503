/* What this machine offers to gates and to the services that they start. */
#pragma once

#include "cli/doctor/findings.h"

/* What is configured, so what matters. */
struct machine_needs {
    bool launches; /* a surface has a command */
};

/* Nothing is left of what it tries. */
void machine_look(const struct machine_needs *needs, struct findings *findings);
