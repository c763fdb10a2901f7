/* SPDX-License-Identifier: ISC */
/*
 * echo_limiter.h - limits how many probes a server echoes (pitfall P19).
 *
 * A probe is echoed to its source address, which may be forged: the echoes are
 * limited per source address and for the whole attempt. Uses: base.
 */
#ifndef PUNCH_ECHO_LIMITER_H
#define PUNCH_ECHO_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/bucket.h"
#include "base/limits.h"

struct echo_source {
	struct addr addr;
	struct bucket echoes;
};

struct echo_limiter {
	struct echo_source sources[PUNCH_ECHO_SOURCES_MAX];
	struct bucket total;
	uint8_t next; /* entry to replace */
};

void echo_limiter_init(struct echo_limiter *l, uint32_t now_ms);

/* Returns whether one more probe from this source may be echoed; counts it. */
bool echo_limiter_take(
    struct echo_limiter *l, const struct addr *from, uint32_t now_ms);

#endif
