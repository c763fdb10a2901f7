/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "flow.h"
#include "net/sockaddr.h"
#include "tool.h"

enum { MESSAGE_MAX = 1500 };

/* ---- the common keys ---- */

static void
fill(uint8_t *key, size_t len, uint8_t byte, uint32_t index)
{
	memset(key, byte, len);
	for (int i = 0; i < 4; i++)
		key[i] = (uint8_t)(index >> 8 * i);
}

static void
known_keys(struct secret_keys *k, uint32_t index, bool initiator)
{
	k->initiator = initiator;
	fill(k->tx, sizeof k->tx, initiator ? 0x11 : 0x22, index);
	fill(k->rx, sizeof k->rx, initiator ? 0x22 : 0x11, index);
	fill(k->hash, sizeof k->hash, 0x33, index);
}

int
flow_open(struct flow *f, struct flows *all, uint32_t index)
{
	int err;

	*f = (struct flow){.all = all, .index = index};
	f->raw = udx_stream_new(all->udx, f, &err);
	return f->raw == NULL ? err : 0;
}

static struct udx_path
path_through(const struct flow *f, int sock)
{
	const struct sockaddr_in *to = &f->all->options->there;

	return (struct udx_path){.sock = sock,
	    .to = addr_from_in(to->sin_addr, ntohs(to->sin_port)),
	    .id = f->peer_id};
}

int
flow_start(struct flow *f, uint32_t peer_id)
{
	const struct peer_options *o = f->all->options;
	struct udx_path path;
	struct secret_keys keys;
	int err;

	f->peer_id = peer_id;
	path = path_through(f, f->all->sock);
	err = udx_connect(f->raw, &path);
	if (err != 0)
		return err;
	known_keys(&keys, f->index, f->all->initiator);
	f->secret = secret_new(f->all->world, f->all->timers, f->raw, &keys);
	if (f->secret == NULL)
		return ERR_MEMORY;
	err = secret_start(f->secret);
	if (err == 0 && o->keepalive != 0)
		secret_set_keepalive(f->secret, (uint32_t)o->keepalive);
	if (o->role == PEER_SEND)
		f->total = o->bytes;
	return err;
}

/* ---- its end ---- */

static void
count_streams(struct peer_result *r, const struct udx_stream *raw)
{
	struct udx_status s;

	udx_status(raw, &s);
	r->packets_in += s.packets_in;
	r->packets_out += s.packets_out;
	r->lost += s.lost;
	r->resent += s.resent;
	r->rtt_us = s.srtt_us;
	r->mtu = s.mtu;
}

/* Closes the flow; err: 0 or the reason. */
static void
finish(struct flow *f, int err)
{
	struct peer_result *r = &f->all->result;

	count_streams(r, f->raw);
	if (err != 0) {
		r->failed++;
		r->err = err_name(err);
	}
	secret_free(f->secret);
	udx_stream_free(f->raw);
	f->secret = NULL;
	f->raw = NULL;
	f->all->open--;
	r->done_ns = now_ns();
}

/* ---- writing ---- */

static void
move(struct flow *f)
{
	struct udx_path path = path_through(f, f->all->other_sock);

	f->all->moved = true;
	if (udx_migrate(f->raw, &path) != 0)
		f->all->result.good = false;
}

static void
write_messages(struct flow *f)
{
	const struct peer_options *o = f->all->options;

	if (f->messages == o->messages) {
		f->ending = true;
		secret_end(f->secret);
	} else if (secret_send_message(f->secret,
		       peer_bytes(f->index, f->messages), o->write) == 0) {
		f->messages++;
	}
}

/* Handles an abort or a migration. Returns true if the flow is over. */
static bool
after_write(struct flow *f)
{
	const struct peer_options *o = f->all->options;

	if (o->role == PEER_SEND && o->abrupt != 0 && f->out >= o->abrupt) {
		finish(f, 0);
		return true;
	}
	if (o->move != 0 && f->out >= o->move && !f->all->moved)
		move(f);
	return false;
}

void
flow_write(struct flow *f)
{
	const struct peer_options *o = f->all->options;

	if (f->raw == NULL || f->ending)
		return;
	if (o->role == PEER_SEND && o->messages != 0) {
		write_messages(f);
		return;
	}
	while (f->out < f->total) {
		uint64_t left = f->total - f->out;
		size_t len = left < o->write ? left : o->write;
		ptrdiff_t n =
		    secret_write(f->secret, peer_bytes(f->index, f->out), len);

		if (n <= 0)
			return;
		f->out += (uint64_t)n;
		f->all->result.bytes_out += (uint64_t)n;
		if (after_write(f))
			return;
	}
	if (o->role == PEER_SEND || secret_ended(f->secret)) {
		f->ending = true;
		secret_end(f->secret);
	}
}

/* ---- reading ---- */

static void
note_arrival(struct peer_result *r)
{
	r->last_ns = now_ns();
	if (r->first_ns == 0)
		r->first_ns = r->last_ns;
}

/* Returns how much may be read: an echo reads no more than it can write. */
static size_t
may_read(struct flow *f, size_t len)
{
	return f->all->options->role != PEER_ECHO ? len
	       : len < secret_space(f->secret)    ? len
						  : secret_space(f->secret);
}

/*
 * Consumes a run of bytes. Returns false if it must wait, or the flow is over.
 */
static bool
take(struct flow *f, const uint8_t *p, size_t len)
{
	const struct peer_options *o = f->all->options;
	struct peer_result *r = &f->all->result;
	size_t n = may_read(f, len);

	if (n == 0)
		return false;
	if (!peer_right(f->index, f->in, p, n))
		r->good = false;
	f->in += n;
	r->bytes_in += n;
	secret_consume(f->secret, n);
	if (o->role == PEER_ECHO) {
		f->total = f->in;
		flow_write(f);
	}
	if (o->role != PEER_SEND && o->abrupt != 0 && f->in >= o->abrupt) {
		finish(f, 0);
		return false;
	}
	return true;
}

void
flow_read(struct flow *f)
{
	const struct peer_options *o = f->all->options;
	struct bytes b;
	int err;

	if (f->raw == NULL || f->all->paused)
		return;
	note_arrival(&f->all->result);
	while ((b = secret_peek(f->secret, NULL, &err)).p != NULL)
		if (!take(f, b.p, b.len))
			return;
	if (err != 0) {
		finish(f, err);
		return;
	}
	if (!secret_ended(f->secret) || f->ending)
		return;
	if (o->role == PEER_RECEIVE)
		f->total = o->bytes;
	flow_write(f);
}

static void
read_messages(struct flow *f)
{
	const struct peer_options *o = f->all->options;
	struct peer_result *r = &f->all->result;
	struct udx_message m;
	uint8_t plain[MESSAGE_MAX];

	while (udx_next_message(f->raw, &m)) {
		ptrdiff_t len = -1;
		uint32_t i = 0;

		if (m.payload.len <= sizeof plain)
			len = secret_open_message(f->secret, &m, plain);
		/*
		 * Messages carry no number: each must match one of those sent.
		 */
		while (i < o->messages &&
		       (len != (ptrdiff_t)o->write ||
			   !peer_right(f->index, i, plain, o->write)))
			i++;
		if (i == o->messages)
			r->good = false;
		r->messages++;
	}
}

/*
 * Migrates to a new address of the peer, which hole punching would have
 * validated.
 */
static void
follow(struct flow *f)
{
	struct udx_source from;
	struct udx_path path = path_through(f, f->all->sock);

	if (!f->all->options->follow || !udx_source(f->raw, &from) ||
	    from.accepted)
		return;
	path.to = from.from;
	udx_allow_source(f->raw, &from.from);
	(void)udx_migrate(f->raw, &path);
}

void
flow_event(struct flow *f, unsigned events)
{
	struct udx_status s;

	if (f->secret == NULL)
		return;
	if (events & UDX_EV_SOURCE)
		follow(f);
	if (events & UDX_EV_MESSAGE)
		read_messages(f);
	if (events & UDX_EV_READABLE)
		flow_read(f);
	if (f->raw != NULL && (events & UDX_EV_WRITABLE)) {
		flow_write(f);
		if (f->raw != NULL && f->all->options->role == PEER_ECHO)
			flow_read(f);
	}
	if (f->raw == NULL || (events & UDX_EV_CLOSED) == 0)
		return;
	udx_status(f->raw, &s);
	finish(f, s.err);
}
