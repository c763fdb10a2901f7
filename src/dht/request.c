/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/inside.h"

/*
 * A request of ours is in one of two places: in `waiting`, while the
 * congestion window is full, or on the wire with its timer armed. It ends in
 * exactly one of: reply, timeout, cancelled, closed.
 */

enum { LATE_WAIT_MS = 1500 };

static void on_timer(struct timer *t);
static void on_flush(struct timer *t);

void
requests_init(struct dht *d)
{
	struct requests *rs = &d->requests;

	TAILQ_INIT(&rs->waiting);
	window_init(&rs->window, WINDOW_MAX, d->world->now_us);
	rtt_init(&rs->rtt, &d->hash_key);
	rs->flush = (struct timer){.fire = on_flush};
}

void
requests_fini(struct dht *d)
{
	timer_disarm(d->timers, &d->requests.flush);
	rtt_fini(&d->requests.rtt);
}

/* Takes it out of all lists and reports; the completion sees it gone. */
static void
end(struct request *r, const struct dht_answer *a)
{
	struct requests *rs = &r->dht->requests;
	struct dht_done done = r->done;

	HASH_DELETE(hh, rs->by_tid, r);
	timer_disarm(r->dht->timers, &r->timer);
	if (r->waiting)
		TAILQ_REMOVE(&rs->waiting, r, link);
	else if (r->sent > 0)
		window_ended(&rs->window);
	/* Whoever waits need not wait for the window to move on. */
	if (!TAILQ_EMPTY(&rs->waiting) && !window_is_full(&rs->window))
		timer_arm(r->dht->timers, &rs->flush, r->dht->world->now_us);
	rs->len--;
	free(r);
	if (done.call != NULL)
		done.call(done.owner, a);
}

static void
fail(struct request *r, int err)
{
	struct dht_answer a = {.err = err, .from = r->to};

	end(r, &a);
}

void
requests_end(struct dht *d, int err)
{
	while (d->requests.by_tid != NULL)
		fail(d->requests.by_tid, err);
}

static struct request *
first_from(const struct dht *d, int sock)
{
	struct request *r = d->requests.by_tid;

	while (r != NULL && r->sock != sock)
		r = r->hh.next;
	return r;
}

void
requests_socket_closed(struct dht *d, int sock)
{
	struct request *r;

	/* From the start each time: a completion may end others. */
	while ((r = first_from(d, sock)) != NULL)
		fail(r, ERR_CANCELLED);
}

void
dht_cancel(struct dht *d, struct request *r)
{
	(void)d;
	fail(r, ERR_CANCELLED);
}

static struct request *
find_tid(struct dht *d, uint16_t tid)
{
	struct request *r;

	/* Our own random numbers: nobody else chooses them, so no keyed hash.
	 */
	HASH_FIND_BYHASHVALUE(hh, d->requests.by_tid, &tid, sizeof tid, tid, r);
	return r;
}

/* Random, so that a spoofer must guess; never one that is in flight. */
static uint16_t
draw_tid(struct dht *d)
{
	uint16_t tid;

	do
		tid = (uint16_t)world_random32(d->world);
	while (find_tid(d, tid) != NULL);
	return tid;
}

static uint64_t
wait_us(struct request *r)
{
	struct dht *d = r->dht;
	uint32_t ms = r->timeout_ms;

	for (unsigned i = 2; r->doubling && i < r->sent && ms < REQUEST_WAIT_MS;
	     i += 2)
		ms = ms < REQUEST_WAIT_MS / 2 ? ms * 2 : REQUEST_WAIT_MS;
	if (ms == 0)
		ms = rtt_wait_ms(&d->requests.rtt, d->world, &r->to, r->sent) +
		     world_below(d->world, RTT_JITTER_MS);
	return (uint64_t)ms * 1000;
}

/* Puts it on the wire, the first time or again; always the same bytes. */
static void
transmit(struct request *r)
{
	struct dht *d = r->dht;
	struct dgram_meta meta = {.sock = r->sock, .to = r->to};

	if (r->sent++ == 0) {
		r->first_us = d->world->now_us;
		d->stats->requests_sent++;
	} else {
		d->stats->requests_resent++;
	}
	r->sent_us = d->world->now_us;
	window_sent(&d->requests.window);
	/* Lost here or on the way: the timer sees no difference. */
	dht_send(d, &meta, r->bytes, r->len);
	timer_arm(d->timers, &r->timer, d->world->now_us + wait_us(r));
}

static void
send_or_wait(struct request *r)
{
	struct dht *d = r->dht;
	struct requests *rs = &d->requests;

	window_move(&rs->window, d->world->now_us);
	if (TAILQ_EMPTY(&rs->waiting) && !window_is_full(&rs->window)) {
		transmit(r);
		return;
	}
	r->waiting = true;
	TAILQ_INSERT_TAIL(&rs->waiting, r, link);
	if (!timer_armed(&rs->flush))
		timer_arm(d->timers, &rs->flush,
		    rs->window.moved_us + WINDOW_SLOT_US);
}

static void
on_flush(struct timer *t)
{
	struct requests *rs = container_of(t, struct requests, flush);
	struct request *r = TAILQ_FIRST(&rs->waiting);
	struct dht *d;

	if (r == NULL)
		return;
	d = r->dht;
	window_move(&rs->window, d->world->now_us);
	while ((r = TAILQ_FIRST(&rs->waiting)) != NULL &&
	       !window_is_full(&rs->window)) {
		TAILQ_REMOVE(&rs->waiting, r, link);
		r->waiting = false;
		transmit(r);
	}
	if (r != NULL)
		timer_arm(d->timers, &rs->flush,
		    rs->window.moved_us + WINDOW_SLOT_US);
}

static void
on_timer(struct timer *t)
{
	struct request *r = container_of(t, struct request, timer);
	struct dht *d = r->dht;

	if (r->sent < r->sends_max) {
		transmit(r);
		if (r->missed != NULL)
			r->missed(r->done.owner);
		return;
	}
	tick_catch_up(d);
	d->stats->requests_lost++;
	d->requests.timeouts++;
	if (r->has_id)
		candidate_failed(d, r->id);
	fail(r, ERR_TIMEOUT);
}

/* The request with its datagram, or NULL and *err. */
static struct request *
request_new(struct dht *d, const struct dht_call *c, int sock, int *err)
{
	uint8_t buf[DGRAM_MAX];
	struct rpc_request m = {
	    .tid = draw_tid(d),
	    .internal = c->internal,
	    .command = c->command,
	    .to = c->to,
	    .id = dht_id_for(d, sock),
	    .token = c->token,
	    .target = c->target,
	    .value = c->value,
	};
	size_t len = rpc_request_encode(&m, buf, sizeof buf);
	struct request *r;

	*err = ERR_VALUE;
	if (len == 0)
		return NULL;
	*err = ERR_MEMORY;
	if ((r = malloc(sizeof *r + len)) == NULL)
		return NULL;
	*r = (struct request){
	    .dht = d,
	    .timer = {.fire = on_timer},
	    .to = c->to,
	    .sock = sock,
	    .tid = m.tid,
	    .sends_max = c->sends != 0 ? c->sends : REQUEST_SENDS,
	    .timeout_ms = c->timeout_ms,
	    .doubling = c->doubling,
	    .len = (uint16_t)len,
	};
	memcpy(r->bytes, buf, len);
	HASH_ADD_BYHASHVALUE(
	    hh, d->requests.by_tid, tid, sizeof r->tid, r->tid, r);
	if (r->hh.tbl == NULL) {
		free(r);
		return NULL;
	}
	d->requests.len++;
	return r;
}

int
request_start(struct dht *d, const struct dht_call *c,
    const struct request_extra *x, struct dht_done done, struct request **out)
{
	int sock = x->sock != WORLD_NO_SOCK ? x->sock : dht_active(d)->handle;
	struct request *r;
	int err;

	if (d->closing || sock == WORLD_NO_SOCK)
		return ERR_CLOSED;
	if (c->to.family != ADDR_V4 || !addr_usable(&c->to))
		return ERR_VALUE;
	/* Room for the timers of all requests, those that wait too: so arming
	 * cannot fail later, when nobody could be told. */
	if (d->requests.len >= d->limits->requests ||
	    timers_reserve(d->timers, d->timers->len + d->requests.len + 8) !=
		0) {
		d->stats->requests_refused++;
		return ERR_BUSY;
	}
	if ((r = request_new(d, c, sock, &err)) == NULL)
		return err;
	r->done = done;
	r->missed = x->missed;
	if (x->id != NULL) {
		r->has_id = true;
		memcpy(r->id, x->id, ID_LEN);
	}
	if (out != NULL)
		*out = r;
	send_or_wait(r);
	return 0;
}

int
dht_call(struct dht *d, const struct dht_call *c, struct dht_done done,
    struct request **out)
{
	return dht_call_from(d, WORLD_NO_SOCK, c, done, out);
}

int
dht_call_from(struct dht *d, int sock, const struct dht_call *c,
    struct dht_done done, struct request **out)
{
	struct request_extra x = {.sock = sock};

	return request_start(d, c, &x, done, out);
}

/*
 * Nobody outside sees us at a private address. Who says so is mistaken, or
 * wants us to believe that we are among ourselves, where no limits hold.
 */
static bool
can_see(const struct addr *from, const struct addr *us)
{
	return addr_scope(us) == ADDR_PUBLIC || addr_scope(from) != ADDR_PUBLIC;
}

/* What a matched reply teaches: round trip, proof, our address, its id. */
static void
learn(struct dht *d, const struct request *r, const struct dgram *dg,
    const struct rpc_reply *m, const uint8_t *id)
{
	uint64_t rtt_us = d->world->now_us - r->sent_us;
	bool tells_us = dg->sock == r->sock &&
			dg->sock == dht_active(d)->handle &&
			can_see(&dg->from, &m->to);
	bool wanted = candidate_answered(d, id, &dg->from, tells_us);

	/* A late reply may answer any of the sends (Karn): count from the
	 * first, which errs on the safe side. */
	if (r->sent > 2)
		rtt_us = d->world->now_us - r->first_us;
	rtt_put(&d->requests.rtt, d->world, &r->to, (uint32_t)(rtt_us / 1000));
	if (!dht_is_private(d))
		guard_prove(&d->guard, d->world, &dg->from);
	if (tells_us && id == NULL)
		promote_sample_idless(d, &dg->from, &m->to);
	else if (wanted)
		promote_sample(d, &m->to);
}

int
requests_reply(struct dht *d, const struct dgram *dg)
{
	struct rpc_reply m;
	const uint8_t *id;
	struct dht_answer a;
	struct request *r;
	int err = rpc_reply_decode(&m, dg->buf, dg->len);

	if (err != 0)
		return stats_drop(d->stats, err);
	r = find_tid(d, m.tid);
	if (r == NULL || r->sent == 0) {
		candidate_guessed(d, &dg->from);
		return stats_drop(d->stats, ERR_UNMATCHED);
	}
	if (!addr_equal(&r->to, &dg->from))
		return stats_drop(d->stats, ERR_SPOOFED);
	id = dht_prove_id(d, m.id, &dg->from);
	d->stats->replies_accepted++;
	d->requests.replies++;
	learn(d, r, dg, &m, id);
	a = (struct dht_answer){
	    .reply = &m,
	    .from = dg->from,
	    .sock = dg->sock,
	    .id = id,
	    .token = m.token,
	    .rtt_us = d->world->now_us - r->sent_us,
	};
	end(r, &a);
	return 0;
}
