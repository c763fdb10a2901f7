/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "dht/rpc.h"
#include "sim/host.h"
#include "sim/walk.h"

static struct walk_step *
step_of(struct walk *w, struct spot at)
{
	for (uint32_t i = 0; i < w->len; i++)
		if (spot_equal(w->steps[i].at, at))
			return &w->steps[i];
	return NULL;
}

static struct walk_step *
step_add(struct walk *w, struct spot at, uint8_t depth)
{
	struct walk_step *s;

	if (w->len == WALK_MAX)
		return NULL;
	s = &w->steps[w->len++];
	*s = (struct walk_step){.at = at, .depth = depth};
	return s;
}

void
walk_sent(struct walk *w, struct spot to, const uint8_t *buf, size_t len)
{
	struct rpc_request m;
	struct walk_step *s;

	if (buf[0] != RPC_REQUEST || rpc_request_decode(&m, buf, len) != 0)
		return;
	if (m.target == NULL || memcmp(m.target, w->target, ID_LEN) != 0)
		return;
	w->sent++;
	s = step_of(w, to);
	if (s == NULL)
		s = step_add(w, to, 1);
	if (s != NULL)
		s->asked = true;
}

void
walk_got(struct walk *w, struct spot from, const uint8_t *buf, size_t len)
{
	struct rpc_reply m;
	struct walk_step *s = step_of(w, from);
	uint8_t depth;

	if (s == NULL || !s->asked || buf[0] != RPC_REPLY)
		return;
	w->received++;
	if (rpc_reply_decode(&m, buf, len) != 0)
		return;
	depth = (uint8_t)(s->depth < UINT8_MAX ? s->depth + 1 : UINT8_MAX);
	for (size_t i = 0; i < m.closer.len / ADDR_WIRE4_LEN; i++) {
		struct addr a = rpc_closer(&m, i);
		struct walk_step *named = step_of(w, addr_spot(&a));

		if (named == NULL)
			step_add(w, addr_spot(&a), depth);
		else if (!named->asked && named->depth > depth)
			named->depth = depth;
	}
}

uint32_t
walk_depth(const struct walk *w, struct spot at)
{
	struct walk_step *s = step_of((struct walk *)w, at);

	return s != NULL && s->asked ? s->depth : 0;
}
