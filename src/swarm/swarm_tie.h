/* SPDX-License-Identifier: ISC */
/*
 * swarm_tie.h - which of two connections with one key is kept, protocol 08 §8.
 *
 * This is the opposite of the rule of a connection pool (protocol 03 §8.4).
 */
#ifndef SWARM_SWARM_TIE_H
#define SWARM_SWARM_TIE_H

#include <stdbool.h>
#include <string.h>

#include "crypto/keys.h"

/*
 * Returns whether an incoming connection replaces the existing one. outdated:
 * frames have been sent and received on the existing one after the header, so
 * that the peer has lost it if it dials again. Otherwise both ends have dialed
 * at once, and the dial of the greater key is kept.
 */
static inline bool
swarm_tie_takes_incoming(
    const uint8_t own[KEY_LEN], const uint8_t remote[KEY_LEN], bool outdated)
{
	return outdated || memcmp(own, remote, KEY_LEN) < 0;
}

#endif
