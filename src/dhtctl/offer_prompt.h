/* SPDX-License-Identifier: ISC */
/*
 * offer_prompt.h - asks a person on the terminal about the offers of a
 * listener.
 *
 * A process of its own polls the control connection of the listener and
 * /dev/tty, since standard input and output carry the bytes of connections. It
 * reads each offer at once, as the daemon drops a client that does not read.
 * One question is open at a time: further offers are refused and counted. A
 * question is withdrawn after 10 seconds, or when its offer is closed.
 * Uses: api_client.
 */
#ifndef DHTCTL_OFFER_PROMPT_H
#define DHTCTL_OFFER_PROMPT_H

#include <stdbool.h>
#include <sys/types.h>

struct api_client;

/* Returns whether the process has a terminal. */
bool offer_prompt_possible(void);

/*
 * Starts the process. From now on it alone reads from the connection of cl,
 * which the caller keeps open. It ends with the caller. Returns its process id,
 * or reports an error and returns -1.
 */
pid_t offer_prompt_start(struct api_client *cl);

#endif
