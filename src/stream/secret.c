/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "stream/secret.h"

enum {
	/*
	 * Keep-alives are due at multiples of this part of their interval, so
	 * that those of thousands of streams share a wake-up and a batch.
	 */
	KEEPALIVE_STEPS = 16,
};

static void on_keepalive(struct timer *t);

static void
derive_keys(struct secret *s, const struct secret_keys *k)
{
	enum secret_namespace own = SECRET_NS_RESPONDER;
	enum secret_namespace peer = SECRET_NS_INITIATOR;
	uint8_t *init = s->header + SECRET_ID_LEN;
	uint8_t peer_id[SECRET_ID_LEN];

	if (k->initiator) {
		own = SECRET_NS_INITIATOR;
		peer = SECRET_NS_RESPONDER;
	}
	secret_stream_id(s->header, k->hash, own);
	secret_stream_id(peer_id, k->hash, peer);
	frame_reader_init(
	    &s->reader, s->udx, s->world->bulk_cipher, peer_id, k->rx);
	secret_message_key(s->messages.tx_key, k->hash, own);
	secret_message_key(s->messages.rx_key, k->hash, peer);
	s->world->ops->random(s->world, init, HEADER_INIT_LEN);
	secretstream_init(&s->tx, s->world->bulk_cipher, init, k->tx);
	s->world->ops->random(
	    s->world, &s->messages.counter, sizeof s->messages.counter);
}

struct secret *
secret_new(struct world *w, struct timers *ts, struct udx_stream *udx,
    const struct secret_keys *keys)
{
	struct secret *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->world = w;
	s->timers = ts;
	s->udx = udx;
	s->keepalive.timer.fire = on_keepalive;
	derive_keys(s, keys);
	return s;
}

void
secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	timer_disarm(s->timers, &s->keepalive.timer);
	frame_reader_fini(&s->reader);
	if (s->tx.bulk != NULL)
		s->tx.bulk->ops->wipe(s->tx.bulk);
	sodium_memzero(s, sizeof *s);
	free(s);
}

void
secret_set_frame_max(struct secret *s, uint32_t len)
{
	s->reader.frame_max = len;
}

void
secret_set_budget(struct secret *s, struct frame_budget *b)
{
	assert(s->reader.account.share == NULL);
	s->reader.account.budget = b;
}

/* ---- sending ---- */

int
secret_start(struct secret *s)
{
	size_t len = FRAME_LENGTH_LEN + HEADER_LEN;
	uint8_t *out = udx_reserve(s->udx, len);

	assert(s->tx_state == SECRET_TX_NEW);
	if (out == NULL)
		return ERR_MEMORY;
	frame_put_length(out, HEADER_LEN);
	memcpy(out + FRAME_LENGTH_LEN, s->header, HEADER_LEN);
	udx_commit(s->udx, len);
	s->tx_state = SECRET_TX_OPEN;
	s->keepalive.wrote_us = s->world->now_us;
	return 0;
}

/* Encrypts one frame straight from p into the send buffer. */
static int
write_frame(struct secret *s, const void *p, size_t len)
{
	uint8_t *out = udx_reserve(s->udx, len + SECRET_OVERHEAD);

	assert(s->tx_state != SECRET_TX_NEW);
	if (out == NULL)
		return ERR_MEMORY;
	frame_put_length(out, len + FRAME_SEAL_LEN);
	secretstream_push(&s->tx, out + FRAME_LENGTH_LEN, p, len);
	udx_commit(s->udx, len + SECRET_OVERHEAD);
	s->keepalive.wrote_us = s->world->now_us;
	return 0;
}

size_t
secret_space(const struct secret *s)
{
	size_t space = 0;

	if (s->tx_state != SECRET_TX_ENDED)
		space = udx_space(s->udx);
	if (space <= SECRET_OVERHEAD)
		return 0;
	space -= SECRET_OVERHEAD;
	return space < SECRET_WRITE_MAX ? space : SECRET_WRITE_MAX;
}

ptrdiff_t
secret_write(struct secret *s, const void *p, size_t len)
{
	size_t space = secret_space(s);
	int err;

	if (s->tx_state == SECRET_TX_ENDED)
		return ERR_CLOSED;
	if (len > space)
		len = space;
	if (len == 0)
		return 0;
	err = write_frame(s, p, len);
	return err == 0 ? (ptrdiff_t)len : err;
}

int
secret_send(struct secret *s, const void *p, size_t len)
{
	if (s->tx_state == SECRET_TX_ENDED)
		return ERR_CLOSED;
	if (len > SECRET_FRAME_MAX - FRAME_SEAL_LEN)
		return ERR_SIZE;
	/* A message larger than the free space is accepted: the space might
	 * never become large enough, and no event would report it. */
	if (udx_space(s->udx) == 0)
		return ERR_FULL;
	return write_frame(s, p, len);
}

void
secret_end(struct secret *s)
{
	s->tx_state = SECRET_TX_ENDED;
	timer_disarm(s->timers, &s->keepalive.timer);
	udx_end(s->udx);
}

/* ---- keep-alive: one timer, armed by secret_set_keepalive() ---- */

/*
 * Returns when the next keep-alive is due. Writing does not move the timer;
 * when it fires, it is armed again for what has been written since.
 */
static uint64_t
next_keepalive(const struct secret_keepalive *k)
{
	uint64_t due = k->wrote_us + k->interval_us;

	return due - due % (k->interval_us / KEEPALIVE_STEPS);
}

void
secret_send_empty(struct secret *s)
{
	if (s->tx_state == SECRET_TX_OPEN &&
	    udx_space(s->udx) >= SECRET_OVERHEAD)
		(void)write_frame(s, NULL, 0);
}

static void
on_keepalive(struct timer *t)
{
	struct secret *s = container_of(t, struct secret, keepalive.timer);
	uint64_t now = s->world->now_us;

	if (next_keepalive(&s->keepalive) <= now) {
		secret_send_empty(s);
		s->keepalive.wrote_us = now;
	}
	timer_arm(s->timers, t, next_keepalive(&s->keepalive));
}

void
secret_set_keepalive(struct secret *s, uint32_t ms)
{
	timer_disarm(s->timers, &s->keepalive.timer);
	s->keepalive.interval_us = (uint64_t)ms * 1000;
	if (ms == 0 || s->tx_state == SECRET_TX_ENDED)
		return;
	timer_arm(
	    s->timers, &s->keepalive.timer, next_keepalive(&s->keepalive));
}

/* ---- receiving ---- */

struct bytes
secret_peek(struct secret *s, bool *whole, int *err)
{
	bool skip_empty = whole == NULL || s->keepalive.interval_us != 0;

	return frame_reader_peek(&s->reader, skip_empty, whole, err);
}

void
secret_consume(struct secret *s, size_t n)
{
	frame_reader_consume(&s->reader, n);
}

bool
secret_opened(const struct secret *s)
{
	return s->reader.opened;
}

bool
secret_ended(const struct secret *s)
{
	return frame_reader_ended(&s->reader);
}

/* ---- unordered messages ---- */

int
secret_send_message(struct secret *s, const void *p, size_t len)
{
	uint8_t buf[UDX_MTU_MAX];

	if (s->tx_state == SECRET_TX_ENDED)
		return ERR_CLOSED;
	if (len > sizeof buf - SECRET_MESSAGE_OVERHEAD)
		return ERR_TOO_BIG;
	secret_messages_seal(&s->messages, p, len, buf);
	return udx_send_message(s->udx, buf, len + SECRET_MESSAGE_OVERHEAD);
}

int
secret_send_message_via(
    struct secret *s, const struct udx_path *path, const void *p, size_t len)
{
	uint8_t buf[UDX_MTU_MAX];

	if (len > sizeof buf - SECRET_MESSAGE_OVERHEAD)
		return ERR_TOO_BIG;
	secret_messages_seal(&s->messages, p, len, buf);
	return udx_send_message_via(
	    s->udx, path, buf, len + SECRET_MESSAGE_OVERHEAD);
}

ptrdiff_t
secret_open_message(struct secret *s, const struct udx_message *m, uint8_t *out)
{
	return secret_messages_open(&s->messages, m->payload, out);
}
