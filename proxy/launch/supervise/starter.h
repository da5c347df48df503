/*
 * What `sidelock launcher` begins as: the parent of launchers, made while its own parent has no
 * fences yet, which services would inherit. It reads no configuration and speaks to no broker: it
 * forks the launcher (supervisor.h), hands the ends of its channels to the parent, and when it has
 * ended and nothing is left of what it had started, forks another one. Beside it, the looker
 * (looking.h).
 */
#pragma once

#define STARTER_VERB        "launcher" /* argv[1] of the program that becomes it */
#define STARTER_PARENT_FD   3          /* the channel to its parent, which it finds open */
#define STARTER_PATIENCE_MS 500        /* at least, between two launchers */
#define STARTER_PAUSE_MS                                                                           \
    100 /* at least, between the end of one and the next: the broker may end, too */

/* Until it is to end, and everything with it. The exit code, also of what it forks. */
int starter_run(int parent);
