/* SPDX-License-Identifier: ISC */
/*
 * What is read, one step at a time: each step ends with an event, with a
 * reason to wait (then it is done again) or with nothing to tell. A batch is a
 * list of parts, each of them a message without its channel, and may hold
 * batches itself; where we are in each is kept in offsets, because the bytes
 * may move between two steps.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "stream/mux_inside.h"

enum {
	/* A step with nothing to tell; besides those of mux_read(). */
	AGAIN = MUX_WAIT + 1,
	/* Replies that nobody takes: more of them than of messages of ours,
	 * so that a full writer still reads. */
	REPLIES_MAX = 16384,
};

/* ---- what waits ---- */

static bool
may_queue(const struct mux *m, size_t len)
{
	return mux_queued_cost(len) <= MUX_QUEUED_MAX - m->queued;
}

/* Copies a message for an offer, or marks its end. */
static int
enqueue(struct mux *m, struct mux_channel *c, bool close, uint64_t type,
    struct bytes body)
{
	struct mux_queued *q;

	if (!may_queue(m, body.len))
		return MUX_WAIT;
	q = malloc(sizeof *q + body.len);
	if (q == NULL)
		return ERR_MEMORY;
	*q = (struct mux_queued){
	    .remote = c->remote, .close = close, .type = type, .len = body.len};
	if (body.len > 0)
		memcpy(q->bytes, body.p, body.len);
	STAILQ_INSERT_TAIL(&m->queue, q, link);
	m->queued += mux_queued_cost(q->len);
	return AGAIN;
}

static int
tell_message(const struct mux_channel *c, uint64_t type, struct bytes body,
    struct mux_event *ev)
{
	*ev = (struct mux_event){.kind = MUX_MESSAGE,
	    .channel = c->local,
	    .type = type,
	    .body = body};
	return MUX_EVENT;
}

static int
tell_closed(struct mux *m, struct mux_channel *c, struct mux_event *ev)
{
	*ev = (struct mux_event){.kind = MUX_CLOSED, .channel = c->local};
	mux_channel_free(m, c);
	return MUX_EVENT;
}

/* What has waited for a channel that was accepted since. */
static int
read_queue(struct mux *m, struct mux_event *ev)
{
	struct mux_channel *c = NULL;
	struct mux_queued *q;

	STAILQ_FOREACH (q, &m->queue, link) {
		c = mux_by_remote(m, q->remote);
		if (c->state == MUX_OPEN)
			break;
	}
	m->accepted = q != NULL;
	if (q == NULL)
		return AGAIN;
	STAILQ_REMOVE(&m->queue, q, mux_queued, link);
	m->queued -= mux_queued_cost(q->len);
	m->lent = q;
	if (q->close)
		return tell_closed(m, c, ev);
	return tell_message(c, q->type, (struct bytes){q->bytes, q->len}, ev);
}

/* ---- control ---- */

static int
new_offer(struct mux *m, uint32_t remote, const struct mux_name *name,
    struct bytes handshake, struct mux_event *ev)
{
	struct mux_channel *c;
	int err = mux_channel_new(m, name, MUX_OFFERED, &c);

	if (err == ERR_MEMORY)
		return err;
	if (err != 0) {
		mux_control(m, MUX_CONTROL_REJECT, remote);
		return AGAIN;
	}
	c->remote = remote;
	*ev = (struct mux_event){.kind = MUX_OFFER,
	    .channel = remote,
	    .name = *name,
	    .body = handshake};
	return MUX_EVENT;
}

/* The peer opens what we had opened, or had and closed before it knew. */
static int
answer_to_open(struct mux *m, struct mux_channel *c, uint32_t remote,
    struct bytes handshake, struct mux_event *ev)
{
	if (c->state == MUX_CLOSING) {
		/* QUIRK: the reference ignores a close of what it has not
		 * opened yet (protomux, _onclosesession), opens it later and
		 * would keep our id; those who know it ignore the second. */
		mux_control(m, MUX_CONTROL_CLOSE, c->local);
		mux_channel_free(m, c);
		return AGAIN;
	}
	c->state = MUX_OPEN;
	c->remote = remote;
	*ev = (struct mux_event){
	    .kind = MUX_OPENED, .channel = c->local, .body = handshake};
	return MUX_EVENT;
}

static int
read_open(struct mux *m, struct rd *r, struct mux_event *ev)
{
	uint64_t id = rd_uint(r);
	struct mux_name name;
	struct mux_channel *c;
	struct bytes handshake;

	name.protocol = rd_buffer(r, SIZE_MAX);
	name.id = rd_buffer(r, SIZE_MAX);
	handshake = (struct bytes){r->p, rd_left(r)};
	if (!rd_ok(r) || id == 0 || id > (uint64_t)m->remote_top + 1 ||
	    id > UINT32_MAX || mux_by_remote(m, id) != NULL)
		return ERR_MALFORMED;
	if (id > m->remote_top)
		m->remote_top = (uint32_t)id;
	c = mux_by_name(m, &name, MUX_OPENING, MUX_CLOSING);
	if (c != NULL)
		return answer_to_open(m, c, (uint32_t)id, handshake, ev);
	return new_offer(m, (uint32_t)id, &name, handshake, ev);
}

static int
read_reject(struct mux *m, struct rd *r, struct mux_event *ev)
{
	uint64_t id = rd_uint(r);
	struct mux_channel *c = mux_by_local(m, id);

	if (!rd_ok(r) || c == NULL)
		return ERR_MALFORMED;
	if (c->state == MUX_OPENING)
		return tell_closed(m, c, ev);
	if (c->state != MUX_CLOSING)
		return ERR_MALFORMED;
	mux_channel_free(m, c);
	return AGAIN;
}

static int
read_close(struct mux *m, struct rd *r, struct mux_event *ev)
{
	uint64_t id = rd_uint(r);
	struct mux_channel *c = mux_by_remote(m, id);
	int result;

	if (!rd_ok(r))
		return ERR_MALFORMED;
	if (c == NULL || c->closed_there)
		return AGAIN;
	if (c->state == MUX_OPEN)
		return tell_closed(m, c, ev);
	result = enqueue(m, c, true, 0, (struct bytes){0});
	c->closed_there = result == AGAIN;
	return result;
}

static int
read_batch(struct mux *m, const uint8_t *start, struct rd *r)
{
	uint64_t channel = rd_uint(r);

	if (!rd_ok(r) || m->depth == MUX_DEPTH_MAX)
		return ERR_MALFORMED;
	m->batches[m->depth++] = (struct mux_batch){
	    .at = (uint32_t)(r->p - start),
	    .end = (uint32_t)(r->end - start),
	    .channel = channel,
	};
	return AGAIN;
}

/* ---- steps ---- */

/* One message, from its type on; start: of what offsets count from. */
static int
step(struct mux *m, const uint8_t *start, uint64_t channel, struct rd *r,
    struct mux_event *ev)
{
	uint64_t type = rd_uint(r);
	struct mux_channel *c;
	struct bytes body = {r->p, rd_left(r)};

	if (!rd_ok(r))
		return ERR_MALFORMED;
	if (channel != 0) {
		c = mux_by_remote(m, channel);
		if (c == NULL || c->closed_there)
			return AGAIN;
		if (c->state == MUX_OPEN)
			return tell_message(c, type, body, ev);
		return enqueue(m, c, false, type, body);
	}
	switch (type) {
	case MUX_CONTROL_BATCH:
		return read_batch(m, start, r);
	case MUX_CONTROL_OPEN:
		return read_open(m, r, ev);
	case MUX_CONTROL_REJECT:
		return read_reject(m, r, ev);
	case MUX_CONTROL_CLOSE:
		return read_close(m, r, ev);
	}
	return AGAIN;
}

static int
step_first(struct mux *m, struct bytes message, struct mux_event *ev)
{
	struct rd r = rd_init(message.p, message.len);
	uint64_t channel = rd_uint(&r);
	int result = step(m, message.p, channel, &r, ev);

	m->begun = result != MUX_WAIT;
	return result;
}

/* The next part of the innermost batch; length 0 switches the channel. */
static int
step_batch(struct mux *m, struct bytes message, struct mux_event *ev)
{
	struct mux_batch *b = &m->batches[m->depth - 1];
	struct rd r, part;
	uint32_t begin = b->at;
	uint64_t len;
	int result;

	assert(b->end <= message.len); /* it is the same message as before */
	if (b->at == b->end) {
		m->depth--;
		return AGAIN;
	}
	r = rd_init(message.p + b->at, b->end - b->at);
	len = rd_uint(&r);
	if (len == 0) {
		b->channel = rd_uint(&r);
		b->at = (uint32_t)(r.p - message.p);
		return rd_ok(&r) ? AGAIN : ERR_MALFORMED;
	}
	if (!rd_ok(&r))
		return ERR_MALFORMED;
	/* A part that would reach beyond the end is cut. */
	part = rd_init(r.p, len < rd_left(&r) ? len : rd_left(&r));
	b->at = (uint32_t)(part.end - message.p);
	result = step(m, message.p, b->channel, &part, ev);
	if (result == MUX_WAIT)
		b->at = begin;
	return result;
}

int
mux_read(struct mux *m, struct bytes message, struct mux_event *ev)
{
	int result = m->err != 0 ? m->err : AGAIN;

	free(m->lent);
	m->lent = NULL;
	if (result == AGAIN && m->accepted)
		result = read_queue(m, ev);
	while (result == AGAIN) {
		if (m->depth == 0 && (m->begun || message.len == 0))
			result = MUX_DONE;
		else if (mux_out_len(m) > MUX_OUT_MAX + REPLIES_MAX)
			result = MUX_WAIT;
		else if (m->depth > 0)
			result = step_batch(m, message, ev);
		else
			result = step_first(m, message, ev);
		if (m->err != 0)
			result = m->err;
	}
	if (result == MUX_DONE)
		m->begun = false;
	if (result < 0)
		m->err = result;
	return result;
}
