/* SPDX-License-Identifier: ISC */
/*
 * turns.h - who may punch at random, and when, protocol 04 §12 and §17.8.
 *
 * A fan takes hundreds of sockets and mappings, a spray a few hundred datagrams
 * a second: so only some of each kind run at a time. Who comes too late waits
 * in line. One network (/24, /56) that asks again and again gets a share of the
 * line, and every other turn if others wait as well. Uses: base.
 */
#ifndef PUNCH_TURNS_H
#define PUNCH_TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/timer.h"

enum turn_kind { TURN_FAN, TURN_SPRAY, TURN_KINDS };

/* In line no more than these: the last would wait longer than a peer does. */
enum { TURNS_WAITING_MAX = 16, TURNS_SHARE_MAX = 4 };

struct turn {
	TAILQ_ENTRY(turn) link;
	enum turn_kind kind;
	enum { TURN_NONE, TURN_WAITS, TURN_HAS } state;
	struct addr who; /* the peer that wants it; family none: we do */
	/* Called when it is its turn, from a timer; may end its own turn. */
	void (*ready)(struct turn *t);
};

TAILQ_HEAD(turn_list, turn);

struct turns {
	struct timers *timers;
	struct timer next;
	struct turn_list waiting[TURN_KINDS];
	uint32_t waiting_len[TURN_KINDS], running[TURN_KINDS];
	uint32_t max[TURN_KINDS];
	struct addr last[TURN_KINDS]; /* who had the latest */
};

/* At most so many fans and sprays at a time. */
void turns_init(
    struct turns *ts, struct timers *timers, uint32_t fans, uint32_t sprays);

/* Other numbers: more begin at once, what is too many ends by itself. */
void turns_set_max(struct turns *ts, uint32_t fans, uint32_t sprays);
void turns_fini(struct turns *ts);

/*
 * Asks for a turn for a peer, or for ourselves (NULL), who have no share. 0: it
 * has it now (ready is not called), 1: it waits, or ERR_BUSY: the line is full,
 * or as much of it as one network may have.
 */
int turns_ask(struct turns *ts, struct turn *t, enum turn_kind kind,
    const struct addr *who);

/* Gives the turn back, or leaves the line; whatever state it is in. */
void turns_end(struct turns *ts, struct turn *t);

#endif
