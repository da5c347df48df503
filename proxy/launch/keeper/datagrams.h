/*
 * How many datagrams wait at a Unix socket before their sender does: a network's own setting, ten
 * in a new one, and more on hosts whose programs rely on it (systemd raises it). Of the host's a
 * copy is made, where there is one to be had.
 */
#pragma once

#define DATAGRAMS_SIZE 16 /* of the number, with NUL */

/* In the host's network; "": it cannot be read. */
void datagrams_read(char out[DATAGRAMS_SIZE]);
/* In the private one, before the right to mounts is given up. */
void datagrams_write(const char queue[DATAGRAMS_SIZE]);
