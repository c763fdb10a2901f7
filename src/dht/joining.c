/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/candidate.h"
#include "dht/joining.h"
#include "dht/maintenance.h"
#include "dht/promotion.h"
#include "dht/queries.h"

static void start_walk(struct joining *j);

int
joining_init(struct joining *j, const struct dht_config *c)
{
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
	j->known_len = c->known_len < DHT_KNOWN_NODES_MAX ? c->known_len
							  : DHT_KNOWN_NODES_MAX;
	if (j->known_len > 0)
		memcpy(j->known, c->known, j->known_len * sizeof *j->known);
	return 0;
}

void
joining_fini(struct joining *j)
{
	free(j->entries);
	free(j->addrs);
	free(j->known);
}

size_t
joining_addresses(const struct joining *j, struct addr *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < j->len && n < max; i++)
		if (j->addrs[i].family != ADDR_NONE)
			out[n++] = j->addrs[i];
	return n;
}

/* ---- RESOLVE ---- */

/* Starts to resolve names. Skips entries that also give an address, unless
 * `all` is set. */
static void
resolve_names(struct joining *j, bool all)
{
	struct world *w = j->self->world;

	for (uint32_t i = 0; i < j->len; i++) {
		const struct bootstrap_entry *e = &j->entries[i];

		if (e->name[0] == '\0' || (!all && e->addr.family != ADDR_NONE))
			continue;
		if (w->ops->resolve(w, e->name, i) == 0)
			j->resolving++;
	}
}

void
joining_resolve_again(struct joining *j)
{
	if (j->resolving == 0)
		resolve_names(j, true);
}

void
joining_resolved(struct joining *j, uint32_t ticket, const struct addr *a)
{
	if (ticket >= j->len || j->resolving == 0)
		return;
	j->resolving--;
	if (a != NULL && a->family == ADDR_V4) {
		j->addrs[ticket] = *a;
		j->addrs[ticket].port = j->entries[ticket].port;
	}
	if (j->resolving == 0 && j->state == JOINING_RESOLVE)
		start_walk(j);
}

/* ---- CHECK and DONE ---- */

static void
finish_joining(struct joining *j)
{
	j->state = JOINING_DONE;
	j->self->bootstrapped = true;
	j->self->events |= DHT_EV_BOOTSTRAPPED;
	maintenance_arm(j->maintenance);
	queries_release(j->queries);
}

void
joining_checked(struct joining *j, bool changed)
{
	if (j->state != JOINING_CHECK)
		return;
	if (changed && j->walks < 2)
		start_walk(j);
	else
		finish_joining(j);
}

/* Checks our own address once both the walk and the NAT check have ended. */
static void
start_check(struct joining *j)
{
	const struct local_node *self = j->self;

	if (j->walking || j->nat_check == NAT_CHECK_PENDING)
		return;
	j->state = JOINING_CHECK;
	if (self->config.role == DHT_PERSISTENT && self->ephemeral)
		promotion_check(j->promotion, false);
	else if (j->nat_check == NAT_CHECK_OPEN && self->firewalled)
		promotion_check(j->promotion, true);
	else
		joining_checked(j, false);
}

/* ---- WALK ---- */

static void
on_nat_checked(void *owner, const struct dht_answer *a)
{
	struct joining *j = owner;

	j->nat_check = a->err == 0 && a->sock == j->self->server.handle
			   ? NAT_CHECK_OPEN
			   : NAT_CHECK_CLOSED;
	if (a->err != ERR_CLOSED)
		start_check(j);
}

/* Asks the first node that answers to send a reply to the server socket,
 * protocol 01 §12.4. */
static void
on_walk_reply(void *owner, const struct dht_answer *a)
{
	struct joining *j = owner;
	struct dht_done done = {.call = on_nat_checked, .owner = j};

	if (j->nat_check != NAT_CHECK_NONE || !j->self->firewalled ||
	    j->self->config.role != DHT_AUTO)
		return;
	j->nat_check = promotion_ping_nat(j->promotion, &a->from, 1, done) == 0
			   ? NAT_CHECK_PENDING
			   : NAT_CHECK_CLOSED;
}

static void
on_walked(void *owner, const struct query_result *r)
{
	struct joining *j = owner;

	j->walking = false;
	if (r->err == ERR_CLOSED)
		return;
	if (r->replies == 0 && !j->all_names_tried) {
		j->all_names_tried = true;
		j->state = JOINING_RESOLVE;
		resolve_names(j, true);
		if (j->resolving > 0)
			return;
	}
	start_check(j);
}

static void
start_walk(struct joining *j)
{
	struct query_spec spec = {
	    .internal = true,
	    .command = RPC_FIND_NODE,
	    .background = true,
	    .reply = on_walk_reply,
	    .done = on_walked,
	    .owner = j,
	};

	memcpy(spec.target, j->self->table.own, ID_LEN);
	j->state = JOINING_WALK;
	j->walks++;
	j->walking = queries_start(j->queries, &spec, NULL) == 0;
	if (!j->walking)
		start_check(j);
}

void
joining_start(struct joining *j)
{
	for (size_t i = 0; i < j->known_len; i++)
		candidates_ping_known(j->candidates, &j->known[i]);
	resolve_names(j, false);
	if (j->resolving == 0)
		start_walk(j);
}
