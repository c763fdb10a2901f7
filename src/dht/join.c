/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/inside.h"

/*
 * RESOLVE --every name answered--> WALK --walk and quick check ended--> CHECK
 *   CHECK --changed, first time--> WALK
 *   CHECK --else--> DONE (bootstrapped, also when nobody answered)
 * A walk that nobody answers leads once back to RESOLVE, for the names that
 * were spared because the list gives an address beside them.
 */

enum { KNOWN_TRIED = 64 /* good nodes of an earlier run, pinged at once */ };

static void walk(struct dht *d);

int
join_init(struct dht *d)
{
	const struct dht_config *c = &d->config;
	struct join *j = &d->join;

	j->entries = calloc(c->bootstrap_len + 1, sizeof *j->entries);
	j->addrs = calloc(c->bootstrap_len + 1, sizeof *j->addrs);
	j->known = calloc(c->known_len + 1, sizeof *j->known);
	if (j->entries == NULL || j->addrs == NULL || j->known == NULL)
		return ERR_MEMORY;
	j->len = c->bootstrap_len;
	for (size_t i = 0; i < j->len; i++) {
		j->entries[i] = c->bootstrap[i];
		j->addrs[i] = c->bootstrap[i].addr;
	}
	j->known_len = c->known_len < KNOWN_TRIED ? c->known_len : KNOWN_TRIED;
	if (j->known_len > 0)
		memcpy(j->known, c->known, j->known_len * sizeof *j->known);
	return 0;
}

void
join_fini(struct dht *d)
{
	free(d->join.entries);
	free(d->join.addrs);
	free(d->join.known);
}

size_t
join_addresses(const struct dht *d, struct addr *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < d->join.len && n < max; i++)
		if (d->join.addrs[i].family != ADDR_NONE)
			out[n++] = d->join.addrs[i];
	return n;
}

/* Starts to look up names; those of entries with an address only if asked. */
static void
resolve(struct dht *d, bool all)
{
	struct join *j = &d->join;

	for (uint32_t i = 0; i < j->len; i++) {
		const struct bootstrap_entry *e = &j->entries[i];

		if (e->name[0] == '\0' || (!all && e->addr.family != ADDR_NONE))
			continue;
		if (d->world->ops->resolve(d->world, e->name, i) == 0)
			j->resolving++;
	}
}

void
join_resolve(struct dht *d)
{
	if (d->join.resolving == 0)
		resolve(d, true);
}

void
dht_resolved(struct dht *d, uint32_t ticket, const struct addr *a)
{
	struct join *j = &d->join;

	if (ticket >= j->len || j->resolving == 0)
		return;
	j->resolving--;
	if (a != NULL && a->family == ADDR_V4) {
		j->addrs[ticket] = *a;
		j->addrs[ticket].port = j->entries[ticket].port;
	}
	if (j->resolving == 0 && j->state == JOIN_RESOLVE)
		walk(d);
}

static void
done(struct dht *d)
{
	d->join.state = JOIN_DONE;
	d->bootstrapped = true;
	d->events |= DHT_EV_BOOTSTRAPPED;
	tick_arm(d);
	queries_release(d);
}

void
join_checked(struct dht *d, bool changed)
{
	if (d->join.state != JOIN_CHECK)
		return;
	if (changed && d->join.walks < 2)
		walk(d);
	else
		done(d);
}

/* The walk and the quick check are over: what about the own address? */
static void
check(struct dht *d)
{
	struct join *j = &d->join;

	if (j->walking || j->quick_pending)
		return;
	j->state = JOIN_CHECK;
	if (d->config.role == DHT_PERSISTENT && d->ephemeral)
		promote_check(d, false);
	else if (j->quick_ok && d->firewalled)
		promote_check(d, true);
	else
		join_checked(d, false);
}

static void
on_quick(void *owner, const struct dht_answer *a)
{
	struct dht *d = owner;

	d->join.quick_pending = false;
	d->join.quick_ok = a->err == 0 && a->sock == d->server.handle;
	if (a->err != ERR_CLOSED)
		check(d);
}

/* Asks the first who answers to answer on the other socket, protocol 01 §12.4.
 */
static void
on_reply(void *owner, const struct dht_answer *a)
{
	struct dht *d = owner;
	struct dht_done done_quick = {.call = on_quick, .owner = d};

	if (d->join.quick_asked || !d->firewalled || d->config.role != DHT_AUTO)
		return;
	d->join.quick_asked = true;
	d->join.quick_pending =
	    promote_ping_nat(d, &a->from, 1, done_quick) == 0;
}

static void
on_walked(void *owner, const struct query_result *r)
{
	struct dht *d = owner;
	struct join *j = &d->join;

	j->walking = false;
	if (r->err == ERR_CLOSED)
		return;
	if (r->replies == 0 && !j->asked_all_names) {
		j->asked_all_names = true;
		j->state = JOIN_RESOLVE;
		resolve(d, true);
		if (j->resolving > 0)
			return;
	}
	check(d);
}

static void
walk(struct dht *d)
{
	struct query_spec spec = {
	    .internal = true,
	    .command = RPC_FIND_NODE,
	    .background = true,
	    .reply = on_reply,
	    .done = on_walked,
	    .owner = d,
	};

	memcpy(spec.target, d->table.own, ID_LEN);
	d->join.state = JOIN_WALK;
	d->join.walks++;
	d->join.walking = query_start(d, &spec, NULL) == 0;
	if (!d->join.walking)
		check(d);
}

void
join_start(struct dht *d)
{
	for (size_t i = 0; i < d->join.known_len; i++)
		candidate_try(d, &d->join.known[i]);
	resolve(d, false);
	if (d->join.resolving == 0)
		walk(d);
}
