#include "launch/common/step.h"

static const struct {
    const char *what, *remedy;
} steps[] = {
#define STEP_ROW(name, what, remedy) {what, remedy},
    LAUNCH_STEPS(STEP_ROW)
#undef STEP_ROW
};

const char *step_what(unsigned step)
{
    return step < STEP_COUNT ? steps[step].what : "starting";
}

const char *step_remedy(unsigned step)
{
    return step < STEP_COUNT ? steps[step].remedy : "";
}
