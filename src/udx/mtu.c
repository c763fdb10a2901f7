/* SPDX-License-Identifier: ISC */
#include "udx/mtu.h"

enum {
	PAD_MAX = 255,     /* data_offset is one byte on the wire */
	TRIES_MAX = 3,     /* RFC 8899 MAX_PROBES */
	GAP_MIN = 16,      /* a smaller gain is not worth a probe */
	RAISE_S = 10 * 60, /* RFC 8899 PMTU_RAISE_TIMER */
};

void
mtu_init(struct mtu *m, uint16_t base, uint16_t limit, uint16_t overhead)
{
	*m = (struct mtu){
	    .size = base,
	    .base = base,
	    .failed = (uint16_t)(limit + 1),
	    .limit = limit,
	    .overhead = overhead,
	};
}

void
mtu_restart(struct mtu *m, uint16_t overhead)
{
	bool shrunk = m->shrunk || m->size > m->base;

	mtu_init(m, m->base, m->limit, overhead);
	m->shrunk = shrunk;
}

static uint16_t
next_probe_size(const struct mtu *m)
{
	uint16_t gap = (uint16_t)(m->failed - m->size);

	if (m->failed > m->limit)
		return m->limit - m->size > PAD_MAX
			   ? (uint16_t)(m->size + PAD_MAX)
			   : m->limit;
	return (uint16_t)(m->size + gap / 2);
}

uint16_t
mtu_wanted(struct mtu *m, uint64_t now_us)
{
	if (m->probing)
		return 0;
	if (m->failed <= m->limit && now_us >= m->raise_us)
		m->failed = (uint16_t)(m->limit + 1);
	if (m->size >= m->limit ||
	    (m->failed <= m->limit && m->failed - m->size <= GAP_MIN))
		return 0;
	return next_probe_size(m);
}

void
mtu_probe_sent(struct mtu *m)
{
	m->probing = true;
}

bool
mtu_probe_arrived(struct mtu *m, uint16_t size)
{
	m->probing = false;
	m->tries = 0;
	if (size <= m->size || size > m->limit)
		return false;
	m->size = size;
	return true;
}

static void
set_failed(struct mtu *m, uint16_t size, uint64_t now_us)
{
	m->failed = size;
	m->raise_us = now_us + (uint64_t)RAISE_S * 1000000;
	m->tries = 0;
}

void
mtu_probe_lost(struct mtu *m, uint16_t size, uint64_t now_us)
{
	m->probing = false;
	if (++m->tries >= TRIES_MAX && size > m->size)
		set_failed(m, size, now_us);
}

bool
mtu_stalled(struct mtu *m, uint16_t size)
{
	bool shrinks = m->size > m->base;

	if (size <= m->base)
		return false;
	m->size = m->base;
	m->tries = 0;
	m->shrunk = true;
	return shrinks;
}

bool
mtu_exceeded(const struct mtu *m, uint16_t size)
{
	return m->shrunk && size > m->size;
}
