/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "signal/keepalive.h"

enum {
	/* The interval of the reference, protocol 02 §12, while the lifetime of
	 * mappings is unknown. */
	PING_S = 3,
	PHASES = 3, /* as many as one key has relays */
	/* The last transmission of a PING times out before the next is due. */
	PING_SENDS = 3,
	PING_WAIT_MS = 900,
};

/* A relay that is pinged. */
struct keepalive_relay {
	LIST_ENTRY(keepalive_relay) link;
	struct keepalive *k;
	struct addr relay;
	uint32_t refs; /* 0: freed when the request in flight has ended */
	struct timer timer;
	struct request *request;
	bool lost;      /* the last PING was not answered */
	struct addr us; /* our address as it saw it last, or none */
	int sock;       /* that the address belongs to */
};

static void on_due(struct timer *t);

void
keepalive_init(struct keepalive *k, const struct core *core, struct dht *d,
    struct keepalive_sink sink)
{
	k->core = core;
	k->dht = d;
	k->sink = sink;
	k->next_phase = 0;
	LIST_INIT(&k->relays);
}

static void
free_relay(struct keepalive_relay *r)
{
	timer_disarm(r->k->core->timers, &r->timer);
	LIST_REMOVE(r, link);
	free(r);
}

void
keepalive_fini(struct keepalive *k)
{
	struct keepalive_relay *r = LIST_FIRST(&k->relays), *next;

	for (; r != NULL; r = next) {
		next = LIST_NEXT(r, link);
		r->refs = 0;
		/* The completion of a request in flight frees the relay. */
		if (r->request != NULL)
			dht_cancel(k->dht, r->request);
		else
			free_relay(r);
	}
}

static struct keepalive_relay *
find_relay(const struct keepalive *k, const struct addr *relay)
{
	struct keepalive_relay *r;

	LIST_FOREACH (r, &k->relays, link)
		if (addr_equal(&r->relay, relay))
			return r;
	return NULL;
}

bool
keepalive_is_lost(const struct keepalive *k, const struct addr *relay)
{
	const struct keepalive_relay *r = find_relay(k, relay);

	return r != NULL && r->lost;
}

static uint64_t
interval_us(const struct keepalive *k)
{
	return mapping_keep_us(
	    dht_mapping(k->dht), PING_S, MAPPING_KEEP_HEARD_S);
}

static void
arm_ping(struct keepalive_relay *r, uint64_t us)
{
	const struct core *core = r->k->core;

	/*
	 * Without memory, the next cycle of the announcer replaces the relay.
	 */
	timer_arm(core->timers, &r->timer, core->world->now_us + us);
}

/*
 * Spreads the relays over a long interval, so that one of them notices a change
 * of our address soon.
 */
static void
arm_first_ping(struct keepalive_relay *r)
{
	struct keepalive *k = r->k;
	uint64_t us = interval_us(k);

	if (us > PING_S * UINT64_C(1000000))
		us = us * (1 + k->next_phase++ % PHASES) / PHASES;
	arm_ping(r, us);
}

void
keepalive_interval_changed(struct keepalive *k)
{
	struct keepalive_relay *r;

	LIST_FOREACH (r, &k->relays, link)
		if (r->refs > 0)
			arm_first_ping(r);
}

/* Reports a change of the address that a relay sees one of our sockets at. */
static void
note_address(struct keepalive_relay *r, const struct dht_answer *a)
{
	struct dht *d = r->k->dht;
	const struct addr *us = &a->reply->to;

	if (addr_usable(us) && r->us.family != ADDR_NONE &&
	    r->sock == a->sock && !addr_equal(&r->us, us))
		mapping_changed(dht_mapping(d), addr_same_host(&r->us, us),
		    r->k->core->world->now_us);
	r->us = *us;
	r->sock = a->sock;
}

/*
 * Pings all lost relays at once after one of them has answered, so that the
 * next cycle knows which others are reachable again.
 */
static void
ping_lost_relays(struct keepalive *k)
{
	struct keepalive_relay *r;

	LIST_FOREACH (r, &k->relays, link)
		if (r->lost && r->refs > 0)
			arm_ping(r, 0);
}

static void
on_pong(void *owner, const struct dht_answer *a)
{
	struct keepalive_relay *r = owner;
	const struct keepalive_sink *sink = &r->k->sink;

	r->request = NULL;
	if (r->refs == 0) {
		free_relay(r);
		return;
	}
	if (a->err == 0) {
		note_address(r, a);
		if (r->lost)
			ping_lost_relays(r->k);
	}
	r->lost = a->err != 0;
	/* The sink comes last, since it may release this relay too. */
	if (a->err == 0)
		sink->pong(sink->owner, &a->from, &a->reply->to);
	else if (a->err == ERR_TIMEOUT)
		sink->lost(sink->owner, &a->from);
}

static void
on_due(struct timer *t)
{
	struct keepalive_relay *r =
	    container_of(t, struct keepalive_relay, timer);
	struct dht_call c = {
	    .to = r->relay,
	    .internal = true,
	    .command = RPC_PING,
	    .sends = PING_SENDS,
	    .timeout_ms = PING_WAIT_MS,
	};
	struct dht_done done = {.call = on_pong, .owner = r};

	arm_ping(r, interval_us(r->k));
	/* A PING that could not be sent is made up for by the next one. */
	if (r->request == NULL)
		(void)dht_call(r->k->dht, &c, done, &r->request);
}

void
keepalive_hold(struct keepalive *k, const struct addr *relay)
{
	struct keepalive_relay *r = find_relay(k, relay);

	if (r == NULL) {
		if ((r = calloc(1, sizeof *r)) == NULL)
			return;
		r->k = k;
		r->relay = *relay;
		LIST_INSERT_HEAD(&k->relays, r, link);
	}
	if (r->refs++ == 0) {
		r->timer.fire = on_due;
		r->lost = false;
		arm_first_ping(r);
	}
}

void
keepalive_release(struct keepalive *k, const struct addr *relay)
{
	struct keepalive_relay *r = find_relay(k, relay);

	if (r == NULL || r->refs == 0 || --r->refs > 0)
		return;
	timer_disarm(k->core->timers, &r->timer);
	if (r->request == NULL)
		free_relay(r);
}
