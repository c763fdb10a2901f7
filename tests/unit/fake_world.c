/* SPDX-License-Identifier: ISC */
#include "fake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static struct fake_world *
fake_of(struct world *w)
{
	return (struct fake_world *)(void *)w;
}

static int
fake_open(struct world *w, const struct addr *at, struct addr *bound)
{
	struct fake_world *fw = fake_of(w);

	for (int h = 0; h < FAKE_SOCKS_MAX; h++) {
		struct fake_sock *s = &fw->socks[h];

		if (at->port != 0 && at->port >= fw->taken_first &&
		    at->port <= fw->taken_last)
			return ERR_ADDRESS_USED;
		if (s->open && at->port != 0 && s->bound.port == at->port)
			return ERR_ADDRESS_USED;
		if (s->open)
			continue;
		s->open = true;
		s->bound = *at;
		if (at->port == 0)
			s->bound.port = (uint16_t)(FAKE_PORT_ANY + h);
		*bound = s->bound;
		return h;
	}
	return ERR_SOCKET;
}

static void
fake_close(struct world *w, int sock)
{
	fake_of(w)->socks[sock].open = false;
}

static int
fake_resolve(struct world *w, const char *name, uint32_t ticket)
{
	struct fake_world *fw = fake_of(w);
	struct fake_name *n;

	if (fw->names_len == FAKE_NAMES_MAX)
		return ERR_BUSY;
	n = &fw->names[fw->names_len++];
	snprintf(n->name, sizeof n->name, "%s", name);
	n->ticket = ticket;
	return 0;
}

/* splitmix64: every seed gives a full period. */
uint64_t
fake_random64(struct fake_world *fw)
{
	uint64_t z = fw->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void
fake_random(struct world *w, void *out, size_t len)
{
	uint8_t *p = out;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)fake_random64(fake_of(w));
}

static size_t
room_max(const struct dgram_meta *meta)
{
	size_t most = (size_t)meta->segment * WORLD_BURST_SEGMENTS;

	if (meta->segment == 0)
		return DGRAM_MAX;
	return most < WORLD_BURST_MAX ? most : WORLD_BURST_MAX;
}

static uint8_t *
fake_reserve(struct world *w, const struct dgram_meta *meta, size_t cap)
{
	struct fake_world *fw = fake_of(w);

	if (cap == 0 || cap > room_max(meta) || meta->segment > DGRAM_MAX ||
	    meta->sock < 0 || meta->sock >= FAKE_SOCKS_MAX ||
	    !fw->socks[meta->sock].open)
		abort(); /* no world could do that */
	if (fw->batch_max != 0 && fw->sent_len >= fw->batch_max)
		return NULL;
	fw->meta = *meta;
	fw->reserved = cap;
	return fw->room;
}

static void
keep_sent(struct fake_world *fw, const uint8_t *buf, size_t len)
{
	struct fake_sent *s;

	if (fw->sent_len == fw->sent_cap) {
		size_t want = fw->sent_cap == 0 ? 8 : fw->sent_cap * 2;

		fw->sent = realloc(fw->sent, want * sizeof *fw->sent);
		if (fw->sent == NULL)
			abort();
		fw->sent_cap = want;
	}
	s = &fw->sent[fw->sent_len++];
	s->meta = fw->meta;
	s->meta.segment = 0;
	s->len = len;
	memcpy(s->buf, buf, len);
}

static int
fake_commit(struct world *w, size_t len)
{
	struct fake_world *fw = fake_of(w);
	size_t piece = fw->meta.segment != 0 ? fw->meta.segment : len;

	if (len == 0 || len > fw->reserved)
		abort();
	fw->reserved = 0;
	for (size_t at = 0; at < len; at += piece)
		keep_sent(
		    fw, fw->room + at, len - at < piece ? len - at : piece);
	return 0;
}

static const struct world_ops fake_ops = {
    .open = fake_open,
    .close = fake_close,
    .resolve = fake_resolve,
    .random = fake_random,
    .reserve = fake_reserve,
    .commit = fake_commit,
};

void
fake_init(struct fake_world *fw, uint64_t seed)
{
	*fw = (struct fake_world){.w.ops = &fake_ops, .seed = seed};
	fw->w.now_us = UINT64_C(3600) * 1000000;
	fw->w.unix_ms = UINT64_C(1767225600) * 1000;
}

void
fake_fini(struct fake_world *fw)
{
	free(fw->sent);
	fw->sent = NULL;
	fw->sent_len = fw->sent_cap = 0;
}

void
fake_advance_ms(struct fake_world *fw, uint64_t ms)
{
	fw->w.now_us += ms * 1000;
	fw->w.unix_ms += ms;
}

void
fake_clear(struct fake_world *fw)
{
	fw->sent_len = 0;
}

const struct fake_sent *
fake_last(const struct fake_world *fw)
{
	return fw->sent_len == 0 ? NULL : &fw->sent[fw->sent_len - 1];
}

bool
fake_name_taken(struct fake_world *fw, struct fake_name *out)
{
	if (fw->names_len == 0)
		return false;
	*out = fw->names[0];
	fw->names_len--;
	memmove(fw->names, fw->names + 1, fw->names_len * sizeof *fw->names);
	return true;
}
