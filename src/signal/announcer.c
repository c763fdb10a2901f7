/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/records_client.h"
#include "signal/announcer.h"
#include "signal/keepalive.h"

/*
 * A key has one timer. While a cycle is under way it is the watchdog; the end
 * of the cycle, of which there is one alone (on_cycle), sets it to the next.
 *
 *	          watchdog: cancelled
 *	         +-----------------+
 *	         v                 |
 *	WAITS --due--> CYCLE ------+--> WAITS   5 min, or sooner after a failure
 *	  ^  \                            |
 *	  +---+--- pong from elsewhere, relay lost: due 10 s after the last
 *began
 */
enum {
	FULL_US = 300 * 1000000, /* 100 rounds of pings, protocol 02 §12 */
	AGAIN_US = 10 * 1000000, /* between two begun for cause, pitfall A11 */
	/* After the first failure, then doubled. */
	RETRY_US = 2 * 1000000,
	RETRY_MAX_US = 60 * 1000000,
	WATCHDOG_US = 60 * 1000000, /* pitfall A9 */
	/* How long who has refused, or told us nonsense, is asked last. */
	SHUN_US = 600 * 1000000,
	SHUNNED_MAX = 4,
	SETS = 3, /* the current set and the two before it, protocol 02 §12 */
};

struct announced {
	LIST_ENTRY(announced) link;
	struct announcer *a;
	const struct key_pair *keys;
	uint8_t target[HASH_LEN];
	struct announcer_sink sink;
	struct timer timer;
	struct records_op *cycle; /* the one under way */
	uint64_t began_us;        /* of the latest cycle */
	uint32_t refused;         /* by nodes, in this cycle */
	uint32_t failures;        /* cycles in a row that were not perfect */
	bool down;                /* the latest won nobody at all */
	int told;                 /* the latest reason told */
	struct relay_set sets[SETS];
	struct relay_set next;      /* of those that have confirmed so far */
	struct addr holders[RPC_K]; /* nearest in the last cycle (pitfall Q7) */
	uint32_t holders_len;
	struct {
		struct addr node;
		uint64_t until_us;
	} shunned[SHUNNED_MAX]; /* a ring */
	uint32_t shunned_next;
	struct addr strayed; /* whose pong began the latest cycle, or none */
	bool deleted;
	uint32_t withdrawing; /* operations under way */
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
	return k->a->core->world->now_us;
}

static void
arm(struct announced *k, uint64_t us)
{
	timer_arm(k->a->core->timers, &k->timer, now_us(k) + us);
}

/* ---- who has let us down ---- */

static void
shun(struct announced *k, const struct addr *node)
{
	uint32_t i = k->shunned_next++ % SHUNNED_MAX;

	k->shunned[i].node = *node;
	k->shunned[i].until_us = now_us(k) + SHUN_US;
}

/* If none of them answers it is us who are away, and they are as good as any.
 */
static bool
others_answer(const struct announced *k)
{
	const struct relay_set *s = &k->sets[0];

	for (uint32_t i = 0; i < s->len; i++)
		if (!keepalive_is_lost(&k->a->keepalive, &s->at[i].relay))
			return true;
	return false;
}

static bool
is_shunned(const void *owner, const struct addr *node)
{
	const struct announced *k = owner;

	for (uint32_t i = 0; i < SHUNNED_MAX; i++)
		if (k->shunned[i].until_us > now_us(k) &&
		    addr_equal(&k->shunned[i].node, node))
			return true;
	return keepalive_is_lost(&k->a->keepalive, node) && others_answer(k);
}

/* ---- withdrawing ---- */

static void
conclude(struct announced *k)
{
	struct announcer_sink sink = k->sink;

	if (!k->deleted || k->withdrawing > 0)
		return;
	timer_disarm(k->a->core->timers, &k->timer);
	LIST_REMOVE(k, link);
	free(k);
	sink.ended(sink.owner);
}

static void
on_withdrawn(void *owner, const struct records_event *e)
{
	struct announced *k = owner;

	if (e->kind != RECORDS_EV_DONE)
		return;
	k->withdrawing--;
	conclude(k);
}

static void
withdraw(struct announced *k, const struct addr *nodes, size_t len)
{
	struct announce_spec spec = {
	    .keys = k->keys, .start = nodes, .start_len = len};
	struct records_sink sink = {.event = on_withdrawn, .owner = k};
	struct records_op *op;

	if (len > 0 &&
	    records_client_withdraw(k->a->dht, &spec, sink, &op) == 0)
		k->withdrawing++;
}

/* Appends the nodes of a set that are not in the other. */
static size_t
left_out(
    struct addr *out, const struct relay_set *s, const struct relay_set *other)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->len; i++)
		if (relay_set_find(other, &s->at[i].relay) == NULL)
			out[n++] = s->at[i].relay;
	return n;
}

/* ---- a cycle ---- */

/* The new set takes over, whole; whom it lacks is told. */
static void
publish(struct announced *k)
{
	struct addr gone[RELAYS_MAX];
	struct relay_set old = k->sets[0];
	size_t gone_len = left_out(gone, &old, &k->next);

	for (uint32_t i = 0; i < k->next.len; i++)
		keepalive_hold(&k->a->keepalive, &k->next.at[i].relay);
	for (uint32_t i = 0; i < old.len; i++)
		keepalive_release(&k->a->keepalive, &old.at[i].relay);
	if (!relay_set_same(&old, &k->next)) {
		memmove(
		    &k->sets[1], &k->sets[0], (SETS - 1) * sizeof k->sets[0]);
	}
	k->sets[0] = k->next;
	withdraw(k, gone, gone_len);
}

static void
note_commit(struct announced *k, const struct records_event *e)
{
	if (e->err != 0) {
		k->refused++;
		shun(k, &e->node);
	} else if (k->next.len < RELAYS_MAX) {
		k->next.at[k->next.len++] =
		    (struct relay_entry){.relay = e->node, .us = e->us};
	}
}

static uint64_t
pause_us(const struct announced *k)
{
	uint64_t us = FULL_US;

	if (k->failures > 0)
		us = RETRY_MAX_US;
	if (k->failures > 0 && k->failures < 8 &&
	    us > (uint64_t)RETRY_US << (k->failures - 1))
		us = (uint64_t)RETRY_US << (k->failures - 1);
	/* Up to a tenth earlier, so that nodes do not stay in step. */
	return us - us / 10 * world_below(k->a->core->world, 1000) / 1000;
}

/* Tells of a change of nodes, or of a reason that is new. */
static void
tell(struct announced *k, int err, bool changed)
{
	if (!changed && (k->sets[0].len > 0 || err == k->told))
		return;
	k->told = err;
	k->sink.changed(k->sink.owner, err);
}

/* The one end of a cycle, whatever became of it: pitfall A9. */
static void
cycle_ended(struct announced *k, int err)
{
	/* Of a cycle that was cut short, the list is half a list: pitfall A7.
	 */
	bool won = err == 0 && k->next.len > 0;
	bool changed = won && !relay_set_same(&k->sets[0], &k->next);

	k->cycle = NULL;
	if (k->deleted || err == ERR_CLOSED)
		return;
	k->down = err != 0;
	k->failures = err == 0 && k->refused == 0 ? 0 : k->failures + 1;
	if (won)
		publish(k);
	k->next.len = 0;
	arm(k, pause_us(k));
	tell(k, won ? 0 : err, changed);
}

static void
on_cycle(void *owner, const struct records_event *e)
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
		cycle_ended(k, e->err);
		break;
	default:
		break;
	}
}

static void
on_rank(void *owner, struct query_node *closest, size_t len)
{
	struct announced *k = owner;

	relay_rank(closest, len, &k->sets[0], is_shunned, k);
	k->holders_len = 0; /* their list follows the commits */
}

static void
begin(struct announced *k)
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
	struct records_sink sink = {.event = on_cycle, .owner = k};
	int err;

	k->began_us = now_us(k);
	k->refused = 0;
	k->next.len = 0;
	err = records_client_announce(k->a->dht, &spec, sink, &k->cycle);
	if (err == 0)
		arm(k, WATCHDOG_US);
	else
		cycle_ended(k, err);
}

static void
on_due(struct timer *t)
{
	struct announced *k = container_of(t, struct announced, timer);

	if (k->deleted)
		conclude(k);
	else if (k->cycle != NULL)
		records_client_cancel(k->cycle);
	else
		begin(k);
}

/* For cause, but not twice within AGAIN_US. */
static void
hasten(struct announced *k)
{
	uint64_t due = k->began_us + AGAIN_US, now = now_us(k);

	if (k->deleted || k->cycle != NULL)
		return;
	if (due < now)
		due = now;
	if (due < k->timer.due_us)
		arm(k, due - now);
}

/* ---- what the pings tell ---- */

/*
 * The relay forwards to an address that we have left. If that was so with the
 * same one the last time too, it does not tell the truth.
 */
static void
strayed(struct announced *k, const struct addr *relay)
{
	if (k->cycle != NULL)
		return;
	if (addr_equal(&k->strayed, relay) &&
	    now_us(k) - k->began_us < WATCHDOG_US)
		shun(k, relay);
	k->strayed = *relay;
	hasten(k);
}

static void
on_pong(void *owner, const struct addr *relay, const struct addr *us)
{
	struct announcer *a = owner;
	struct announced *k;

	LIST_FOREACH (k, &a->keys, link) {
		const struct relay_entry *seat =
		    relay_set_find(&k->sets[0], relay);

		if (seat == NULL)
			continue;
		if (!addr_equal(&seat->us, us))
			strayed(k, relay);
		else if (k->down)
			hasten(k); /* we are back */
	}
}

static void
on_lost(void *owner, const struct addr *relay)
{
	struct announcer *a = owner;
	struct announced *k;

	LIST_FOREACH (k, &a->keys, link)
		/* A cycle that has failed is repeated at its own pace. */
		if (k->failures == 0 &&
		    relay_set_find(&k->sets[0], relay) != NULL)
			hasten(k);
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
		timer_disarm(a->core->timers, &k->timer);
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
	k->a = a;
	k->keys = keys;
	k->sink = sink;
	k->timer.fire = on_due;
	key_target(k->target, keys->public_key);
	if (timer_arm(a->core->timers, &k->timer, now_us(k)) != 0) {
		free(k);
		*out = NULL;
		return ERR_MEMORY;
	}
	LIST_INSERT_HEAD(&a->keys, k, link);
	return 0;
}

void
announcer_del(struct announced *k)
{
	struct addr nodes[2 * RELAYS_MAX];
	size_t len;

	k->deleted = true;
	if (k->cycle != NULL)
		records_client_cancel(k->cycle);
	/* Also those that have confirmed in the cycle that was cut short. */
	len = left_out(nodes, &k->next, &k->sets[0]);
	for (uint32_t i = 0; i < k->sets[0].len; i++) {
		nodes[len++] = k->sets[0].at[i].relay;
		keepalive_release(&k->a->keepalive, &k->sets[0].at[i].relay);
	}
	k->sets[0].len = 0;
	withdraw(k, nodes, len);
	/* If there is nobody to tell, the end comes in the next wake-up. */
	if (k->withdrawing == 0)
		arm(k, 0);
	else
		timer_disarm(k->a->core->timers, &k->timer);
}

void
announcer_renew(struct announcer *a)
{
	struct announced *k;

	LIST_FOREACH (k, &a->keys, link) {
		if (k->deleted)
			continue;
		if (k->cycle != NULL)
			records_client_cancel(k->cycle);
		k->failures = 0;
		memset(k->shunned, 0, sizeof k->shunned);
		arm(k, 0);
	}
}

void
announcer_repace(struct announcer *a)
{
	keepalive_repace(&a->keepalive);
}

/* ---- what is handed out ---- */

const struct relay_set *
announced_relays(const struct announced *k)
{
	return &k->sets[0];
}

size_t
announced_addresses(const struct announced *k, struct addr out[RELAYS_MAX])
{
	const struct addr *open = dht_open_address(k->a->dht);
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
