/*
 * The launcher: the process that starts the services of surfaces with a command, connects to them
 * and ends them. It has no key and is asked no byte of a client's. The configuration comes from the
 * parent alone, so that a broker that was taken over can name a surface, but no command; from the
 * broker comes when, and to whom it hands the connections. With either, it ends, and so do they.
 */
#pragma once

#define SUPERVISOR_PATIENCE_MS 5000 /* that services have after SIGTERM when everything ends */

/* Taken over: spawner_start()'s channel, and those to the two. */
struct supervisor_options {
    int spawner, parent, broker;
};

/* Until it is to end. The exit code: 0 if it was told to, or one of the two has gone. */
int supervisor_run(const struct supervisor_options *options);
