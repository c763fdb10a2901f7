/* SPDX-License-Identifier: ISC */
#include "base/world.h"
#include "udx/ack_delay.h"

enum {
	/* An acknowledgement is held for this part of a round trip. */
	HOLD_PART = 4,
	/* Network interfaces delay acknowledgements as long, and congestion
	 * control allows for it (cc_model.c). */
	HOLD_US_MAX = 10000,
	HOLD_US_GAP = 2000, /* protocol 05 §14 */
	/*
	 * After a group was not completed in time, no acknowledgement is held
	 * for one round trip, and for twice as many after each further one:
	 * such waits cost less than 2 %. GROUPS_GOOD complete groups in a row
	 * reset the pause.
	 */
	PAUSE_ROUNDS_MAX = 16,
	GROUPS_GOOD = 64,
};

void
ack_delay_init(struct ack_delay *d)
{
	*d = (struct ack_delay){.due_us = WORLD_NEVER};
}

/* Starts a new epoch if a round trip has passed, and decides if it is bulk. */
static void
update_epoch(struct ack_delay *d, uint64_t rtt_us, uint64_t now_us)
{
	uint64_t age_us = now_us - d->epoch_us;

	if (age_us < rtt_us)
		return;
	if (d->pause > 0)
		d->pause--;
	d->bulk = d->packets >= ACK_BULK_PACKETS && age_us < 2 * rtt_us &&
		  d->pause == 0;
	d->packets = 0;
	d->epoch_us = now_us;
}

bool
ack_delay_packet(struct ack_delay *d, enum ack_urgency urgency, uint64_t rtt_us,
    uint64_t now_us)
{
	uint64_t hold_us = rtt_us / HOLD_PART;
	uint64_t max_us = urgency == ACK_BEHIND_GAP ? HOLD_US_GAP : HOLD_US_MAX;

	update_epoch(d, rtt_us, now_us);
	d->packets++;
	d->held++;
	if (urgency == ACK_URGENT || rtt_us == 0 || !d->bulk)
		return true;
	if (d->held >= ACK_HELD_PACKETS) {
		if (++d->groups >= GROUPS_GOOD)
			d->last_pause = 0;
		return true;
	}
	if (hold_us > max_us)
		hold_us = max_us;
	if (d->due_us > now_us + hold_us) {
		d->due_us = now_us + hold_us;
		d->gap = urgency == ACK_BEHIND_GAP;
	}
	return false;
}

void
ack_delay_expired(struct ack_delay *d)
{
	d->due_us = WORLD_NEVER;
	if (d->gap)
		return;
	d->bulk = false;
	d->groups = 0;
	d->last_pause = d->last_pause == 0 ? 1 : 2 * d->last_pause;
	if (d->last_pause > PAUSE_ROUNDS_MAX)
		d->last_pause = PAUSE_ROUNDS_MAX;
	d->pause = d->last_pause + 1;
}

void
ack_delay_sent(struct ack_delay *d)
{
	d->held = 0;
	d->due_us = WORLD_NEVER;
}
