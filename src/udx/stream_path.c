/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "udx/packet.h"
#include "udx/stream_path.h"

/* The only function that changes the state. */
static void
set_state(struct stream_path *p, enum path_state state)
{
	p->state = state;
}

void
stream_path_set(struct stream_path *p, const struct udx_path *to)
{
	p->current = *to;
	set_state(p, PATH_IN_USE);
}

void
stream_path_migrate(
    struct stream_path *p, const struct udx_path *to, uint32_t seq)
{
	p->previous = p->current.to;
	p->migration_seq = seq;
	p->current = *to;
	set_state(p, PATH_MIGRATING);
}

bool
stream_path_check_migrated(struct stream_path *p, uint32_t una)
{
	if (p->state != PATH_MIGRATING || seq_diff(una, p->migration_seq) < 0)
		return false;
	set_state(p, PATH_IN_USE);
	return true;
}

void
stream_path_allow(struct stream_path *p, const struct addr *a)
{
	for (int i = 0; i < p->allowed_len; i++)
		if (addr_equal(&p->allowed[i], a))
			return;
	if (p->allowed_len < UDX_SOURCES_MAX)
		p->allowed_len++;
	memmove(p->allowed + 1, p->allowed,
	    (p->allowed_len - 1U) * sizeof *p->allowed);
	p->allowed[0] = *a;
}

void
stream_path_allow_host(struct stream_path *p, const struct addr *host)
{
	if (p->hosts_len < UDX_HOSTS_MAX)
		p->hosts[p->hosts_len++] = addr_host_key(host);
}

void
stream_path_forget_hosts(struct stream_path *p)
{
	p->hosts_len = 0;
}

static bool
is_allowed(const struct stream_path *p, const struct addr *from)
{
	/* The peer's own address counts on any of our sockets. */
	if (p->state == PATH_NONE || addr_equal(from, &p->current.to) ||
	    (p->state == PATH_MIGRATING && addr_equal(from, &p->previous)))
		return true;
	for (int i = 0; i < p->allowed_len; i++)
		if (addr_equal(from, &p->allowed[i]))
			return true;
	for (int i = 0; i < p->hosts_len; i++)
		if (addr_host_key(from) == p->hosts[i])
			return true;
	return false;
}

void
stream_path_note_source(
    struct stream_path *p, const struct dgram *dg, bool accepted)
{
	p->source = (struct udx_source){dg->from, dg->sock, accepted};
	p->source_seen = true;
}

enum path_source
stream_path_classify(struct stream_path *p, const struct dgram *dg)
{
	bool allowed;

	if (p->state != PATH_NONE && p->current.sock == dg->sock &&
	    addr_equal(&dg->from, &p->current.to))
		return SOURCE_CURRENT;
	allowed = is_allowed(p, &dg->from);
	stream_path_note_source(p, dg, allowed);
	return allowed ? SOURCE_ALLOWED : SOURCE_UNKNOWN;
}

uint8_t
stream_path_other_sources(const struct stream_path *p, struct addr *out)
{
	uint8_t n = p->allowed_len;

	memcpy(out, p->allowed, n * sizeof *out);
	if (p->state == PATH_MIGRATING)
		out[n++] = p->previous;
	return n;
}
