/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "stream/inside.h"

enum {
	/*
	 * Keep-alives are due at multiples of this part of their interval, so
	 * that those of thousands of streams share a wake-up and a batch.
	 */
	KEEPALIVE_STEPS = 16,
};

/* ---- what follows from the handshake, protocol 06 §A.2 and §A.7 ---- */

/* H( H("hyperswarm/secret-stream") || number ); a test derives them anew. */
static const uint8_t namespaces[][SECRET_ID_LEN] = {
    [SECRET_NS_INITIATOR] = {0xa9, 0x31, 0xa0, 0x15, 0x5b, 0x5c, 0x09, 0xe6,
	0xd2, 0x86, 0x28, 0x23, 0x6a, 0xf8, 0x3c, 0x4b, 0x8a, 0x6a, 0xf9, 0xaf,
	0x60, 0x98, 0x6e, 0xde, 0xed, 0xe9, 0xdc, 0x5d, 0x63, 0x19, 0x2b, 0xf7},
    [SECRET_NS_RESPONDER] = {0x74, 0x2c, 0x9d, 0x83, 0x3d, 0x43, 0x0a, 0xf4,
	0xc4, 0x8a, 0x87, 0x05, 0xe9, 0x16, 0x31, 0xee, 0xcf, 0x29, 0x54, 0x42,
	0xbb, 0xca, 0x18, 0x99, 0x6e, 0x59, 0x70, 0x97, 0x72, 0x3b, 0x10, 0x61},
    [SECRET_NS_SEND] = {0xaa, 0xb9, 0x7d, 0x09, 0x74, 0x71, 0xf5, 0x66, 0x51,
	0xb0, 0x46, 0x0f, 0xfc, 0x8a, 0xaa, 0x7d, 0x33, 0x42, 0xf7, 0x37, 0x75,
	0x97, 0xd6, 0x0b, 0x92, 0x5a, 0x1d, 0xac, 0x68, 0x9a, 0xdc, 0xbf},
};

static void
stream_id(uint8_t out[SECRET_ID_LEN], const uint8_t hash[SECRET_HASH_LEN],
    enum secret_namespace role)
{
	crypto_generichash(out, SECRET_ID_LEN, namespaces[role], SECRET_ID_LEN,
	    hash, SECRET_HASH_LEN);
}

static void
message_key(uint8_t out[SECRET_KEY_LEN], const uint8_t hash[SECRET_HASH_LEN],
    enum secret_namespace sender)
{
	uint8_t both[2 * SECRET_ID_LEN];

	memcpy(both, namespaces[sender], SECRET_ID_LEN);
	memcpy(both + SECRET_ID_LEN, namespaces[SECRET_NS_SEND], SECRET_ID_LEN);
	crypto_generichash(
	    out, SECRET_KEY_LEN, both, sizeof both, hash, SECRET_HASH_LEN);
}

static void
derive(struct secret *s, const struct secret_keys *k)
{
	enum secret_namespace own = SECRET_NS_RESPONDER;
	enum secret_namespace peer = SECRET_NS_INITIATOR;
	uint8_t *init = s->own_header + SECRET_ID_LEN;

	if (k->initiator) {
		own = SECRET_NS_INITIATOR;
		peer = SECRET_NS_RESPONDER;
	}
	stream_id(s->own_header, k->hash, own);
	stream_id(s->peer_id, k->hash, peer);
	message_key(s->message_tx_key, k->hash, own);
	message_key(s->message_rx_key, k->hash, peer);
	memcpy(s->rx_key, k->rx, SECRET_KEY_LEN);
	/* init_push would draw from the system; the states are the same. */
	s->world->ops->random(s->world, init, SECRET_INIT_LEN);
	crypto_secretstream_xchacha20poly1305_init_pull(&s->tx, init, k->tx);
	s->world->ops->random(s->world, &s->counter, sizeof s->counter);
}

/* ---- life ---- */

static void keepalive_fire(struct timer *t);

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
	s->keepalive.fire = keepalive_fire;
	s->frame_max = SECRET_FRAME_MAX;
	derive(s, keys);
	return s;
}

void
secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	timer_disarm(s->timers, &s->keepalive);
	secret_gather_fini(s);
	sodium_memzero(s, sizeof *s);
	free(s);
}

void
secret_set_frame_max(struct secret *s, uint32_t len)
{
	s->frame_max = len;
}

void
secret_set_budget(struct secret *s, struct secret_budget *b)
{
	assert(s->payer == NULL);
	s->budget = b;
}

/* ---- out ---- */

static void
put_length(uint8_t out[SECRET_LENGTH_LEN], size_t len)
{
	out[0] = (uint8_t)len;
	out[1] = (uint8_t)(len >> 8);
	out[2] = (uint8_t)(len >> 16);
}

int
secret_start(struct secret *s)
{
	size_t len = SECRET_LENGTH_LEN + SECRET_HEADER_LEN;
	uint8_t *out = udx_reserve(s->udx, len);

	assert(!s->started);
	if (out == NULL)
		return ERR_MEMORY;
	put_length(out, SECRET_HEADER_LEN);
	memcpy(out + SECRET_LENGTH_LEN, s->own_header, SECRET_HEADER_LEN);
	udx_commit(s->udx, len);
	s->started = true;
	s->wrote_us = s->world->now_us;
	return 0;
}

/* There is room for the frame. The plaintext is read once and not copied. */
static int
seal(struct secret *s, const void *p, size_t len)
{
	uint8_t *out = udx_reserve(s->udx, len + SECRET_OVERHEAD);

	assert(s->started);
	if (out == NULL)
		return ERR_MEMORY;
	put_length(out, len + SECRET_MAC_LEN);
	crypto_secretstream_xchacha20poly1305_push(&s->tx,
	    out + SECRET_LENGTH_LEN, NULL, p, len, NULL, 0,
	    crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
	udx_commit(s->udx, len + SECRET_OVERHEAD);
	s->wrote_us = s->world->now_us;
	return 0;
}

size_t
secret_room(const struct secret *s)
{
	size_t room = s->ended ? 0 : udx_space(s->udx);

	if (room <= SECRET_OVERHEAD)
		return 0;
	room -= SECRET_OVERHEAD;
	return room < SECRET_WRITE_MAX ? room : SECRET_WRITE_MAX;
}

ptrdiff_t
secret_write(struct secret *s, const void *p, size_t len)
{
	size_t room = secret_room(s);
	int err;

	if (s->ended)
		return ERR_CLOSED;
	if (len > room)
		len = room;
	if (len == 0)
		return 0;
	err = seal(s, p, len);
	return err == 0 ? (ptrdiff_t)len : err;
}

int
secret_send(struct secret *s, const void *p, size_t len)
{
	if (s->ended)
		return ERR_CLOSED;
	if (len > SECRET_FRAME_MAX - SECRET_MAC_LEN)
		return ERR_SIZE;
	/* However large: a room that is too small for it may never grow, and
	 * nobody is told of what was there all the time. */
	if (udx_space(s->udx) == 0)
		return ERR_FULL;
	return seal(s, p, len);
}

void
secret_end(struct secret *s)
{
	s->ended = true;
	timer_disarm(s->timers, &s->keepalive);
	udx_end(s->udx);
}

/* ---- keep-alive: one timer, armed by secret_set_keepalive() ---- */

/* Writes do not move the timer: it looks when it fires, and sleeps on. */
static uint64_t
keepalive_due(const struct secret *s)
{
	uint64_t due = s->wrote_us + s->keepalive_us;

	return due - due % (s->keepalive_us / KEEPALIVE_STEPS);
}

static void
keepalive_fire(struct timer *t)
{
	struct secret *s = container_of(t, struct secret, keepalive);
	uint64_t now = s->world->now_us;

	if (keepalive_due(s) <= now) {
		/* Without room there is data on its way, which does as well. */
		if (s->started && udx_space(s->udx) >= SECRET_OVERHEAD)
			(void)seal(s, NULL, 0);
		s->wrote_us = now;
	}
	/* Cannot fail: the timer has just left its place. */
	(void)timer_arm(s->timers, t, keepalive_due(s));
}

int
secret_set_keepalive(struct secret *s, uint32_t ms)
{
	timer_disarm(s->timers, &s->keepalive);
	s->keepalive_us = (uint64_t)ms * 1000;
	if (ms == 0 || s->ended)
		return 0;
	return timer_arm(s->timers, &s->keepalive, keepalive_due(s));
}
