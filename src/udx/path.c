/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "udx/inside.h"

void
udx_allow_source(struct udx_stream *s, const struct addr *a)
{
	for (int i = 0; i < s->allowed_len; i++)
		if (addr_equal(&s->allowed[i], a))
			return;
	if (s->allowed_len < UDX_SOURCES_MAX)
		s->allowed_len++;
	memmove(s->allowed + 1, s->allowed,
	    (s->allowed_len - 1U) * sizeof *s->allowed);
	s->allowed[0] = *a;
}

bool
udx_source(const struct udx_stream *s, struct udx_source *out)
{
	if (s->has_source)
		*out = s->source;
	return s->has_source;
}

static bool
taken(const struct udx_stream *s, const struct addr *from)
{
	/* The peer's own address, but on another of our sockets, too. */
	if (!s->connected || addr_equal(from, &s->path.to) ||
	    (s->moving && addr_equal(from, &s->old_to)))
		return true;
	for (int i = 0; i < s->allowed_len; i++)
		if (addr_equal(from, &s->allowed[i]))
			return true;
	return false;
}

enum path_verdict
path_judge(struct udx_stream *s, const struct dgram *dg)
{
	bool ok;

	if (s->connected && s->path.sock == dg->sock &&
	    addr_equal(&dg->from, &s->path.to))
		return PATH_OWN;
	ok = taken(s, &dg->from);
	s->source = (struct udx_source){dg->from, dg->sock, ok};
	s->has_source = true;
	udx_tell(s, UDX_EV_SOURCE);
	return ok ? PATH_TAKEN : PATH_STRANGER;
}

static void
go(struct udx_stream *s, const struct udx_path *path)
{
	s->path = *path;
	mtu_init(&s->mtu, UDX_MTU_BASE, UDX_MTU_MAX);
	/* A full socket was the old one's. */
	turn_forget(s);
	turn_want(s);
}

int
udx_connect(struct udx_stream *s, const struct udx_path *path)
{
	struct udx *u = s->udx;

	if (s->connected)
		return ERR_EXISTS;
	if (path->to.port == 0)
		return ERR_PORT;
	if (s->closed)
		return ERR_CLOSED;
	go(s, path);
	s->connected = true;
	s->new_path = true;
	cc_init(&s->cc, max_payload(s) + (uint32_t)PACKET_HEADER,
	    u->world->now_us, world_random32(u->world));
	s->sent_us = u->world->now_us;
	if (s->keep_us != 0)
		alarm_set(s, ALARM_KEEP, s->sent_us + s->keep_us);
	relay_connected(s);
	return 0;
}

int
udx_migrate(struct udx_stream *s, const struct udx_path *path)
{
	if (s->closed || !s->connected)
		return ERR_CLOSED;
	if (path->to.port == 0)
		return ERR_PORT;
	s->old_to = s->path.to;
	s->moving = true;
	s->moved_seq = s->flight.nxt;
	go(s, path);
	cc_path_changed(&s->cc, udx_now(s));
	cc_set_mss(&s->cc, max_payload(s) + (uint32_t)PACKET_HEADER);
	/* Whether the old path still delivers nobody knows: the answer to one
	 * packet on the new path tells what of the rest is lost. */
	loss_new_path(s);
	path_check_moved(s);
	return 0;
}

/* One packet over another path than the stream's. */
static int
send_aside(struct udx_stream *s, const struct udx_path *path, uint8_t type,
    struct bytes payload)
{
	struct udx *u = s->udx;
	struct dgram_meta meta = {.sock = path->sock, .to = path->to};
	struct packet p = {
	    .type = type,
	    .id = path->id,
	    .rwnd = recv_window(s),
	    .seq = s->flight.nxt,
	    .ack = s->rcv_nxt,
	};
	size_t len = PACKET_HEADER + payload.len;
	uint8_t *out;

	if (s->closed)
		return ERR_CLOSED;
	out = u->world->ops->reserve(u->world, &meta, len);
	if (out == NULL)
		return ERR_FULL;
	packet_encode(out, &p);
	if (payload.len > 0)
		memcpy(out + PACKET_HEADER, payload.p, payload.len);
	if (u->world->ops->commit(u->world, len) != 0)
		return ERR_FULL;
	u->stats->tx_datagrams++;
	u->stats->tx_bytes += len;
	return 0;
}

void
udx_probe_path(struct udx_stream *s, const struct udx_path *path)
{
	(void)send_aside(s, path, PACKET_HEARTBEAT, (struct bytes){0});
}

int
udx_send_message_via(struct udx_stream *s, const struct udx_path *path,
    const void *p, size_t len)
{
	if (len >
	    UDX_MTU_BASE - addr_overhead(&path->to) - (size_t)PACKET_HEADER)
		return ERR_TOO_BIG;
	return send_aside(s, path, PACKET_MESSAGE, (struct bytes){p, len});
}

void
udx_probe_now(struct udx_stream *s)
{
	if (!s->closed && s->connected)
		loss_probe(s);
}

void
path_check_moved(struct udx_stream *s)
{
	if (!s->moving || seq_diff(s->flight.una, s->moved_seq) < 0)
		return;
	s->moving = false;
	udx_tell(s, UDX_EV_MIGRATED);
}
