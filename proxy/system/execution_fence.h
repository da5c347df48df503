/*
 * Whether this kernel can hold a launched service to the programs that it may execute
 * (launch/keeper/leader.c does it): what `check` and the register say of that list.
 */
#pragma once

/*
 * With Landlock of this version (0: none). NULL: it can; else what it lacks, static: "Landlock of
 * version 2 (Linux 5.19)".
 */
const char *execution_fence_lacks(unsigned landlock);
