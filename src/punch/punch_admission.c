/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "punch/punch_admission.h"

static bool
has_free_slot(const struct punch_admission *a, enum slot_kind kind)
{
	return a->held[kind] < a->max[kind];
}

static void
leave_queue(struct punch_admission *a, struct punch_slot *slot)
{
	TAILQ_REMOVE(&a->waiting[slot->kind], slot, link);
	a->waiting_len[slot->kind]--;
	slot->state = SLOT_NONE;
}

static void
grant_slot(struct punch_admission *a, struct punch_slot *slot)
{
	slot->state = SLOT_HELD;
	a->held[slot->kind]++;
	a->last[slot->kind] = slot->peer;
}

static bool
is_same_prefix(const struct punch_slot *slot, const struct addr *peer)
{
	return slot->peer.family != ADDR_NONE &&
	       addr_same_prefix(&slot->peer, peer);
}

/* Returns the first waiting slot of another network than the last one granted,
 * or else the first; NULL if none waits. */
static struct punch_slot *
find_next_waiter(const struct punch_admission *a, enum slot_kind kind)
{
	struct punch_slot *slot;

	TAILQ_FOREACH (slot, &a->waiting[kind], link)
		if (!is_same_prefix(slot, &a->last[kind]))
			return slot;
	return TAILQ_FIRST(&a->waiting[kind]);
}

static uint32_t
count_waiting(const struct punch_admission *a, const struct punch_slot *mine)
{
	const struct punch_slot *slot;
	uint32_t n = 0;

	TAILQ_FOREACH (slot, &a->waiting[mine->kind], link)
		n += is_same_prefix(slot, &mine->peer);
	return n;
}

static void
on_grant(struct timer *timer)
{
	struct punch_admission *a =
	    container_of(timer, struct punch_admission, grant_timer);

	for (int kind = 0; kind < SLOT_KINDS; kind++) {
		struct punch_slot *slot;

		while (has_free_slot(a, kind) &&
		       (slot = find_next_waiter(a, kind)) != NULL) {
			leave_queue(a, slot);
			grant_slot(a, slot);
			slot->ready(slot);
		}
	}
}

void
punch_admission_init(struct punch_admission *a, struct timers *timers,
    uint32_t sockets, uint32_t probes)
{
	*a = (struct punch_admission){
	    .timers = timers,
	    .grant_timer = {.fire = on_grant},
	    .max = {[SLOT_SOCKETS] = sockets, [SLOT_PROBES] = probes},
	};
	for (int kind = 0; kind < SLOT_KINDS; kind++)
		TAILQ_INIT(&a->waiting[kind]);
}

void
punch_admission_set_max(
    struct punch_admission *a, uint32_t sockets, uint32_t probes)
{
	a->max[SLOT_SOCKETS] = sockets;
	a->max[SLOT_PROBES] = probes;
	timer_arm(a->timers, &a->grant_timer, a->timers->now_us);
}

void
punch_admission_fini(struct punch_admission *a)
{
	timer_disarm(a->timers, &a->grant_timer);
}

int
punch_admission_acquire(struct punch_admission *a, struct punch_slot *slot,
    enum slot_kind kind, const struct addr *peer)
{
	slot->kind = kind;
	slot->peer = peer != NULL ? *peer : (struct addr){.family = ADDR_NONE};
	if (has_free_slot(a, kind) && TAILQ_EMPTY(&a->waiting[kind])) {
		grant_slot(a, slot);
		return 0;
	}
	if (a->waiting_len[kind] >= PUNCH_WAITING_MAX ||
	    count_waiting(a, slot) >= PUNCH_WAITING_PREFIX_MAX)
		return ERR_BUSY;
	slot->state = SLOT_WAITING;
	TAILQ_INSERT_TAIL(&a->waiting[kind], slot, link);
	a->waiting_len[kind]++;
	return 1;
}

void
punch_admission_release(struct punch_admission *a, struct punch_slot *slot)
{
	if (slot->state == SLOT_WAITING) {
		leave_queue(a, slot);
	} else if (slot->state == SLOT_HELD) {
		slot->state = SLOT_NONE;
		a->held[slot->kind]--;
		/* Grant it from a timer: the next punch's callback may change
		 * any state. */
		timer_arm(a->timers, &a->grant_timer, a->timers->now_us);
	}
}
