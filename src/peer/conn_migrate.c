/* SPDX-License-Identifier: ISC */
/*
 * The address of an open stream changes when a NAT has dropped its mapping or
 * was restarted, or when a machine joins another network. Packets from an
 * unknown source prove nothing, so they are not taken. The side that receives
 * no answer any more sends a message that only it can seal:
 */
/* clang-format off */
/*
 *   the side that moved            the side that did not
 *
 *   HERE ------------------------> from an unknown source address
 *        <------------------------ CHALLENGE, to that address, with a nonce
 *   RESPONSE --------------------> the nonce is right: the stream migrates
 *        <------------------------ HERE: data goes on at once
 */
/* clang-format on */
/*
 * As in RFC 9000 §8.2, an address is not used before it has answered a
 * challenge: otherwise a peer could direct its stream at any host. All messages
 * have one length and each is answered by at most one, so nothing is amplified.
 * Only nodes of this project send them: other implementations would pass them
 * to their application.
 */
#include "peer/conn_migrate.h"

#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "peer/conn_struct.h"

enum path_message { PATH_MSG_HERE, PATH_MSG_CHALLENGE, PATH_MSG_RESPONSE };

enum {
	NONCE_LEN = 8,
	MESSAGE_LEN = 1 + NONCE_LEN,
	/* From one HERE to the next while nothing is received. */
	STALL_MS = 1000,
	/* After so many without a packet, neither NAT admits the other side. */
	REDIAL_AFTER_S = 2,
	/* After so many the connection fails. Longer than UDX waits by itself,
	 * which would end the stream during a redial. RFC 7675 §5.1. */
	SILENT_S_MAX = 30,
	/* Keep-alive interval once our side has ended, and the time without a
	 * packet after which the peer is asked: six of them cannot all be lost
	 * by chance. */
	LIVENESS_BEAT_MS = 10000,
	LIVENESS_MS = 60000,
	/* A nonce is valid for one to two epochs; no other state is kept. */
	EPOCH_US = 10 * 1000000,
};

/* ---- messages out ---- */

/* Derives the nonce of a path: only the host at that address receives it. */
static void
derive_nonce(const struct conn *c, int sock, const struct addr *a,
    uint64_t epoch, uint8_t out[NONCE_LEN])
{
	struct {
		uint8_t secret[MIGRATE_SECRET_LEN];
		uint64_t epoch, number, sock;
		struct addr a;
	} in;
	uint8_t hash[HASH_LEN];

	/* Also the padding is hashed. */
	memset(&in, 0, sizeof in);
	memcpy(in.secret, c->peers->migrate_secret, sizeof in.secret);
	in.epoch = epoch;
	in.number = c->number;
	in.sock = (uint64_t)sock;
	in.a = *a;
	hash_blake2b(hash, &in, sizeof in);
	memcpy(out, hash, NONCE_LEN);
	sodium_memzero(&in, sizeof in);
}

static uint64_t
current_epoch(const struct conn *c)
{
	return c->peers->core->world->now_us / EPOCH_US;
}

static void
send_message(struct conn *c, enum path_message kind, const uint8_t *nonce,
    int sock, const struct addr *to)
{
	struct udx_path path = {
	    .sock = sock, .to = *to, .id = conn_stream_id_at(c, sock, to)};
	uint8_t m[MESSAGE_LEN] = {(uint8_t)kind};

	if (nonce != NULL)
		memcpy(m + 1, nonce, NONCE_LEN);
	(void)secret_send_message_via(c->secret, &path, m, sizeof m);
}

/* Sends a message to the source of one, which the peer may have forged: the
 * budget of that host limits it. */
static void
reply_to_source(struct conn *c, enum path_message kind, const uint8_t *nonce,
    const struct udx_message *m)
{
	struct probe_origin origin = {
	    .cause = PROBE_ASKED, .from = conn_remote(c)};

	if (punch_may_probe(c->peers->base.punch, &m->from, &origin))
		send_message(c, kind, nonce, m->sock, &m->from);
}

void
conn_send_here_by(struct conn *c, int sock, const struct addr *to)
{
	send_message(c, PATH_MSG_HERE, NULL, sock, to);
}

void
conn_send_here(struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	conn_send_here_by(c, st.path.sock, &st.path.to);
}

/* ---- a path that may be lost ---- */

static void
arm_stall(struct conn *c)
{
	timer_arm(c->peers->core->timers, &c->migrate.stall,
	    peers_after_ms(c->peers, STALL_MS));
}

static void
end_stall(struct conn *c)
{
	udx_ignore_timeouts(c->udx, false);
	c->migrate.suspected = false;
	c->migrate.silent_s = 0;
	conn_redial_reset(c);
}

/* Runs until a packet is received, or none is expected. */
static void
on_stall_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, migrate.stall);
	struct conn_migrate *m = &c->migrate;
	struct udx_status st;

	if (!conn_is_open(c))
		return;
	udx_status(c->udx, &st);
	if (st.packets_in != m->stall_packets_in ||
	    (!st.unacked && st.waiting == 0 && !m->suspected)) {
		end_stall(c);
		return;
	}
	if (++m->silent_s > SILENT_S_MAX) {
		conn_fail(c, ERR_TIMEOUT);
		return;
	}
	conn_send_here(c);
	arm_stall(c);
	if (m->silent_s > REDIAL_AFTER_S)
		conn_redial(c);
}

static void
begin_stall(struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	c->migrate.stall_packets_in = st.packets_in;
	udx_ignore_timeouts(c->udx, true);
	conn_send_here(c);
	arm_stall(c);
}

/* Returns false for redials and control connections, which end instead. */
static bool
can_migrate(const struct conn *c)
{
	return conn_is_open(c) && conn_is_native(c) && !conn_is_hidden(c);
}

void
conn_migrate_stalled(struct conn *c)
{
	if (can_migrate(c) && !timer_armed(&c->migrate.stall))
		begin_stall(c);
}

void
conn_migrate_suspect(struct conn *c)
{
	if (!can_migrate(c))
		return;
	c->migrate.suspected = true;
	begin_stall(c);
}

bool
conn_migrate_is_silent(const struct conn *c)
{
	return c->migrate.silent_s > 0;
}

/* ---- a peer that may be gone ---- */

static void
arm_liveness(struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	c->migrate.liveness_packets_in = st.packets_in;
	timer_arm(c->peers->core->timers, &c->migrate.liveness,
	    peers_after_ms(c->peers, LIVENESS_MS));
}

static void
on_liveness_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, migrate.liveness);
	struct udx_status st;
	bool is_silent;

	if (!conn_is_open(c))
		return;
	udx_status(c->udx, &st);
	is_silent = st.packets_in == c->migrate.liveness_packets_in;
	if (is_silent && !can_migrate(c)) {
		conn_fail(c, ERR_TIMEOUT);
		return;
	}
	if (is_silent && !timer_armed(&c->migrate.stall))
		conn_migrate_suspect(c);
	arm_liveness(c);
}

void
conn_migrate_watch_peer(struct conn *c)
{
	if (!conn_is_open(c) || timer_armed(&c->migrate.liveness))
		return;
	udx_set_keepalive(c->udx, LIVENESS_BEAT_MS);
	arm_liveness(c);
}

void
conn_migrate_init(struct conn *c)
{
	c->migrate.stall.fire = on_stall_timer;
	c->migrate.liveness.fire = on_liveness_timer;
}

void
conn_migrate_fini(struct conn *c)
{
	timer_disarm(c->peers->core->timers, &c->migrate.stall);
	timer_disarm(c->peers->core->timers, &c->migrate.liveness);
}

/* ---- messages in ---- */

static void
on_here(struct conn *c, const struct udx_message *m)
{
	struct udx_path path = {.sock = m->sock,
	    .to = m->from,
	    .id = conn_stream_id_at(c, m->sock, &m->from)};
	uint8_t nonce[NONCE_LEN];

	if (conn_uses_path(c, m->sock, &m->from)) {
		udx_probe_now(c->udx);
		/* Replies even if no data is in flight. */
		udx_probe_path(c->udx, &path);
	} else {
		derive_nonce(c, m->sock, &m->from, current_epoch(c), nonce);
		reply_to_source(c, PATH_MSG_CHALLENGE, nonce, m);
	}
}

static bool
is_valid_response(
    const struct conn *c, const struct udx_message *m, const uint8_t *got)
{
	uint8_t nonce[NONCE_LEN];
	uint64_t now = current_epoch(c);
	bool ok = false;

	for (uint64_t ago = 0; ago < 2 && ago <= now; ago++) {
		derive_nonce(c, m->sock, &m->from, now - ago, nonce);
		ok |= sodium_memcmp(nonce, got, NONCE_LEN) == 0;
	}
	return ok;
}

static void
on_message(struct conn *c, const struct udx_message *m, const uint8_t *plain)
{
	const uint8_t *nonce = plain + 1;

	if (!conn_may_use(c, m->sock))
		return;
	switch (plain[0]) {
	case PATH_MSG_HERE:
		on_here(c, m);
		break;
	case PATH_MSG_CHALLENGE:
		reply_to_source(c, PATH_MSG_RESPONSE, nonce, m);
		break;
	case PATH_MSG_RESPONSE:
		if (is_valid_response(c, m, nonce) &&
		    conn_migrate_to(c, m->sock, &m->from))
			conn_send_here(c);
		break;
	default: /* of a later version */
		break;
	}
}

void
conn_migrate_messages(struct conn *c)
{
	uint8_t plain[UDX_MTU_MAX];
	struct udx_message m;

	while (conn_is_open(c) && udx_next_message(c->udx, &m))
		if (conn_is_native(c) && m.payload.len <= sizeof plain &&
		    secret_open_message(c->secret, &m, plain) >= MESSAGE_LEN)
			on_message(c, &m, plain);
}
