/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/records_client.h"
#include "signal/announcer.h"
#include "signal/keepalive.h"

/* clang-format off */
/*
 * The states of a key and the events that lead from one to the next:
 *
 *	          next_cycle is due
 *	          +------------------------+
 *	          |                        v
 *	    +-----------+            +----------+
 *	    |  WAITING  |            |  CYCLE   |--+ watchdog: the cycle is
 *	    +-----------+            +----------+  | cancelled, and so ends
 *	      |   ^                     |   |   ^--+
 *	      |   +---------------------+   |
 *	      |      the cycle has ended    | announcer_del()
 *	      |                             v
 *	      |  announcer_del()    +---------------+
 *	      +-------------------->|  WITHDRAWING  |--> ended(), freed
 *	                            +---------------+
 *
 * next_cycle is due 5 min after the end of a cycle, or sooner after a failure.
 * A pong that shows another address of ours, and a relay that is lost, make it
 * due 10 s after the start of the latest cycle.
 */
/* clang-format on */
enum announced_state {
	ANNOUNCED_WAITING,
	ANNOUNCED_CYCLE,
	ANNOUNCED_WITHDRAWING,
};

enum {
	INTERVAL_US = 300 * 1000000, /* 100 rounds of pings, protocol 02 §12 */
	EARLY_US = 10 * 1000000,     /* between early cycles, pitfall A11 */
	/* After the first failure; doubles with each further one. */
	RETRY_US = 2 * 1000000,
	RETRY_MAX_US = 60 * 1000000,
	WATCHDOG_US = 60 * 1000000, /* pitfall A9 */
	/* A node that refused or reported a wrong address is ranked last. */
	AVOID_US = 600 * 1000000,
	AVOIDED_MAX = 4,
	SETS = 3, /* the current set and the two before it, protocol 02 §12 */
};

struct announced {
	LIST_ENTRY(announced) link;
	struct announcer *announcer;
	const struct key_pair *keys;
	uint8_t target[HASH_LEN];
	struct announcer_sink sink;
	enum announced_state state;

	struct timer next_cycle; /* WAITING: starts a cycle */
	struct timer watchdog; /* CYCLE: cancels a cycle that takes too long */
	struct timer end;      /* WITHDRAWING: there was nothing to withdraw */

	struct records_op *cycle; /* in progress; NULL between cycles */
	uint64_t began_us;        /* the latest cycle */
	uint32_t refused;         /* commits of this cycle that failed */
	uint32_t failures;        /* consecutive cycles with any failure */
	bool last_failed;         /* no node stored the record in the latest */
	int reported_err;         /* the latest one passed to the sink */

	struct relay_set sets[SETS];
	struct relay_set next;      /* relays confirmed so far in this cycle */
	struct addr holders[RPC_K]; /* closest of the last cycle (pitfall Q7) */
	uint32_t holders_len;
	struct {
		struct addr node;
		uint64_t until_us;
	} avoided[AVOIDED_MAX]; /* a ring */
	uint32_t avoided_next;
	/* The relay that caused the latest early cycle, or none. */
	struct addr mismatched;
	uint32_t withdrawals; /* operations in progress */
};

LIST_HEAD(announced_list, announced);

struct announcer {
	const struct core *core;
	struct dht *dht;
	struct keepalive keepalive;
	struct announced_list keys;
};

static uint64_t
now_us(const struct announced *k)
{
	return k->announcer->core->world->now_us;
}

static void
arm_in(struct announced *k, struct timer *t, uint64_t us)
{
	timer_arm(k->announcer->core->timers, t, now_us(k) + us);
}

static void
disarm_all(struct announced *k)
{
	struct timers *ts = k->announcer->core->timers;

	timer_disarm(ts, &k->next_cycle);
	timer_disarm(ts, &k->watchdog);
	timer_disarm(ts, &k->end);
}

/* Changes the state; the timers of the old state are disarmed. */
static void
set_state(struct announced *k, enum announced_state state)
{
	k->state = state;
	disarm_all(k);
}

/* ---- nodes to avoid ---- */

static void
avoid_node(struct announced *k, const struct addr *node)
{
	uint32_t i = k->avoided_next++ % AVOIDED_MAX;

	k->avoided[i].node = *node;
	k->avoided[i].until_us = now_us(k) + AVOID_US;
}

/*
 * Returns whether any relay answers. If none does, this node is offline, and
 * the relays are not to blame.
 */
static bool
any_relay_answers(const struct announced *k)
{
	const struct relay_set *s = &k->sets[0];

	for (uint32_t i = 0; i < s->len; i++)
		if (!keepalive_is_lost(
			&k->announcer->keepalive, &s->at[i].relay))
			return true;
	return false;
}

static bool
is_avoided(const void *owner, const struct addr *node)
{
	const struct announced *k = owner;

	for (uint32_t i = 0; i < AVOIDED_MAX; i++)
		if (k->avoided[i].until_us > now_us(k) &&
		    addr_equal(&k->avoided[i].node, node))
			return true;
	return keepalive_is_lost(&k->announcer->keepalive, node) &&
	       any_relay_answers(k);
}

/* ---- withdrawing ---- */

/* Frees a deleted key once its last withdrawal has ended. */
static void
conclude_withdrawal(struct announced *k)
{
	struct announcer_sink sink = k->sink;

	if (k->state != ANNOUNCED_WITHDRAWING || k->withdrawals > 0)
		return;
	disarm_all(k);
	LIST_REMOVE(k, link);
	free(k);
	sink.ended(sink.owner);
}

static void
on_end(struct timer *t)
{
	conclude_withdrawal(container_of(t, struct announced, end));
}

static void
on_withdrawn(void *owner, const struct records_event *e)
{
	struct announced *k = owner;

	if (e->kind != RECORDS_EV_DONE)
		return;
	k->withdrawals--;
	conclude_withdrawal(k);
}

static void
withdraw_from(struct announced *k, const struct addr *nodes, size_t len)
{
	struct announce_spec spec = {
	    .keys = k->keys, .start = nodes, .start_len = len};
	struct records_sink sink = {.event = on_withdrawn, .owner = k};
	struct records_op *op;

	if (len > 0 &&
	    records_client_withdraw(k->announcer->dht, &spec, sink, &op) == 0)
		k->withdrawals++;
}

/* Lists the relays of a set that the other set lacks. Returns their number. */
static size_t
list_difference(
    struct addr *out, const struct relay_set *s, const struct relay_set *other)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->len; i++)
		if (relay_set_find(other, &s->at[i].relay) == NULL)
			out[n++] = s->at[i].relay;
	return n;
}

/* ---- a cycle ---- */

/* Makes the new set current and withdraws the key from relays it lacks. */
static void
replace_current_set(struct announced *k)
{
	struct keepalive *ka = &k->announcer->keepalive;
	struct addr gone[RELAYS_MAX];
	struct relay_set old = k->sets[0];
	size_t gone_len = list_difference(gone, &old, &k->next);

	for (uint32_t i = 0; i < k->next.len; i++)
		keepalive_hold(ka, &k->next.at[i].relay);
	for (uint32_t i = 0; i < old.len; i++)
		keepalive_release(ka, &old.at[i].relay);
	if (!relay_set_same(&old, &k->next)) {
		memmove(
		    &k->sets[1], &k->sets[0], (SETS - 1) * sizeof k->sets[0]);
	}
	k->sets[0] = k->next;
	withdraw_from(k, gone, gone_len);
}

static void
note_commit(struct announced *k, const struct records_event *e)
{
	if (e->err != 0) {
		k->refused++;
		avoid_node(k, &e->node);
	} else if (k->next.len < RELAYS_MAX) {
		k->next.at[k->next.len++] =
		    (struct relay_entry){.relay = e->node, .us = e->us};
	}
}

/* Returns the time until the next cycle. */
static uint64_t
pause_us(const struct announced *k)
{
	uint64_t us = INTERVAL_US;

	if (k->failures > 0)
		us = RETRY_MAX_US;
	if (k->failures > 0 && k->failures < 8 &&
	    us > (uint64_t)RETRY_US << (k->failures - 1))
		us = (uint64_t)RETRY_US << (k->failures - 1);
	/* Up to a tenth shorter, so that nodes do not synchronise. */
	return us -
	       us / 10 * world_below(k->announcer->core->world, 1000) / 1000;
}

/* Reports a change of relays, or an error that was not the last reported. */
static void
report_result(struct announced *k, int err, bool changed)
{
	if (!changed && (k->sets[0].len > 0 || err == k->reported_err))
		return;
	k->reported_err = err;
	k->sink.changed(k->sink.owner, err);
}

/* Ends a cycle; every cycle ends here, whatever its result (pitfall A9). */
static void
end_cycle(struct announced *k, int err)
{
	/*
	 * A cycle that was cut short confirmed only some relays (pitfall A7).
	 */
	bool complete = err == 0 && k->next.len > 0;
	bool changed = complete && !relay_set_same(&k->sets[0], &k->next);

	k->cycle = NULL;
	if (k->state == ANNOUNCED_WITHDRAWING)
		return;
	set_state(k, ANNOUNCED_WAITING);
	if (err == ERR_CLOSED)
		return;
	k->last_failed = err != 0;
	k->failures = err == 0 && k->refused == 0 ? 0 : k->failures + 1;
	if (complete)
		replace_current_set(k);
	k->next.len = 0;
	arm_in(k, &k->next_cycle, pause_us(k));
	report_result(k, complete ? 0 : err, changed);
}

static void
on_cycle_event(void *owner, const struct records_event *e)
{
	struct announced *k = owner;

	switch (e->kind) {
	case RECORDS_EV_COMMIT:
		note_commit(k, e);
		break;
	case RECORDS_EV_NODE:
		if (k->holders_len < RPC_K)
			k->holders[k->holders_len++] = e->node;
		break;
	case RECORDS_EV_DONE:
		end_cycle(k, e->err);
		break;
	default:
		break;
	}
}

static void
on_rank(void *owner, struct query_node *closest, size_t len)
{
	struct announced *k = owner;

	relay_rank(closest, len, &k->sets[0], is_avoided, k);
	k->holders_len = 0; /* RECORDS_EV_NODE lists them after the commits */
}

static void
begin_cycle(struct announced *k)
{
	struct announce_spec spec = {
	    .target = k->target,
	    .keys = k->keys,
	    .commit_max = RELAYS_MAX,
	    .start = k->holders,
	    .start_len = k->holders_len,
	    .self = true,
	    .rank = on_rank,
	};
	struct records_sink sink = {.event = on_cycle_event, .owner = k};
	int err;

	set_state(k, ANNOUNCED_CYCLE);
	k->began_us = now_us(k);
	k->refused = 0;
	k->next.len = 0;
	err =
	    records_client_announce(k->announcer->dht, &spec, sink, &k->cycle);
	if (err == 0)
		arm_in(k, &k->watchdog, WATCHDOG_US);
	else
		end_cycle(k, err);
}

static void
on_next_cycle(struct timer *t)
{
	begin_cycle(container_of(t, struct announced, next_cycle));
}

static void
on_watchdog(struct timer *t)
{
	struct announced *k = container_of(t, struct announced, watchdog);

	records_client_cancel(k->cycle);
}

/* Makes the next cycle due early, but at most once within EARLY_US. */
static void
advance_cycle(struct announced *k)
{
	uint64_t due = k->began_us + EARLY_US, now = now_us(k);

	if (k->state != ANNOUNCED_WAITING)
		return;
	if (due < now)
		due = now;
	if (due < k->next_cycle.due_us)
		arm_in(k, &k->next_cycle, due - now);
}

/* ---- results of the pings ---- */

/*
 * Handles a relay that forwards to an address which is no longer ours. If the
 * same relay started the latest early cycle too, its reports are wrong.
 */
static void
on_mismatch(struct announced *k, const struct addr *relay)
{
	if (k->state == ANNOUNCED_CYCLE)
		return;
	if (addr_equal(&k->mismatched, relay) &&
	    now_us(k) - k->began_us < WATCHDOG_US)
		avoid_node(k, relay);
	k->mismatched = *relay;
	advance_cycle(k);
}

static void
on_pong(void *owner, const struct addr *relay, const struct addr *us)
{
	struct announcer *a = owner;
	struct announced *k;

	LIST_FOREACH (k, &a->keys, link) {
		const struct relay_entry *entry =
		    relay_set_find(&k->sets[0], relay);

		if (entry == NULL)
			continue;
		if (!addr_equal(&entry->us, us))
			on_mismatch(k, relay);
		else if (k->last_failed)
			advance_cycle(k); /* we are online again */
	}
}

static void
on_lost(void *owner, const struct addr *relay)
{
	struct announcer *a = owner;
	struct announced *k;

	LIST_FOREACH (k, &a->keys, link)
		/* A cycle that has failed is retried at its own interval. */
		if (k->failures == 0 &&
		    relay_set_find(&k->sets[0], relay) != NULL)
			advance_cycle(k);
}

/* ---- life ---- */

struct announcer *
announcer_new(const struct core *core, struct dht *d)
{
	struct announcer *a = calloc(1, sizeof *a);
	struct keepalive_sink sink = {
	    .pong = on_pong, .lost = on_lost, .owner = a};

	if (a == NULL)
		return NULL;
	a->core = core;
	a->dht = d;
	LIST_INIT(&a->keys);
	keepalive_init(&a->keepalive, core, d, sink);
	return a;
}

void
announcer_free(struct announcer *a)
{
	struct announced *k;

	if (a == NULL)
		return;
	keepalive_fini(&a->keepalive);
	while ((k = LIST_FIRST(&a->keys)) != NULL) {
		disarm_all(k);
		LIST_REMOVE(k, link);
		free(k);
	}
	free(a);
}

int
announcer_add(struct announcer *a, const struct key_pair *keys,
    struct announcer_sink sink, struct announced **out)
{
	struct announced *k = calloc(1, sizeof *k);

	*out = k;
	if (k == NULL)
		return ERR_MEMORY;
	k->announcer = a;
	k->keys = keys;
	k->sink = sink;
	k->next_cycle.fire = on_next_cycle;
	k->watchdog.fire = on_watchdog;
	k->end.fire = on_end;
	key_target(k->target, keys->public_key);
	arm_in(k, &k->next_cycle, 0);
	LIST_INSERT_HEAD(&a->keys, k, link);
	return 0;
}

void
announcer_del(struct announced *k)
{
	struct addr nodes[2 * RELAYS_MAX];
	size_t len;

	set_state(k, ANNOUNCED_WITHDRAWING);
	if (k->cycle != NULL)
		records_client_cancel(k->cycle);
	/*
	 * The relays confirmed in the cancelled cycle are withdrawn from too.
	 */
	len = list_difference(nodes, &k->next, &k->sets[0]);
	for (uint32_t i = 0; i < k->sets[0].len; i++) {
		nodes[len++] = k->sets[0].at[i].relay;
		keepalive_release(
		    &k->announcer->keepalive, &k->sets[0].at[i].relay);
	}
	k->sets[0].len = 0;
	withdraw_from(k, nodes, len);
	/* ended() is not called from here: if all is done, a timer does it. */
	if (k->withdrawals == 0)
		arm_in(k, &k->end, 0);
}

void
announcer_renew(struct announcer *a)
{
	struct announced *k;

	LIST_FOREACH (k, &a->keys, link) {
		if (k->state == ANNOUNCED_WITHDRAWING)
			continue;
		if (k->cycle != NULL)
			records_client_cancel(k->cycle);
		k->failures = 0;
		memset(k->avoided, 0, sizeof k->avoided);
		arm_in(k, &k->next_cycle, 0);
	}
}

void
announcer_interval_changed(struct announcer *a)
{
	keepalive_interval_changed(&a->keepalive);
}

/* ---- the current relays ---- */

const struct relay_set *
announced_relays(const struct announced *k)
{
	return &k->sets[0];
}

size_t
announced_addresses(const struct announced *k, struct addr out[RELAYS_MAX])
{
	const struct addr *open = dht_open_address(k->announcer->dht);
	const struct relay_set *s = &k->sets[0];
	size_t n = 0;

	if (open != NULL)
		out[n++] = *open;
	for (uint32_t i = 0; i < s->len && n < RELAYS_MAX; i++)
		out[n++] = s->at[i].relay;
	return n;
}

bool
announced_through(const struct announced *k, const struct addr *from)
{
	for (uint32_t i = 0; i < SETS; i++)
		if (relay_set_find(&k->sets[i], from) != NULL)
			return true;
	return relay_set_find(&k->next, from) != NULL;
}
