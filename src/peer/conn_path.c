/* SPDX-License-Identifier: ISC */
/*
 * The paths of one connection until the peer has proved itself over one. The
 * stream goes by the first that was offered. The dialer knocks at the others,
 * and the server connects to where the first packet of its client comes from;
 * so what arrives over another path than ours says which one the peer uses.
 */
#include "base/err.h"
#include "peer/inside.h"

enum {
	/* Knocks at the other paths are repeated, each wait twice the last. */
	KNOCK_MS_FIRST = 100,
	KNOCK_MS_MAX = 2000,
	/* Within this a server's first packet is acknowledged, also if it had
	 * to be repeated once, or it went nowhere. Who moves too early may
	 * leave by a mapping that the client does not know. */
	DOUBT_MS = 900,
	RTT_USUAL_US = 120000, /* of most paths */
};

static struct udx_path
udx_path_of(const struct conn *c, const struct conn_path *p)
{
	return (struct udx_path){
	    .sock = p->sock, .to = p->to, .id = c->peer_udx_id};
}

/* The path to that address through that socket, or paths_len. */
static uint8_t
find(const struct conn *c, int sock, const struct addr *to)
{
	uint8_t i = 0;

	while (i < c->paths_len &&
	       (c->paths[i].sock != sock || !addr_equal(&c->paths[i].to, to)))
		i++;
	return i;
}

/* Sockets of other attempts end with those. */
static bool
may_use(const struct conn *c, int sock)
{
	return peers_has_socket(c->peers, sock) || sock == c->sock ||
	       (c->puncher != NULL && puncher_has_socket(c->puncher, sock));
}

static void
knock(struct conn *c)
{
	struct peers *p = c->peers;

	for (uint8_t i = 0; i < c->paths_len; i++) {
		struct udx_path path = udx_path_of(c, &c->paths[i]);

		if (i != c->current && may_use(c, c->paths[i].sock))
			udx_probe_path(c->udx, &path);
	}
	timer_arm(p->core->timers, &c->knock,
	    p->core->world->now_us + c->knock_ms * 1000);
	c->knock_ms *= 2;
	if (c->knock_ms > KNOCK_MS_MAX)
		c->knock_ms = KNOCK_MS_MAX;
}

static void
on_knock(struct timer *t)
{
	knock(container_of(t, struct conn, knock));
}

void
conn_paths_init(struct conn *c)
{
	c->knock.fire = on_knock;
}

void
conn_paths_fini(struct conn *c)
{
	timer_disarm(c->peers->core->timers, &c->knock);
}

void
conn_note_path(
    struct conn *c, enum dial_step_kind kind, const struct conn_path *path)
{
	conn_note(c, &(struct dial_step){
			 .kind = kind, .path = path->kind, .addr = path->to});
}

bool
conn_has_path(const struct conn *c)
{
	return c->paths_len > 0;
}

int
conn_sock(const struct conn *c)
{
	return c->paths_len > 0 ? c->paths[c->current].sock : WORLD_NO_SOCK;
}

/* There may be a better path: of a server, while it punches on. */
static bool
is_sought(const struct conn *c)
{
	return c->state == CONN_PROVING ||
	       (c->state == CONN_OPEN && c->puncher != NULL);
}

/*
 * For the first packet, which may be lost: the handshake went by a relay and
 * took longer than a packet on this path will. A server measures it by when its
 * client comes, unless it goes to the client. If the client has looked for a
 * path meanwhile, or something was lost, it says nothing: and a packet sent
 * again too early costs less than one too late.
 */
static uint64_t
likely_rtt_us(const struct conn *c)
{
	uint64_t since_us = c->peers->core->world->now_us - c->shaken_us;
	uint64_t rtt_us = c->initiator ? c->rtt_us : since_us;

	return rtt_us > 0 && rtt_us < RTT_USUAL_US ? rtt_us : RTT_USUAL_US;
}

void
conn_add_path(
    struct conn *c, enum conn_path_kind kind, int sock, const struct addr *to)
{
	struct conn_path *path = &c->paths[find(c, sock, to)];
	struct udx_path up;

	if (!is_sought(c) || to->port == 0)
		return;
	if (path < c->paths + c->paths_len) {
		/* There is news of it: what was sent before may be lost. */
		up = udx_path_of(c, path);
		if (c->initiator)
			udx_probe_path(c->udx, &up);
		return;
	}
	if (c->paths_len == CONN_PATHS_MAX)
		return;
	*path = (struct conn_path){.kind = kind, .sock = sock, .to = *to};
	conn_note_path(c, DIAL_STEP_TRY, path);
	up = udx_path_of(c, path);
	c->paths_len++;
	if (c->paths_len == 1) {
		udx_set_rtt(c->udx, likely_rtt_us(c));
		udx_connect(c->udx, &up);
		peers_stir(c->peers, &c->stirred);
		return;
	}
	udx_allow_source(c->udx, to);
	if (c->initiator) {
		c->knock_ms = KNOCK_MS_FIRST;
		knock(c);
	}
}

/* How somebody must have come who comes from there. */
static enum conn_path_kind
kind_of(const struct conn *c, const struct udx_source *s)
{
	struct dht *d = c->peers->base.dht;

	if (addr_scope(&s->from) != ADDR_PUBLIC && !dht_is_private(d))
		return CONN_PATH_LAN;
	return peers_has_socket(c->peers, s->sock) ? CONN_PATH_DIRECT
						   : CONN_PATH_PUNCHED;
}

void
conn_source(struct conn *c)
{
	struct udx_source s;

	if (is_sought(c) && udx_source(c->udx, &s) && may_use(c, s.sock))
		conn_add_path(c, kind_of(c, &s), s.sock, &s.from);
}

/* Moves the stream to the path over which the peer speaks, if it is another. */
static void
follow(struct conn *c)
{
	struct udx_path up;
	struct udx_source s;
	uint8_t i;

	if (!udx_source(c->udx, &s) || !s.accepted)
		return;
	i = find(c, s.sock, &s.from);
	if (i == c->paths_len || i == c->current || !may_use(c, s.sock))
		return;
	up = udx_path_of(c, &c->paths[i]);
	if (udx_migrate(c->udx, &up) == 0)
		c->current = i;
}

bool
conn_is_two_way(const struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	return c->two_way || st.min_rtt_us != 0;
}

static void
on_doubt(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, knock);
	struct peers *p = c->peers;

	if (c->state != CONN_OPEN || conn_is_two_way(c))
		return;
	follow(c);
	if (c->puncher != NULL)
		timer_arm(p->core->timers, &c->knock,
		    p->core->world->now_us + DOUBT_MS * 1000);
}

/*
 * The client follows to where the server has answered. If both did, they might
 * change places; so the server stays where it is unless nothing of it arrives
 * there: as when a relay has lied about where its client is, or where our NAT
 * lets the client in and the client's not us. Until then it punches on.
 */
void
conn_paths_settle(struct conn *c)
{
	struct peers *p = c->peers;

	timer_disarm(p->core->timers, &c->knock);
	if (c->initiator) {
		follow(c);
		/* The peer would have said that it has our header: it left
		 * before the peer's NAT let it in. */
		if (!conn_is_two_way(c))
			udx_retransmit(c->udx);
		return;
	}
	c->knock.fire = on_doubt;
	timer_arm(p->core->timers, &c->knock,
	    p->core->world->now_us + DOUBT_MS * 1000);
}

bool
conn_may_stay(const struct conn *c, int sock)
{
	return may_use(c, sock) || lingering_sockets_last(c->peers, sock) ||
	       lingering_sockets_has(c->peers, sock);
}

bool
conn_goes_by(const struct conn *c, int sock, const struct addr *to)
{
	const struct conn_path *path = &c->paths[c->current];

	return path->sock == sock && addr_equal(&path->to, to);
}

/* The socket that it goes by stays open for it; the one before may go. */
static void
keep_sock(struct conn *c, int sock)
{
	int before = c->sock;

	c->sock = peers_has_socket(c->peers, sock) ? WORLD_NO_SOCK : sock;
	if (before != WORLD_NO_SOCK && before != c->sock)
		lingering_sockets_leave(c->peers, before);
}

bool
conn_move(struct conn *c, int sock, const struct addr *to)
{
	struct udx_source s = {.from = *to, .sock = sock};
	struct conn_path moved = {
	    .kind = kind_of(c, &s), .sock = sock, .to = *to};
	struct udx_path up = udx_path_of(c, &moved);
	struct addr before = conn_remote(c);
	uint8_t known = find(c, sock, to);

	if (conn_goes_by(c, sock, to) || !conn_may_stay(c, sock) ||
	    udx_migrate(c->udx, &up) != 0)
		return false;
	/* The peer goes on there until it has asked us, too. */
	udx_allow_source(c->udx, &before);
	if (known < c->paths_len)
		c->current = known;
	else
		c->paths[c->current] = moved;
	if (c->state != CONN_OPEN)
		return true;
	if (c->puncher == NULL)
		keep_sock(c, sock);
	c->peers->core->stats->moves++;
	return true;
}
