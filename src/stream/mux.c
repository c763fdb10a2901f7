/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "stream/mux_inside.h"

enum {
	UINT_LEN_MAX = 9,
	/* Channel and type before a message, all that an open has before its
	 * name, with the lengths of the name's two parts. */
	HEAD_MAX = 4 * UINT_LEN_MAX,
};

struct mux *
mux_new(void)
{
	struct mux *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	TAILQ_INIT(&m->channels);
	STAILQ_INIT(&m->queue);
	return m;
}

void
mux_free(struct mux *m)
{
	if (m == NULL)
		return;
	while (!TAILQ_EMPTY(&m->channels))
		mux_channel_free(m, TAILQ_FIRST(&m->channels));
	free(m->lent);
	free(m->out);
	free(m);
}

/* ---- channels ---- */

struct mux_channel *
mux_by_local(struct mux *m, uint64_t id)
{
	struct mux_channel *c;

	TAILQ_FOREACH (c, &m->channels, link)
		if (id != 0 && c->local == id)
			return c;
	return NULL;
}

struct mux_channel *
mux_by_remote(struct mux *m, uint64_t id)
{
	struct mux_channel *c;

	TAILQ_FOREACH (c, &m->channels, link)
		if (id != 0 && c->remote == id)
			return c;
	return NULL;
}

static bool
is_named(const struct mux_channel *c, const struct mux_name *name)
{
	const struct bytes *protocol = &name->protocol, *id = &name->id;

	return c->protocol_len == protocol->len && c->id_len == id->len &&
	       memcmp(c->name, protocol->p, protocol->len) == 0 &&
	       (id->len == 0 ||
		   memcmp(c->name + c->protocol_len, id->p, id->len) == 0);
}

struct mux_channel *
mux_by_name(struct mux *m, const struct mux_name *name, enum mux_state a,
    enum mux_state b)
{
	struct mux_channel *c;

	TAILQ_FOREACH (c, &m->channels, link)
		if ((c->state == a || c->state == b) && is_named(c, name))
			return c;
	return NULL;
}

int
mux_channel_new(struct mux *m, const struct mux_name *name,
    enum mux_state state, struct mux_channel **out)
{
	const struct bytes *protocol = &name->protocol, *id = &name->id;
	struct mux_channel *c;

	if (protocol->len == 0 || protocol->len > MUX_NAME_MAX ||
	    id->len > MUX_NAME_MAX)
		return ERR_SIZE;
	if (m->channels_len == MUX_CHANNELS_MAX)
		return ERR_LIMIT;
	c = calloc(1, sizeof *c + protocol->len + id->len);
	if (c == NULL)
		return ERR_MEMORY;
	c->state = state;
	c->protocol_len = (uint8_t)protocol->len;
	c->id_len = (uint8_t)id->len;
	memcpy(c->name, protocol->p, protocol->len);
	if (id->len > 0)
		memcpy(c->name + protocol->len, id->p, id->len);
	TAILQ_INSERT_TAIL(&m->channels, c, link);
	m->channels_len++;
	*out = c;
	return 0;
}

void
mux_channel_free(struct mux *m, struct mux_channel *c)
{
	STAILQ_HEAD(, mux_queued) others = STAILQ_HEAD_INITIALIZER(others);
	struct mux_queued *q;

	while ((q = STAILQ_FIRST(&m->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&m->queue, link);
		if (q->remote != c->remote) {
			STAILQ_INSERT_TAIL(&others, q, link);
			continue;
		}
		m->queued -= mux_queued_cost(q->len);
		free(q);
	}
	STAILQ_CONCAT(&m->queue, &others);
	TAILQ_REMOVE(&m->channels, c, link);
	m->channels_len--;
	free(c);
}

/* The lowest that is free: ids grow by one, and freed ones are used again. */
static uint32_t
free_id(struct mux *m)
{
	uint32_t id = 1;

	while (mux_by_local(m, id) != NULL)
		id++;
	return id;
}

/* ---- out ---- */

/* Room for a message of at most max bytes; out_add() says how long it is. */
static uint8_t *
out_reserve(struct mux *m, size_t max)
{
	size_t need = mux_out_len(m) + sizeof(uint32_t) + max;
	size_t cap = m->out_cap > 0 ? m->out_cap : 256;
	uint8_t *out;

	if (need > m->out_cap - m->out_head && m->out_head > 0) {
		memmove(m->out, m->out + m->out_head, mux_out_len(m));
		m->out_tail -= m->out_head;
		m->out_head = 0;
	}
	while (cap < need)
		cap *= 2;
	if (cap > m->out_cap) {
		out = realloc(m->out, cap);
		if (out == NULL)
			return NULL;
		m->out = out;
		m->out_cap = cap;
	}
	return m->out + m->out_tail + sizeof(uint32_t);
}

static void
out_add(struct mux *m, size_t len)
{
	uint32_t n = (uint32_t)len;

	memcpy(m->out + m->out_tail, &n, sizeof n);
	m->out_tail += sizeof n + len;
}

struct bytes
mux_peek(const struct mux *m)
{
	uint32_t len;

	if (mux_out_len(m) == 0)
		return (struct bytes){0};
	memcpy(&len, m->out + m->out_head, sizeof len);
	return (struct bytes){m->out + m->out_head + sizeof len, len};
}

void
mux_consume(struct mux *m)
{
	m->out_head += sizeof(uint32_t) + mux_peek(m).len;
	if (m->out_head == m->out_tail)
		m->out_head = m->out_tail = 0;
}

void
mux_control(struct mux *m, enum mux_control type, uint32_t id)
{
	uint8_t *room = out_reserve(m, HEAD_MAX);
	struct wr w;

	if (room == NULL) {
		m->err = ERR_MEMORY;
		return;
	}
	w = wr_init(room, HEAD_MAX);
	wr_uint(&w, 0);
	wr_uint(&w, type);
	wr_uint(&w, id);
	out_add(m, wr_len(&w));
}

/* ---- what our side does ---- */

static int
write_open(struct mux *m, uint32_t id, const struct mux_name *name,
    struct bytes handshake)
{
	size_t max =
	    HEAD_MAX + name->protocol.len + name->id.len + handshake.len;
	uint8_t *room = out_reserve(m, max);
	struct wr w;

	if (room == NULL)
		return ERR_MEMORY;
	w = wr_init(room, max);
	wr_uint(&w, 0);
	wr_uint(&w, MUX_CONTROL_OPEN);
	wr_uint(&w, id);
	wr_buffer(&w, name->protocol.p, name->protocol.len);
	wr_buffer(&w, name->id.p, name->id.len);
	wr_raw(&w, handshake.p, handshake.len);
	out_add(m, wr_len(&w));
	return 0;
}

int
mux_open(struct mux *m, const struct mux_name *name, struct bytes handshake,
    uint32_t *channel)
{
	struct mux_channel *c;
	uint32_t id = free_id(m);
	int err;

	if (m->err != 0)
		return m->err;
	if (mux_by_name(m, name, MUX_OPENING, MUX_OPEN) != NULL)
		return ERR_EXISTS;
	if (handshake.len > MUX_OUT_MAX)
		return ERR_SIZE;
	if (mux_out_len(m) + handshake.len > MUX_OUT_MAX)
		return ERR_FULL;
	c = mux_by_name(m, name, MUX_OFFERED, MUX_OFFERED);
	err = c != NULL ? 0 : mux_channel_new(m, name, MUX_OPENING, &c);
	if (err == 0)
		err = write_open(m, id, name, handshake);
	if (err != 0) {
		if (c != NULL && c->state == MUX_OPENING)
			mux_channel_free(m, c);
		return err;
	}
	if (c->state == MUX_OFFERED) {
		c->state = MUX_OPEN;
		m->accepted = true;
	}
	*channel = c->local = id;
	return 0;
}

void
mux_reject(struct mux *m, uint32_t offer)
{
	struct mux_channel *c = mux_by_remote(m, offer);

	if (c == NULL || c->state != MUX_OFFERED)
		return;
	mux_control(m, MUX_CONTROL_REJECT, c->remote);
	mux_channel_free(m, c);
}

void
mux_close(struct mux *m, uint32_t channel)
{
	struct mux_channel *c = mux_by_local(m, channel);

	if (c == NULL || c->state == MUX_CLOSING)
		return;
	mux_control(m, MUX_CONTROL_CLOSE, c->local);
	if (c->state == MUX_OPENING)
		c->state = MUX_CLOSING;
	else
		mux_channel_free(m, c);
}

int
mux_send(
    struct mux *m, uint32_t channel, uint64_t type, const void *p, size_t len)
{
	struct mux_channel *c = mux_by_local(m, channel);
	uint8_t *room;
	struct wr w;

	if (c == NULL || c->state == MUX_CLOSING)
		return ERR_UNKNOWN;
	if (len > MUX_OUT_MAX || type > WIRE_UINT_MAX)
		return ERR_SIZE;
	if (mux_out_len(m) + len > MUX_OUT_MAX)
		return ERR_FULL;
	room = out_reserve(m, HEAD_MAX + len);
	if (room == NULL)
		return ERR_MEMORY;
	w = wr_init(room, HEAD_MAX + len);
	/* Our own id, by which the peer finds its channel (pitfall M1). */
	wr_uint(&w, c->local);
	wr_uint(&w, type);
	wr_raw(&w, p, len);
	out_add(m, wr_len(&w));
	return 0;
}
