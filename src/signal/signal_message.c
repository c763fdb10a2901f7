/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "base/world.h"
#include "signal/signal_message.h"

enum { FLAG_PEER = 1, FLAG_RELAY = 2 };

int
handshake_decode(struct handshake *m, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	uint64_t flags = rd_uint(&r);

	*m = (struct handshake){.mode = rd_uint(&r)};
	m->noise = rd_buffer(&r, DGRAM_MAX);
	if (flags & FLAG_PEER)
		m->peer = rd_addr4(&r);
	if (flags & FLAG_RELAY)
		m->relay = rd_addr4(&r);
	return rd_ok(&r) ? 0 : ERR_MALFORMED;
}

int
holepunch_decode(struct holepunch *m, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	uint64_t flags = rd_uint(&r);

	*m = (struct holepunch){.mode = rd_uint(&r)};
	m->id = rd_uint(&r);
	m->payload = rd_buffer(&r, DGRAM_MAX);
	if (flags & FLAG_PEER)
		m->peer = rd_addr4(&r);
	return rd_ok(&r) ? 0 : ERR_MALFORMED;
}

static uint64_t
flag_if(const struct addr *a, uint64_t flag)
{
	return a->family != ADDR_NONE ? flag : 0;
}

size_t
handshake_encode(const struct handshake *m, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_uint(
	    &w, flag_if(&m->peer, FLAG_PEER) | flag_if(&m->relay, FLAG_RELAY));
	wr_uint(&w, m->mode);
	wr_buffer(&w, m->noise.p, m->noise.len);
	if (m->peer.family != ADDR_NONE)
		wr_addr4(&w, &m->peer);
	if (m->relay.family != ADDR_NONE)
		wr_addr4(&w, &m->relay);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

size_t
holepunch_encode(const struct holepunch *m, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_uint(&w, flag_if(&m->peer, FLAG_PEER));
	wr_uint(&w, m->mode);
	wr_uint(&w, m->id);
	wr_buffer(&w, m->payload.p, m->payload.len);
	if (m->peer.family != ADDR_NONE)
		wr_addr4(&w, &m->peer);
	return wr_ok(&w) ? wr_len(&w) : 0;
}
