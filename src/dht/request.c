/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/candidate.h"
#include "dht/health.h"
#include "dht/joining.h"
#include "dht/maintenance.h"
#include "dht/promotion.h"
#include "dht/request.h"

static void on_timer(struct timer *t);
static void on_flush(struct timer *t);

void
requests_init(struct requests *rs)
{
	for (unsigned i = 0; i < REQUEST_QUEUES; i++)
		TAILQ_INIT(&rs->waiting[i]);
	rpc_window_init(&rs->window, RPC_WINDOW_MAX, rs->self->world->now_us);
	rtt_table_init(&rs->rtts, &rs->self->hash_key);
	rs->flush = (struct timer){.fire = on_flush};
}

void
requests_fini(struct requests *rs)
{
	timer_disarm(rs->self->timers, &rs->flush);
	rtt_table_fini(&rs->rtts);
}

/* Returns the request that leaves next, or NULL if none waits. */
static struct request *
first_waiting(const struct requests *rs)
{
	struct request *r = NULL;

	for (unsigned i = 0; r == NULL && i < REQUEST_QUEUES; i++)
		r = TAILQ_FIRST(&rs->waiting[i]);
	return r;
}

/* ---- the end of a request ---- */

/* Removes and frees the request, then calls its completion. */
static void
end_request(struct request *r, const struct dht_answer *a)
{
	struct requests *rs = r->requests;
	struct local_node *self = rs->self;
	struct dht_done done = r->done;

	HASH_DELETE(hh, rs->by_tid, r);
	timer_disarm(self->timers, &r->timer);
	if (r->waiting)
		TAILQ_REMOVE(&rs->waiting[r->kind], r, link);
	else if (r->sent > 0)
		rpc_window_ended(&rs->window);
	/* The place is free at once, not only when the window moves on. */
	if (first_waiting(rs) != NULL && !rpc_window_is_full(&rs->window))
		timer_arm(self->timers, &rs->flush, self->world->now_us);
	rs->len--;
	free(r);
	if (done.call != NULL)
		done.call(done.owner, a);
}

static void
fail_request(struct request *r, int err)
{
	struct dht_answer a = {.err = err, .from = r->to};

	end_request(r, &a);
}

void
requests_end(struct requests *rs, int err)
{
	while (rs->by_tid != NULL)
		fail_request(rs->by_tid, err);
}

static struct request *
find_from_socket(const struct requests *rs, int sock)
{
	struct request *r = rs->by_tid;

	while (r != NULL && r->sock != sock)
		r = r->hh.next;
	return r;
}

void
requests_socket_closed(struct requests *rs, int sock)
{
	struct request *r;

	/* Restarts the search each time, as a completion may end others. */
	while ((r = find_from_socket(rs, sock)) != NULL)
		fail_request(r, ERR_CANCELLED);
}

void
request_cancel(struct request *r)
{
	fail_request(r, ERR_CANCELLED);
}

/* ---- transmission ---- */

static struct request *
find_tid(const struct requests *rs, uint16_t tid)
{
	struct request *r;

	/* Tids are our own random numbers, so no keyed hash is needed. */
	HASH_FIND_BYHASHVALUE(hh, rs->by_tid, &tid, sizeof tid, tid, r);
	return r;
}

/*
 * Returns a random tid, which a spoofer has to guess, and which no request has.
 */
static uint16_t
draw_tid(const struct requests *rs)
{
	uint16_t tid;

	do
		tid = (uint16_t)world_random32(rs->self->world);
	while (find_tid(rs, tid) != NULL);
	return tid;
}

/* Returns the timeout of the latest send in microseconds. */
static uint64_t
timeout_us(const struct request *r)
{
	struct requests *rs = r->requests;
	struct world *w = rs->self->world;
	uint32_t ms = r->timeout_ms;

	for (unsigned i = 2; r->doubling && i < r->sent && ms < REQUEST_WAIT_MS;
	     i += 2)
		ms = ms < REQUEST_WAIT_MS / 2 ? ms * 2 : REQUEST_WAIT_MS;
	if (ms == 0)
		ms = rtt_table_timeout_ms(&rs->rtts, w, &r->to, r->sent) +
		     world_below(w, RTT_JITTER_MS);
	return (uint64_t)ms * 1000;
}

/* Transmits or retransmits the request: always the same bytes. */
static void
transmit_request(struct request *r)
{
	struct requests *rs = r->requests;
	struct local_node *self = rs->self;
	struct dgram_meta meta = {.sock = r->sock, .to = r->to};

	if (r->sent++ == 0) {
		r->first_us = self->world->now_us;
		self->stats->requests_sent++;
	} else {
		self->stats->requests_resent++;
	}
	r->sent_us = self->world->now_us;
	rpc_window_sent(&rs->window);
	/* A datagram that cannot be sent is a lost one: the timer retries. */
	local_node_send(self, &meta, r->bytes, r->len);
	timer_arm(self->timers, &r->timer, self->world->now_us + timeout_us(r));
}

static void
arm_flush(struct requests *rs)
{
	timer_arm(rs->self->timers, &rs->flush,
	    rs->window.moved_us + RPC_WINDOW_SLOT_US);
}

bool
requests_can_send(struct requests *rs, enum request_class kind)
{
	rpc_window_move(&rs->window, rs->self->world->now_us);
	if (rpc_window_is_full(&rs->window))
		return false;
	for (unsigned i = 0; i < REQUEST_QUEUES && i <= (unsigned)kind; i++)
		if (!TAILQ_EMPTY(&rs->waiting[i]))
			return false;
	return true;
}

/* Transmits the request if the window has space and none of its class or above
 * waits, or queues it. */
static void
send_or_queue(struct request *r)
{
	struct requests *rs = r->requests;

	if (requests_can_send(rs, r->kind)) {
		transmit_request(r);
		return;
	}
	r->waiting = true;
	TAILQ_INSERT_TAIL(&rs->waiting[r->kind], r, link);
	if (!timer_armed(&rs->flush))
		arm_flush(rs);
}

static void
on_flush(struct timer *t)
{
	struct requests *rs = container_of(t, struct requests, flush);
	struct request *r;

	if (first_waiting(rs) == NULL)
		return;
	rpc_window_move(&rs->window, rs->self->world->now_us);
	while ((r = first_waiting(rs)) != NULL &&
	       !rpc_window_is_full(&rs->window)) {
		TAILQ_REMOVE(&rs->waiting[r->kind], r, link);
		r->waiting = false;
		transmit_request(r);
	}
	if (r != NULL)
		arm_flush(rs);
}

static void
on_timer(struct timer *t)
{
	struct request *r = container_of(t, struct request, timer);
	struct requests *rs = r->requests;

	if (r->sent < r->sends_max) {
		transmit_request(r);
		if (r->missed != NULL)
			r->missed(r->done.owner);
		return;
	}
	maintenance_advance(rs->maintenance);
	rs->self->stats->requests_lost++;
	joining_node_silent(rs->joining, &r->to);
	if (r->has_id)
		candidates_node_failed(rs->candidates, r->id);
	fail_request(r, ERR_TIMEOUT);
}

/* ---- the start of a request ---- */

/* Returns a request with its datagram encoded, or NULL and sets *err. */
static struct request *
request_new(struct requests *rs, const struct dht_call *c, int sock, int *err)
{
	uint8_t buf[DGRAM_MAX];
	struct rpc_request m = {
	    .tid = draw_tid(rs),
	    .internal = c->internal,
	    .command = c->command,
	    .to = c->to,
	    .id = local_node_id_for(rs->self, sock),
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
	if ((r = malloc(sizeof *r + len + RPC_TOKEN_LEN)) == NULL)
		return NULL;
	*r = (struct request){
	    .requests = rs,
	    .timer = {.fire = on_timer},
	    .to = c->to,
	    .sock = sock,
	    .tid = m.tid,
	    .kind = (uint8_t)c->kind,
	    .sends_max = c->sends != 0 ? c->sends : REQUEST_SENDS,
	    .timeout_ms = c->timeout_ms,
	    .doubling = c->doubling,
	    .may_prove = c->token == NULL,
	    .len = (uint16_t)len,
	};
	memcpy(r->bytes, buf, len);
	HASH_ADD_BYHASHVALUE(hh, rs->by_tid, tid, sizeof r->tid, r->tid, r);
	if (r->hh.tbl == NULL) {
		free(r);
		return NULL;
	}
	rs->len++;
	return r;
}

/* Returns true if one more request may be started. */
static bool
admit_request(struct requests *rs)
{
	if (rs->len < rs->self->limits->requests)
		return true;
	rs->self->stats->requests_refused++;
	return false;
}

int
requests_start(struct requests *rs, const struct dht_call *c,
    const struct request_options *x, struct dht_done done, struct request **out)
{
	int sock = x->sock != WORLD_NO_SOCK
		       ? x->sock
		       : local_node_active_socket(rs->self)->handle;
	struct request *r;
	int err;

	if (rs->self->closing || sock == WORLD_NO_SOCK)
		return ERR_CLOSED;
	if (c->to.family != ADDR_V4 || !addr_usable(&c->to))
		return ERR_VALUE;
	if (c->kind == REQUEST_CHECK && !requests_can_send(rs, c->kind))
		return ERR_BUSY;
	if (!admit_request(rs))
		return ERR_BUSY;
	if ((r = request_new(rs, c, sock, &err)) == NULL)
		return err;
	r->done = done;
	r->missed = x->missed;
	if (x->id != NULL) {
		r->has_id = true;
		memcpy(r->id, x->id, ID_LEN);
	}
	if (out != NULL)
		*out = r;
	send_or_queue(r);
	return 0;
}

int
requests_call(struct requests *rs, int sock, const struct dht_call *c,
    struct dht_done done, struct request **out)
{
	struct request_options x = {.sock = sock};

	return requests_start(rs, c, &x, done, out);
}

/* ---- replies ---- */

/*
 * Returns false for a private address reported by a node with a public one. It
 * would make us believe that this network is private and has no limits.
 */
static bool
is_plausible(const struct addr *from, const struct addr *us)
{
	return addr_scope(us) == ADDR_PUBLIC || addr_scope(from) != ADDR_PUBLIC;
}

/* Records what a matched reply shows: round-trip time, validity of its address,
 * our address, its id. */
static void
apply_reply(struct requests *rs, const struct request *r,
    const struct dgram *dg, const struct rpc_reply *m, const uint8_t *id)
{
	struct local_node *self = rs->self;
	uint64_t rtt_us = self->world->now_us - r->sent_us;
	bool shows_us = dg->sock == r->sock &&
			dg->sock == local_node_active_socket(self)->handle &&
			is_plausible(&dg->from, &m->to);
	bool wanted =
	    candidates_reply_received(rs->candidates, id, &dg->from, shows_us);

	/* A late reply may belong to any of the sends (Karn's algorithm):
	 * measuring from the first errs on the safe side. */
	if (r->sent > 2)
		rtt_us = self->world->now_us - r->first_us;
	rtt_table_put(
	    &rs->rtts, self->world, &r->to, (uint32_t)(rtt_us / 1000));
	if (!local_node_is_private(self))
		rate_limiter_validate(rs->limiter, self->world, &dg->from);
	if (shows_us && id == NULL)
		promotion_add_sample_idless(rs->promotion, &dg->from, &m->to);
	else if (wanted)
		promotion_add_sample(rs->promotion, &m->to);
}

/*
 * Sends the request once more with the token of a reply that wants one. Returns
 * false if the reply ends the request. Another reply of that kind answers a
 * copy without the token, and is ignored.
 */
static bool
prove_address(struct request *r, const struct rpc_reply *reply)
{
	uint8_t buf[DGRAM_MAX];
	struct rpc_request m;
	size_t len;

	if (reply->error != RPC_INVALID_TOKEN || reply->token == NULL ||
	    rpc_request_decode(&m, r->bytes, r->len) != 0)
		return false;
	if (!r->may_prove)
		return r->proving;
	m.token = reply->token;
	len = rpc_request_encode(&m, buf, sizeof buf);
	if (len == 0 || len > (size_t)r->len + RPC_TOKEN_LEN)
		return false;
	memcpy(r->bytes, buf, len);
	r->len = (uint16_t)len;
	r->may_prove = false;
	r->proving = true;
	transmit_request(r);
	return true;
}

int
requests_recv_reply(struct requests *rs, const struct dgram *dg)
{
	struct local_node *self = rs->self;
	struct rpc_reply m;
	struct dht_answer a;
	struct request *r;
	int err = rpc_reply_decode(&m, dg->buf, dg->len);

	if (err != 0)
		return stats_drop(self->stats, err);
	r = find_tid(rs, m.tid);
	if (r == NULL || r->sent == 0) {
		candidates_reply_unmatched(rs->candidates, &dg->from);
		return stats_drop(self->stats, ERR_UNMATCHED);
	}
	if (!addr_equal(&r->to, &dg->from))
		return stats_drop(self->stats, ERR_SPOOFED);
	a = (struct dht_answer){
	    .reply = &m,
	    .from = dg->from,
	    .sock = dg->sock,
	    .id = local_node_verify_id(self, m.id, &dg->from),
	    .token = m.token,
	    .rtt_us = self->world->now_us - r->sent_us,
	};
	self->stats->replies_accepted++;
	joining_node_answered(rs->joining, &dg->from);
	apply_reply(rs, r, dg, &m, a.id);
	if (!prove_address(r, &m))
		end_request(r, &a);
	health_replied(rs->health);
	return 0;
}
