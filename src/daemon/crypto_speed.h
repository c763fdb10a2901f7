/* SPDX-License-Identifier: ISC */
/*
 * crypto_speed.h - measures the speed of handshakes on this machine.
 *
 * Uses: crypto, base, and the processor clock.
 */
#ifndef DAEMON_CRYPTO_SPEED_H
#define DAEMON_CRYPTO_SPEED_H

#include "base/limits.h"

/*
 * Sets handshake_operations, if it is 0, to what a quarter of one processor
 * core computes. Measures this once per process, for about 10 ms.
 */
void crypto_speed_set(struct limits *l);

#endif
