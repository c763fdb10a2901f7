/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "punch/inside.h"

/* The pool grows by one socket at a time: no burst of PINGs. */
enum { FILL_GAP_MS = 300 };

static void on_fill(struct timer *t);

struct punch *
punch_new(const struct core *core, struct dht *d, struct router *rt)
{
	const struct limits *l = core->limits;
	struct punch *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->core = core;
	p->d = d;
	p->rt = rt;
	p->fill.fire = on_fill;
	TAILQ_INIT(&p->idle);
	TAILQ_INIT(&p->punchers);
	upkeep_init(&p->upkeep, p);
	turns_init(&p->turns, p->core->timers, l->punch_fans, l->punch_sprays);
	return p;
}

/* Until so many are left. */
static void
drop_idle(struct punch *p, uint32_t left)
{
	struct lookout *o;

	while (p->idle_len > left && (o = TAILQ_FIRST(&p->idle)) != NULL) {
		TAILQ_REMOVE(&p->idle, o, link);
		p->idle_len--;
		lookout_close(o);
	}
}

void
punch_free(struct punch *p)
{
	struct puncher *last;

	if (p == NULL)
		return;
	while ((last = TAILQ_FIRST(&p->punchers)) != NULL)
		puncher_free(last, WORLD_NO_SOCK);
	drop_idle(p, 0);
	upkeep_fini(&p->upkeep);
	while (p->holes != NULL)
		punch_close(p, p->holes->sock);
	timer_disarm(p->core->timers, &p->fill);
	turns_fini(&p->turns);
	free(p);
}

/* ---- sockets ---- */

static struct hole *
find_hole(const struct punch *p, int sock)
{
	struct hole *h;

	/* Handles are ours: nobody else chooses them, so no keyed hash. */
	HASH_FIND_BYHASHVALUE(
	    hh, p->holes, &sock, sizeof sock, (unsigned)sock, h);
	return h;
}

int
room_open_hole(struct punch *p, struct hole *h, uint16_t *port)
{
	struct addr bound;

	h->sock = dht_open_socket(p->d, &bound);
	if (h->sock < 0)
		return h->sock;
	*port = bound.port;
	HASH_ADD_BYHASHVALUE(
	    hh, p->holes, sock, sizeof h->sock, (unsigned)h->sock, h);
	if (h->hh.tbl != NULL)
		return 0;
	dht_close_socket(p->d, h->sock);
	return ERR_MEMORY;
}

void
room_close_hole(struct punch *p, struct hole *h)
{
	HASH_DELETE(hh, p->holes, h);
	dht_close_socket(p->d, h->sock);
}

static bool
is_idle(const struct punch *p, const struct hole *h)
{
	const struct lookout *o;

	TAILQ_FOREACH (o, &p->idle, link)
		if (o == h->lookout)
			return true;
	return false;
}

bool
puncher_has(const struct puncher *p, int sock)
{
	const struct hole *h = find_hole(p->room, sock);

	return h != NULL && h->of == p;
}

void
punch_close(struct punch *p, int sock)
{
	struct hole *h = find_hole(p, sock);

	if (h == NULL || h->of != NULL || is_idle(p, h))
		return;
	if (h->lookout != NULL) {
		lookout_close(h->lookout);
		return;
	}
	room_close_hole(p, h);
	free(h);
}

int
punch_recv(struct punch *p, const struct dgram *dg)
{
	struct hole *h = dg->len <= 1 ? find_hole(p, dg->sock) : NULL;

	if (h == NULL)
		return PUNCH_NOT_MINE;
	if (dg->from.family != ADDR_V4 || !dht_may_send(p->d, &dg->from))
		return stats_drop(p->core->stats, ERR_PRIVATE);
	p->core->stats->probes_received++;
	if (h->of != NULL)
		return puncher_probed(h->of, dg);
	if (h->lookout != NULL) {
		h->lookout->probes++;
		h->lookout->prober = dg->from;
	}
	return stats_drop(p->core->stats, ERR_UNMATCHED);
}

/* ---- the pool ---- */

static void
fill(struct punch *p)
{
	if (p->ready && p->idle_len < p->core->limits->punch_pool &&
	    !timer_armed(&p->fill))
		timer_arm(p->core->timers, &p->fill,
		    p->core->world->now_us + FILL_GAP_MS * 1000);
}

static void
put_idle(struct punch *p, struct lookout *o)
{
	TAILQ_INSERT_TAIL(&p->idle, o, link);
	p->idle_len++;
	lookout_rest(o);
}

static void
on_fill(struct timer *t)
{
	struct punch *p = container_of(t, struct punch, fill);
	struct lookout *o;
	int err;

	if (p->ready && p->idle_len < p->core->limits->punch_pool &&
	    (o = lookout_open(p, &err)) != NULL)
		put_idle(p, o);
	fill(p);
}

void
punch_keep_ready(struct punch *p, bool on)
{
	p->ready = on;
	if (on)
		fill(p);
	else
		drop_idle(p, 0);
	upkeep_check(&p->upkeep);
}

void
punch_hold(struct punch *p)
{
	p->upkeep.paths++;
	upkeep_check(&p->upkeep);
}

void
punch_let_go(struct punch *p)
{
	p->upkeep.paths--;
	upkeep_check(&p->upkeep);
}

void
punch_repaced(struct punch *p)
{
	upkeep_check(&p->upkeep);
}

void
punch_limits_changed(struct punch *p)
{
	const struct limits *l = p->core->limits;

	turns_set_max(&p->turns, l->punch_fans, l->punch_sprays);
	drop_idle(p, l->punch_pool);
	fill(p);
}

bool
punch_probe(struct punch *p, int sock, const struct addr *to, uint8_t ttl)
{
	struct dgram_meta meta = {.sock = sock, .to = *to, .ttl = ttl};
	uint8_t *room = p->core->world->ops->reserve(p->core->world, &meta, 1);

	if (room == NULL)
		return false;
	*room = 0;
	if (p->core->world->ops->commit(p->core->world, 1) != 0)
		return false;
	p->core->stats->probes_sent++;
	p->core->stats->tx_datagrams++;
	p->core->stats->tx_bytes++;
	return true;
}

void
punch_wake(struct punch *p)
{
	drop_idle(p, 0);
	fill(p);
	upkeep_void(&p->upkeep);
}

struct lookout *
room_take(struct punch *p, int *err)
{
	struct lookout *o, *best = TAILQ_FIRST(&p->idle);

	TAILQ_FOREACH (o, &p->idle, link)
		if (gauge_decided(&o->gauge)) {
			best = o;
			break;
		}
	if (best == NULL)
		return lookout_open(p, err);
	TAILQ_REMOVE(&p->idle, best, link);
	p->idle_len--;
	lookout_rouse(best);
	fill(p);
	return best;
}

void
room_give(struct punch *p, struct lookout *o, bool reusable)
{
	o->hole.of = NULL;
	o->sampled = NULL;
	if (!reusable || !p->ready ||
	    p->idle_len >= p->core->limits->punch_pool) {
		lookout_close(o);
		return;
	}
	gauge_unfreeze(&o->gauge);
	put_idle(p, o);
}

void
punch_refuse(
    struct punch *p, const uint8_t *secret, const struct router_call *call)
{
	static const struct claims aborted = {.error = CLAIMS_ABORTED};
	uint8_t box[CLAIMS_BOX_MAX], nonce[CLAIMS_NONCE_LEN];
	struct claims c;
	size_t len;

	if (claims_open(&c, secret, call->sealed) != 0)
		return;
	p->core->world->ops->random(p->core->world, nonce, sizeof nonce);
	len = claims_seal(&aborted, secret, nonce, box);
	router_answer(
	    p->rt, &call->ticket, (struct bytes){box, len}, WORLD_NO_SOCK);
}
