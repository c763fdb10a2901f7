/* SPDX-License-Identifier: ISC */
/*
 * control_outcome.h - how the most recent connections of clients ended, for
 * the method outcome. The oldest entry is overwritten.
 *
 * The end of a program's stream looks the same whether the peer has ended, the
 * connection was lost or the daemon was killed; outcome tells them apart.
 */
#ifndef CONTROL_CONTROL_OUTCOME_H
#define CONTROL_CONTROL_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "store/keyring.h"

struct control;

enum { CONTROL_OUTCOMES_MAX = 256 };

struct control_outcome_entry {
	uint32_t conn;
	struct keyring_owner owner; /* its clients may read it */
	int err;                    /* 0: both sides had ended */
	bool delivered; /* the peer has acknowledged everything sent */
};

struct control_outcomes {
	struct control_outcome_entry ring[CONTROL_OUTCOMES_MAX];
	uint32_t len; /* entries added so far */
};

/* Adds an entry and answers the requests that wait for it. */
void control_outcome_add(
    struct control *c, const struct control_outcome_entry *e);

/* Fails the requests that still wait for a connection that is being freed. */
void control_outcome_fail(struct control *c, uint32_t conn, int err);

#endif
