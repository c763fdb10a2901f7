/* SPDX-License-Identifier: ISC */
/*
 * punch_admission.h - limits concurrent random punches, protocol 04 §12 and
 * §17.8.
 *
 * Birthday sockets cost hundreds of sockets and NAT mappings, birthday probes a
 * few hundred datagrams per second: each kind has a number of slots. A punch
 * without a slot waits in a queue. One network (/24 or /56) gets a share of the
 * queue, and every second slot while others wait. Uses: base.
 */
#ifndef PUNCH_PUNCH_ADMISSION_H
#define PUNCH_PUNCH_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/timer.h"

enum slot_kind {
	SLOT_SOCKETS, /* birthday sockets */
	SLOT_PROBES,  /* birthday probes */
	SLOT_KINDS,
};

struct punch_slot {
	TAILQ_ENTRY(punch_slot) link;
	enum slot_kind kind;
	enum { SLOT_NONE, SLOT_WAITING, SLOT_HELD } state;
	struct addr peer; /* family none: the punch is our own */
	/*
	 * Called from a timer when a waiting slot is granted; may release it.
	 */
	void (*ready)(struct punch_slot *slot);
};

TAILQ_HEAD(punch_slot_list, punch_slot);

struct punch_admission {
	struct timers *timers;
	struct timer grant_timer;
	struct punch_slot_list waiting[SLOT_KINDS];
	uint32_t waiting_len[SLOT_KINDS], held[SLOT_KINDS];
	uint32_t max[SLOT_KINDS];
	struct addr last[SLOT_KINDS]; /* peer of the latest slot granted */
};

/* Borrows the timers; sockets and probes are the slots of each kind. */
void punch_admission_init(struct punch_admission *a, struct timers *timers,
    uint32_t sockets, uint32_t probes);

/* Changes the number of slots. Grants more at once; excess slots remain held
 * until they are released. */
void punch_admission_set_max(
    struct punch_admission *a, uint32_t sockets, uint32_t probes);
void punch_admission_fini(struct punch_admission *a);

/*
 * Acquires a slot for a punch with a peer, or for our own (NULL), which is not
 * subject to shares. Returns 0 if it is granted at once (ready is not called),
 * 1 if it waits, or ERR_BUSY if the queue or the network's share is full.
 */
int punch_admission_acquire(struct punch_admission *a, struct punch_slot *slot,
    enum slot_kind kind, const struct addr *peer)
    __attribute__((warn_unused_result));

/* Releases the slot, or leaves the queue; allowed in any state. */
void punch_admission_release(
    struct punch_admission *a, struct punch_slot *slot);

#endif
