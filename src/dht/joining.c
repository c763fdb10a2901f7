/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/candidate.h"
#include "dht/health.h"
#include "dht/joining.h"
#include "dht/maintenance.h"
#include "dht/promotion.h"
#include "dht/queries.h"

/* After this time a failed name lookup was not answered by a resolver. */
enum { NAME_SILENT_US = 1500 * 1000 };

static void start_walk(struct joining *j);

int
joining_init(struct joining *j, const struct dht_config *c)
{
	j->entries = calloc(c->bootstrap_len + 1, sizeof *j->entries);
	j->known = calloc(c->known_len + 1, sizeof *j->known);
	if (j->entries == NULL || j->known == NULL)
		return ERR_MEMORY;
	j->len = c->bootstrap_len;
	for (size_t i = 0; i < j->len; i++) {
		j->entries[i].config = c->bootstrap[i];
		j->entries[i].addr = c->bootstrap[i].addr;
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
	free(j->known);
}

/* ---- the list ---- */

size_t
joining_addresses(const struct joining *j, struct addr *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < j->len && n < max; i++)
		if (j->entries[i].addr.family != ADDR_NONE)
			out[n++] = j->entries[i].addr;
	return n;
}

static void
set_result(
    struct joining *j, struct joining_entry *e, enum dht_entry_result result)
{
	e->result = (uint8_t)result;
	e->result_us = j->self->world->now_us;
}

static bool
is_self(const struct joining *j, const struct joining_entry *e)
{
	const struct addr *us = local_node_public_address(j->self);

	return us != NULL && addr_equal(us, &e->addr);
}

bool
joining_is_alone(const struct joining *j)
{
	for (size_t i = 0; i < j->len; i++)
		if (!is_self(j, &j->entries[i]))
			return false;
	return true;
}

bool
joining_entry(const struct joining *j, size_t i, struct dht_entry *out)
{
	const struct joining_entry *e;

	if (i >= j->len)
		return false;
	e = &j->entries[i];
	*out = (struct dht_entry){
	    .name = e->config.name,
	    .addr = e->addr,
	    .port = e->config.port,
	    .result = is_self(j, e) ? DHT_ENTRY_SELF : e->result,
	    .age_us = e->result != DHT_ENTRY_UNTRIED
			  ? j->self->world->now_us - e->result_us
			  : 0,
	};
	return true;
}

const struct addr *
joining_known_node(const struct joining *j, uint32_t i)
{
	return j->known_len > 0 ? &j->known[i % j->known_len] : NULL;
}

void
joining_node_answered(struct joining *j, const struct addr *a)
{
	for (size_t i = 0; i < j->len; i++)
		if (addr_equal(&j->entries[i].addr, a))
			set_result(j, &j->entries[i], DHT_ENTRY_ANSWERED);
}

void
joining_node_silent(struct joining *j, const struct addr *a)
{
	for (size_t i = 0; i < j->len; i++)
		if (addr_equal(&j->entries[i].addr, a))
			set_result(j, &j->entries[i], DHT_ENTRY_SILENT);
}

void
joining_unanswered(struct joining *j)
{
	for (size_t i = 0; i < j->len; i++) {
		struct joining_entry *e = &j->entries[i];

		/* The failed lookup of its name says more than this. */
		if (e->addr.family != ADDR_NONE &&
		    e->result != DHT_ENTRY_SILENT)
			set_result(j, e, DHT_ENTRY_SILENT);
		else if (e->addr.family == ADDR_NONE && e->resolving &&
			 e->result == DHT_ENTRY_UNTRIED)
			set_result(j, e, DHT_ENTRY_NO_RESOLVER);
	}
}

/* ---- RESOLVE ---- */

static bool
is_resolving(const struct joining *j)
{
	for (size_t i = 0; i < j->len; i++)
		if (j->entries[i].resolving)
			return true;
	return false;
}

/* Starts to resolve names. Skips entries that also give an address, unless
 * `all` is set. */
static void
resolve_names(struct joining *j, bool all)
{
	struct world *w = j->self->world;

	for (uint32_t i = 0; i < j->len; i++) {
		struct joining_entry *e = &j->entries[i];

		if (e->resolving || e->config.name[0] == '\0' ||
		    (!all && e->config.addr.family != ADDR_NONE))
			continue;
		e->asked_us = w->now_us;
		e->resolving = w->ops->resolve(w, e->config.name, i) == 0;
	}
}

void
joining_resolve_again(struct joining *j)
{
	resolve_names(j, true);
}

void
joining_retry(struct joining *j)
{
	resolve_names(j, j->all_names_tried || j->state != JOINING_WALK);
	if (j->state == JOINING_RESOLVE)
		start_walk(j);
}

void
joining_again(struct joining *j)
{
	if (j->state == JOINING_WAIT || j->state == JOINING_RESOLVE)
		start_walk(j);
}

void
joining_resolved(struct joining *j, uint32_t ticket, const struct addr *a)
{
	struct joining_entry *e = j->entries + ticket;

	if (ticket >= j->len || !e->resolving)
		return;
	e->resolving = false;
	if (a != NULL && a->family == ADDR_V4) {
		e->addr = *a;
		e->addr.port = e->config.port;
	} else if (e->addr.family == ADDR_NONE) {
		/* A resolver says at once that a name does not exist. */
		set_result(j, e,
		    j->self->world->now_us - e->asked_us < NAME_SILENT_US
			? DHT_ENTRY_NO_NAME
			: DHT_ENTRY_NO_RESOLVER);
	}
	if (j->state != JOINING_RESOLVE) {
		if (e->addr.family != ADDR_NONE)
			health_address_known(j->health, &e->addr);
	} else if (!is_resolving(j)) {
		start_walk(j);
	}
}

/* ---- CHECK and DONE ---- */

static void
finish_joining(struct joining *j)
{
	j->state = JOINING_DONE;
	j->self->bootstrapped = true;
	j->self->events |= DHT_EV_BOOTSTRAPPED;
	maintenance_arm(j->maintenance);
	health_joined(j->health);
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

/* Handles a walk that no node has answered. */
static void
fail_walk(struct joining *j)
{
	j->walks = 0;
	j->state = JOINING_WAIT;
	if (!j->all_names_tried) {
		j->all_names_tried = true;
		resolve_names(j, true);
		if (is_resolving(j))
			j->state = JOINING_RESOLVE;
	}
}

static void
on_walked(void *owner, const struct query_result *r)
{
	struct joining *j = owner;

	j->walking = false;
	if (r->err == ERR_CLOSED)
		return;
	if (r->replies > 0 || joining_is_alone(j))
		start_check(j);
	else
		fail_walk(j);
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
		j->state = JOINING_WAIT;
}

void
joining_start(struct joining *j)
{
	for (size_t i = 0; i < j->known_len; i++)
		candidates_ping_known(j->candidates, &j->known[i]);
	resolve_names(j, false);
	if (!is_resolving(j))
		start_walk(j);
}
