/* SPDX-License-Identifier: ISC */
/*
 * control_outcome.h - how the most recent connections of clients ended, for
 * the method outcome. The oldest entry is overwritten.
 */
#ifndef CONTROL_CONTROL_OUTCOME_H
#define CONTROL_CONTROL_OUTCOME_H

#include <stdint.h>

#include "store/keyring.h"

enum { CONTROL_OUTCOMES_MAX = 256 };

struct control_outcome_entry {
	uint32_t conn;
	struct keyring_owner owner; /* its clients may read it */
	int err;                    /* 0: both sides had ended */
};

struct control_outcomes {
	struct control_outcome_entry ring[CONTROL_OUTCOMES_MAX];
	uint32_t len; /* entries added so far */
};

void control_outcome_add(
    struct control_outcomes *o, const struct control_outcome_entry *e);

#endif
