/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "stream/mux.h"

enum {
	UINT_LEN_MAX = 9, /* bytes of an encoded integer */
	/* Bytes of the integers before the payload: channel and type, and of
	 * an open also its id and the lengths of the name's two parts. */
	HEAD_MAX = 5 * UINT_LEN_MAX,
};

struct mux *
mux_new(void)
{
	struct mux *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	mux_channels_init(&m->channels);
	mux_queue_init(&m->queue);
	return m;
}

void
mux_free(struct mux *m)
{
	if (m == NULL)
		return;
	while (!TAILQ_EMPTY(&m->channels.list))
		mux_forget(m, TAILQ_FIRST(&m->channels.list));
	mux_queue_release(&m->queue);
	mux_writer_fini(&m->writer);
	free(m);
}

void
mux_forget(struct mux *m, struct mux_channel *c)
{
	mux_queue_drop(&m->queue, c->remote);
	mux_channel_free(&m->channels, c);
}

/* ---- sending ---- */

struct bytes
mux_peek(const struct mux *m)
{
	return mux_writer_peek(&m->writer);
}

void
mux_consume(struct mux *m)
{
	mux_writer_consume(&m->writer);
}

void
mux_control(struct mux *m, enum mux_control type, uint32_t id)
{
	uint8_t *out = mux_writer_reserve(&m->writer, HEAD_MAX);
	struct wr w;

	if (out == NULL) {
		m->err = ERR_MEMORY;
		return;
	}
	w = wr_init(out, HEAD_MAX);
	wr_uint(&w, 0);
	wr_uint(&w, type);
	wr_uint(&w, id);
	mux_writer_commit(&m->writer, wr_len(&w));
}

/* ---- channels ---- */

static int
write_open(struct mux *m, uint32_t id, const struct mux_name *name,
    struct bytes handshake)
{
	size_t max =
	    HEAD_MAX + name->protocol.len + name->id.len + handshake.len;
	uint8_t *out = mux_writer_reserve(&m->writer, max);
	struct wr w;

	if (out == NULL)
		return ERR_MEMORY;
	w = wr_init(out, max);
	wr_uint(&w, 0);
	wr_uint(&w, MUX_CONTROL_OPEN);
	wr_uint(&w, id);
	wr_buffer(&w, name->protocol.p, name->protocol.len);
	wr_buffer(&w, name->id.p, name->id.len);
	wr_raw(&w, handshake.p, handshake.len);
	mux_writer_commit(&m->writer, wr_len(&w));
	return 0;
}

/* Returns why the channel cannot be opened, or 0. */
static int
check_open(struct mux *m, const struct mux_name *name, struct bytes handshake)
{
	if (m->err != 0)
		return m->err;
	if (mux_channel_by_name(&m->channels, name, MUX_OPENING, MUX_OPEN) !=
	    NULL)
		return ERR_EXISTS;
	if (handshake.len > MUX_OUT_MAX)
		return ERR_SIZE;
	if (mux_writer_len(&m->writer) + handshake.len > MUX_OUT_MAX)
		return ERR_FULL;
	return 0;
}

int
mux_open(struct mux *m, const struct mux_name *name, struct bytes handshake,
    uint32_t *channel)
{
	struct mux_channel *c;
	uint32_t id = mux_channels_unused_id(&m->channels);
	int err = check_open(m, name, handshake);

	if (err != 0)
		return err;
	c = mux_channel_by_name(&m->channels, name, MUX_OFFERED, MUX_OFFERED);
	if (c == NULL)
		err = mux_channel_new(&m->channels, name, MUX_OPENING, &c);
	if (err == 0)
		err = write_open(m, id, name, handshake);
	if (err != 0) {
		if (c != NULL && c->state == MUX_OPENING)
			mux_forget(m, c);
		return err;
	}
	if (c->state == MUX_OFFERED) {
		c->state = MUX_OPEN;
		m->queue.has_accepted = true;
	}
	*channel = c->local = id;
	return 0;
}

void
mux_reject(struct mux *m, uint32_t offer)
{
	struct mux_channel *c = mux_channel_by_remote(&m->channels, offer);

	if (c == NULL || c->state != MUX_OFFERED)
		return;
	mux_control(m, MUX_CONTROL_REJECT, c->remote);
	mux_forget(m, c);
}

void
mux_close(struct mux *m, uint32_t channel)
{
	struct mux_channel *c = mux_channel_by_local(&m->channels, channel);

	if (c == NULL || c->state == MUX_CLOSING)
		return;
	mux_control(m, MUX_CONTROL_CLOSE, c->local);
	if (c->state == MUX_OPENING)
		c->state = MUX_CLOSING;
	else
		mux_forget(m, c);
}

int
mux_send(
    struct mux *m, uint32_t channel, uint64_t type, const void *p, size_t len)
{
	struct mux_channel *c = mux_channel_by_local(&m->channels, channel);
	uint8_t *out;
	struct wr w;

	if (c == NULL || c->state == MUX_CLOSING)
		return ERR_UNKNOWN;
	if (len > MUX_OUT_MAX || type > WIRE_UINT_MAX)
		return ERR_SIZE;
	if (mux_writer_len(&m->writer) + len > MUX_OUT_MAX)
		return ERR_FULL;
	out = mux_writer_reserve(&m->writer, HEAD_MAX + len);
	if (out == NULL)
		return ERR_MEMORY;
	w = wr_init(out, HEAD_MAX + len);
	/* Our own id, by which the peer finds its channel (pitfall M1). */
	wr_uint(&w, c->local);
	wr_uint(&w, type);
	wr_raw(&w, p, len);
	mux_writer_commit(&m->writer, wr_len(&w));
	return 0;
}
