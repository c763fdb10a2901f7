/* SPDX-License-Identifier: ISC */
/*
 * core.h - the context that each core module receives when it is created.
 *
 * The node owns it and everything it points to; modules borrow it for their
 * life. A module that reads a limit reads it here each time it is needed: the
 * node may change the limits at any time, and then calls the
 * X_limits_changed() of each module that has derived something from them.
 * Uses: base.
 */
#ifndef BASE_CORE_H
#define BASE_CORE_H

#include "base/hash.h"
#include "base/limits.h"
#include "base/stats.h"
#include "base/timer.h"
#include "base/world.h"

struct core {
	struct world *world;
	struct timers *timers;
	struct stats *stats;
	const struct limits *limits;
	struct hash_key
	    hash_key; /* of hash tables with keys that peers choose */
};

#endif
