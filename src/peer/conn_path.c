/* SPDX-License-Identifier: ISC */
#include "peer/conn_path.h"

#include "base/err.h"
#include "peer/conn_struct.h"

enum {
	/* Datagrams charged for the start of a stream to an unvalidated
	 * address: its first packet and the retransmissions of it. */
	START_PACKETS = 3,
	/* Open probes are repeated, each wait twice the last one. */
	PROBE_MS_FIRST = 100,
	PROBE_MS_MAX = 2000,
	/* A known path is probed this often at most because of the packets that
	 * arrive on it: a reference peer acknowledges each probe, and the
	 * acknowledgement arrives on that path. */
	ANSWER_MS = 100,
	/*
	 * A server's first packet is acknowledged within this time, even if it
	 * was retransmitted once, or its path does not work. A server that
	 * migrates too early may use a mapping that the client does not know.
	 */
	CHECK_MS = 900,
	USUAL_RTT_US = 120000, /* of most paths */
};

uint32_t
conn_stream_id_at(const struct conn *c, int sock, const struct addr *to)
{
	return conn_relay_is_source(c, sock, to) ? c->relay.id : c->peer_udx_id;
}

static struct udx_path
udx_path_of(const struct conn *c, const struct conn_path *p)
{
	return (struct udx_path){.sock = p->sock,
	    .to = p->to,
	    .id = conn_stream_id_at(c, p->sock, &p->to)};
}

/* Returns the index of the path, or paths->len if it is unknown. */
static uint8_t
find_path(const struct conn_paths *paths, int sock, const struct addr *to)
{
	const struct conn_path *list = paths->list;
	uint8_t i = 0;

	while (i < paths->len &&
	       (list[i].sock != sock || !addr_equal(&list[i].to, to)))
		i++;
	return i;
}

/* Returns true for sockets of the node and of this connection's own puncher;
 * those of other punchers close with them. */
static bool
owns_sock(const struct conn *c, int sock)
{
	return peers_has_socket(c->peers, sock) || conn_punch_has(c, sock) ||
	       conn_relay_owns(c, sock);
}

void
conn_probe_path(struct conn *c, const struct udx_path *path)
{
	if (punch_may_probe(c->peers->base.punch, &path->to, &c->punch.origin))
		udx_probe_path(c->udx, path);
}

static void
send_probes(struct conn *c)
{
	struct conn_paths *paths = &c->paths;
	struct peers *p = c->peers;

	for (uint8_t i = 0; i < paths->len; i++) {
		struct udx_path path = udx_path_of(c, &paths->list[i]);

		if (i != paths->current && owns_sock(c, paths->list[i].sock))
			conn_probe_path(c, &path);
	}
	timer_arm(
	    p->core->timers, &paths->probe, peers_after_ms(p, paths->probe_ms));
	paths->probe_ms *= 2;
	if (paths->probe_ms > PROBE_MS_MAX)
		paths->probe_ms = PROBE_MS_MAX;
}

static void
begin_probes(struct conn *c)
{
	c->paths.probe_ms = PROBE_MS_FIRST;
	send_probes(c);
}

static void
on_probe_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, paths.probe);

	if (c->state == CONN_PROVING || conn_relay_is_punching(c))
		send_probes(c);
}

static void on_check_timer(struct timer *t);

void
conn_paths_init(struct conn *c)
{
	c->paths.probe.fire = on_probe_timer;
	c->paths.check.fire = on_check_timer;
}

void
conn_paths_fini(struct conn *c)
{
	timer_disarm(c->peers->core->timers, &c->paths.probe);
	timer_disarm(c->peers->core->timers, &c->paths.check);
}

void
conn_paths_begin(struct conn *c)
{
	c->paths.handshake_us = c->peers->core->world->now_us;
}

void
conn_set_rtt(struct conn *c, uint64_t rtt_us)
{
	c->paths.rtt_us = rtt_us;
}

void
conn_paths_drained(struct conn *c)
{
	c->paths.drained = true;
}

void
conn_record_path(
    struct conn *c, enum dial_step_kind kind, const struct conn_path *path)
{
	conn_record(c, &(struct dial_step){
			   .kind = kind, .path = path->kind, .addr = path->to});
}

bool
conn_has_path(const struct conn *c)
{
	return c->paths.len > 0;
}

int
conn_sock(const struct conn *c)
{
	return c->paths.len > 0 ? c->paths.list[c->paths.current].sock
				: WORLD_NO_SOCK;
}

enum conn_path_kind
conn_path_kind(const struct conn *c)
{
	return c->paths.len > 0 ? c->paths.list[c->paths.current].kind
				: CONN_PATH_NONE;
}

struct addr
conn_remote(const struct conn *c)
{
	return c->paths.len > 0 ? c->paths.list[c->paths.current].to
				: (struct addr){.family = ADDR_NONE};
}

/* Returns true while a better path may be found: a server that is open still
 * punches until something of it is acknowledged. */
static bool
accepts_paths(const struct conn *c)
{
	return c->state == CONN_PROVING ||
	       (conn_is_open(c) &&
		   (c->punch.puncher != NULL || conn_relay_is_used(c)));
}

/*
 * Returns an estimate of the RTT for the first packet, which may be lost. The
 * handshake went through a relay and took longer than a packet on this path
 * will. A server measures the time until its client's first packet, unless it
 * sends first. If the client has tried paths meanwhile, or a packet was lost,
 * that time is no measure; retransmitting too early costs less than too late.
 */
static uint64_t
estimate_rtt_us(const struct conn *c)
{
	const struct conn_paths *paths = &c->paths;
	uint64_t since_us = c->peers->core->world->now_us - paths->handshake_us;
	uint64_t rtt_us = c->initiator ? paths->rtt_us : since_us;

	return rtt_us > 0 && rtt_us < USUAL_RTT_US ? rtt_us : USUAL_RTT_US;
}

static void
start_stream(struct conn *c, const struct udx_path *path)
{
	udx_set_rtt(c->udx, estimate_rtt_us(c));
	udx_connect(c->udx, path);
	conn_queue(c);
}

/*
 * Returns a candidate that a new one over this socket may replace: one over a
 * punch socket that the puncher no longer probes from, as its round of probes
 * has failed. Returns NULL if there is none.
 */
static struct conn_path *
find_obsolete(struct conn *c, int sock)
{
	struct conn_paths *paths = &c->paths;

	for (uint8_t i = 0; i < paths->len; i++)
		if (i != paths->current &&
		    paths->list[i].kind == CONN_PATH_PUNCHED &&
		    paths->list[i].sock != sock &&
		    !conn_punch_uses(c, paths->list[i].sock))
			return &paths->list[i];
	return NULL;
}

/*
 * Returns the entry for a further candidate, or NULL if the list is full. The
 * relayed path then replaces another one, since it may be the only one to work.
 */
static struct conn_path *
find_place(struct conn *c, const struct conn_path *path)
{
	struct conn_paths *paths = &c->paths;
	uint8_t last = CONN_PATHS_MAX - 1;
	struct conn_path *place;

	if (paths->len < CONN_PATHS_MAX)
		return &paths->list[paths->len++];
	place = find_obsolete(c, path->sock);
	if (place == NULL && path->kind == CONN_PATH_RELAYED)
		place = &paths->list[paths->current == last ? last - 1 : last];
	return place;
}

/* Adds a candidate to a stream that has started. */
static void
add_further_path(struct conn *c, const struct conn_path *path)
{
	struct conn_path *place = find_place(c, path);

	if (place == NULL)
		return;
	conn_record_path(c, DIAL_STEP_TRY, path);
	*place = *path;
	conn_punch_hold(c, path->sock);
	udx_allow_source(c->udx, &path->to);
	if (c->initiator)
		begin_probes(c);
}

void
conn_add_path(
    struct conn *c, enum conn_path_kind kind, int sock, const struct addr *to)
{
	struct conn_paths *paths = &c->paths;
	struct conn_path path = {.kind = kind, .sock = sock, .to = *to};
	struct udx_path up = udx_path_of(c, &path);

	if (!accepts_paths(c) || to->port == 0)
		return;
	if (find_path(paths, sock, to) < paths->len) {
		/* It may work only now: what was sent before may be lost. */
		if (c->initiator)
			conn_probe_path(c, &up);
		return;
	}
	if (paths->len > 0) {
		add_further_path(c, &path);
		return;
	}
	/* The address of the relay is validated by the control connection. */
	if (kind != CONN_PATH_RELAYED &&
	    !punch_may_send(
		c->peers->base.punch, to, &c->punch.origin, START_PACKETS))
		return;
	conn_record_path(c, DIAL_STEP_TRY, &path);
	paths->list[paths->len++] = path;
	conn_punch_hold(c, sock);
	start_stream(c, &up);
}

void
conn_allow_host(struct conn *c, const struct addr *host)
{
	if (c->state == CONN_PROVING)
		udx_allow_host(c->udx, host);
}

/* Returns the kind of path that packets from this source have taken. */
static enum conn_path_kind
classify_source(const struct conn *c, int sock, const struct addr *from)
{
	if (conn_relay_is_source(c, sock, from))
		return CONN_PATH_RELAYED;
	if (addr_scope(from) != ADDR_PUBLIC &&
	    !dht_is_private(c->peers->base.dht))
		return CONN_PATH_LAN;
	return peers_has_socket(c->peers, sock) ? CONN_PATH_DIRECT
						: CONN_PATH_PUNCHED;
}

/* Probes a known path on which a packet has arrived: the peer's NAT may admit
 * ours only now. */
static void
answer_on_path(struct conn *c, struct conn_path *path)
{
	struct udx_path up = udx_path_of(c, path);
	uint64_t now_us = c->peers->core->world->now_us;

	if (!c->initiator || now_us < path->answer_us)
		return;
	path->answer_us = now_us + ANSWER_MS * UINT64_C(1000);
	conn_probe_path(c, &up);
}

void
conn_add_source(struct conn *c)
{
	struct conn_paths *paths = &c->paths;
	struct udx_source s;
	uint8_t known;

	if (!accepts_paths(c) || !udx_source(c->udx, &s) ||
	    !owns_sock(c, s.sock))
		return;
	known = find_path(paths, s.sock, &s.from);
	/* A relayed packet may arrive before the relay's reply. */
	if (known == paths->len && conn_relay_is_source(c, s.sock, &s.from))
		return;
	if (known < paths->len)
		answer_on_path(c, &paths->list[known]);
	else
		conn_add_path(
		    c, classify_source(c, s.sock, &s.from), s.sock, &s.from);
}

/* Migrates the stream to the path over which the peer sends. */
static void
follow_peer(struct conn *c)
{
	struct conn_paths *paths = &c->paths;
	struct udx_path up;
	struct udx_source s;
	uint8_t i;

	if (!udx_source(c->udx, &s) || !s.accepted)
		return;
	i = find_path(paths, s.sock, &s.from);
	if (i == paths->len || i == paths->current || !owns_sock(c, s.sock))
		return;
	up = udx_path_of(c, &paths->list[i]);
	if (udx_migrate(c->udx, &up) != 0)
		return;
	paths->current = i;
	conn_report_move(c);
}

bool
conn_is_two_way(const struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	return c->paths.drained || st.min_rtt_us != 0;
}

static void
arm_check(struct conn *c)
{
	timer_arm(c->peers->core->timers, &c->paths.check,
	    peers_after_ms(c->peers, CHECK_MS));
}

static void
on_check_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, paths.check);

	if (!conn_is_open(c) || conn_is_two_way(c))
		return;
	follow_peer(c);
	if (c->punch.puncher != NULL)
		arm_check(c);
}

/*
 * The client migrates to the path on which the server has replied. If the
 * server did the same, the two might swap paths for ever; so the server stays
 * unless nothing of it arrives: as when a relay has reported a false address
 * of its client, or when our NAT admits the client's packets and the client's
 * NAT drops ours. Until then it goes on punching.
 */
void
conn_paths_settle(struct conn *c)
{
	udx_forget_hosts(c->udx);
	timer_disarm(c->peers->core->timers, &c->paths.probe);
	if (!c->initiator && !conn_relay_is_used(c)) {
		arm_check(c);
		return;
	}
	if (c->initiator)
		follow_peer(c);
	if (c->initiator && conn_relay_is_punching(c))
		begin_probes(c);
	/* Without an acknowledgement of our header, it was sent before the
	 * peer's NAT admitted it. */
	if (!conn_is_two_way(c))
		udx_retransmit(c->udx);
}

bool
conn_may_use(const struct conn *c, int sock)
{
	return owns_sock(c, sock) || lingering_sockets_in_use(c->peers, sock) ||
	       lingering_sockets_has(c->peers, sock);
}

bool
conn_knows_path(const struct conn *c, int sock, const struct addr *to)
{
	return find_path(&c->paths, sock, to) < c->paths.len;
}

bool
conn_uses_path(const struct conn *c, int sock, const struct addr *to)
{
	const struct conn_path *path = &c->paths.list[c->paths.current];

	return path->sock == sock && addr_equal(&path->to, to);
}

bool
conn_migrate_to(struct conn *c, int sock, const struct addr *to)
{
	struct conn_paths *paths = &c->paths;
	struct conn_path path = {
	    .kind = classify_source(c, sock, to), .sock = sock, .to = *to};
	struct udx_path up = udx_path_of(c, &path);
	struct addr before = conn_remote(c);
	uint8_t known = find_path(paths, sock, to);

	if (conn_uses_path(c, sock, to) || !conn_may_use(c, sock) ||
	    udx_migrate(c->udx, &up) != 0)
		return false;
	/* The peer sends there until it has validated the path, too. */
	udx_allow_source(c->udx, &before);
	if (known < paths->len)
		paths->current = known;
	else
		paths->list[paths->current] = path;
	if (!conn_is_open(c))
		return true;
	conn_punch_keep(c, sock);
	c->peers->core->stats->moves++;
	conn_report_move(c);
	conn_relay_migrated(c);
	return true;
}
