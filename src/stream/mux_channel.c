/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "stream/mux_channel.h"

void
mux_channels_init(struct mux_channels *cs)
{
	*cs = (struct mux_channels){0};
	TAILQ_INIT(&cs->list);
}

void
mux_channels_fini(struct mux_channels *cs)
{
	while (!TAILQ_EMPTY(&cs->list))
		mux_channel_free(cs, TAILQ_FIRST(&cs->list));
}

struct mux_channel *
mux_channel_by_local(struct mux_channels *cs, uint64_t id)
{
	struct mux_channel *c;

	TAILQ_FOREACH (c, &cs->list, link)
		if (id != 0 && c->local == id)
			return c;
	return NULL;
}

struct mux_channel *
mux_channel_by_remote(struct mux_channels *cs, uint64_t id)
{
	struct mux_channel *c;

	TAILQ_FOREACH (c, &cs->list, link)
		if (id != 0 && c->remote == id)
			return c;
	return NULL;
}

static bool
has_name(const struct mux_channel *c, const struct mux_name *name)
{
	const struct bytes *protocol = &name->protocol, *id = &name->id;

	return c->protocol_len == protocol->len && c->id_len == id->len &&
	       memcmp(c->name, protocol->p, protocol->len) == 0 &&
	       (id->len == 0 ||
		   memcmp(c->name + c->protocol_len, id->p, id->len) == 0);
}

struct mux_channel *
mux_channel_by_name(struct mux_channels *cs, const struct mux_name *name,
    enum mux_state a, enum mux_state b)
{
	struct mux_channel *c;

	TAILQ_FOREACH (c, &cs->list, link)
		if ((c->state == a || c->state == b) && has_name(c, name))
			return c;
	return NULL;
}

int
mux_channel_new(struct mux_channels *cs, const struct mux_name *name,
    enum mux_state state, struct mux_channel **out)
{
	const struct bytes *protocol = &name->protocol, *id = &name->id;
	struct mux_channel *c;

	if (protocol->len == 0 || protocol->len > MUX_NAME_MAX ||
	    id->len > MUX_NAME_MAX)
		return ERR_SIZE;
	if (cs->len == MUX_CHANNELS_MAX)
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
	TAILQ_INSERT_TAIL(&cs->list, c, link);
	cs->len++;
	*out = c;
	return 0;
}

void
mux_channel_free(struct mux_channels *cs, struct mux_channel *c)
{
	TAILQ_REMOVE(&cs->list, c, link);
	cs->len--;
	free(c);
}

uint32_t
mux_channels_unused_id(struct mux_channels *cs)
{
	uint32_t id = 1;

	while (mux_channel_by_local(cs, id) != NULL)
		id++;
	return id;
}
