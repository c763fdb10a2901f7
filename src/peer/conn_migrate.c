/* SPDX-License-Identifier: ISC */
/*
 * Open streams whose address changes: a NAT has forgotten them or was started
 * anew, a machine is in another network. Packets from a strange address prove
 * nothing, so they are not taken. Whoever finds no answer any more says so in
 * a message that only he can seal (protocol 06 §A.7):
 *
 *	who moved		who stayed
 *	here -----------------> from another address than the stream's
 *	     <----------------- challenge, to there, with a nonce
 *	echo -----------------> whoever reads there has the keys: the stream
 *moves
 *	     <----------------- here: go on at once
 *
 * As in RFC 9000 §8.2, an address is not believed before it has answered: else
 * a peer could have its stream sent to anybody. All are of one length, and each
 * is answered by one at most, so nobody is sent more than was spent. Only nodes
 * of this project talk so: others would hand it to their application.
 */
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "peer/inside.h"

enum word { HERE, CHALLENGE, ECHO };

enum {
	NONCE_LEN = 8,
	WORD_LEN = 1 + NONCE_LEN,
	AGAIN_MS = 1000,
	/* So often in vain, and neither NAT lets the other end in. */
	MEND_AFTER = 2,
	/* And nobody looks on. Longer than UDX waits by itself, which would end
	 * the stream while a path is looked for. RFC 7675 §5.1. */
	SILENT_MAX = 30,
	/* Of one whose own side has ended: it is asked for a sign of life, and
	 * so often that six of those are not lost by chance. */
	BEAT_MS = 10000,
	LIFE_MS = 60000,
	/* A nonce holds for one to two of these, and no more state is kept. */
	EPOCH_US = 10 * 1000000,
};

static void
nonce_of(const struct conn *c, int sock, const struct addr *a, uint64_t epoch,
    uint8_t out[NONCE_LEN])
{
	struct {
		uint8_t secret[MOVE_SECRET_LEN];
		uint64_t epoch, number, sock;
		struct addr a;
	} in;
	uint8_t hash[HASH_LEN];

	memset(&in, 0, sizeof in);
	memcpy(in.secret, c->peers->move_secret, sizeof in.secret);
	in.epoch = epoch;
	in.number = c->number;
	in.sock = (uint64_t)sock;
	in.a = *a;
	hash_blake2b(hash, &in, sizeof in);
	memcpy(out, hash, NONCE_LEN);
	sodium_memzero(&in, sizeof in);
}

static uint64_t
epoch_now(const struct conn *c)
{
	return c->peers->core->world->now_us / EPOCH_US;
}

static void
say(struct conn *c, enum word word, const uint8_t *nonce, int sock,
    const struct addr *to)
{
	struct udx_path path = {.sock = sock, .to = *to, .id = c->peer_udx_id};
	uint8_t m[WORD_LEN] = {(uint8_t)word};

	if (nonce != NULL)
		memcpy(m + 1, nonce, NONCE_LEN);
	(void)secret_send_message_via(c->secret, &path, m, sizeof m);
}

void
conn_here(struct conn *c, int sock, const struct addr *to)
{
	say(c, HERE, NULL, sock, to);
}

void
conn_say_here(struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	conn_here(c, st.path.sock, &st.path.to);
}

/* ---- who is not heard ---- */

static void
wait_on(struct conn *c)
{
	struct peers *p = c->peers;

	timer_arm(p->core->timers, &c->stuck,
	    p->core->world->now_us + AGAIN_MS * UINT64_C(1000));
}

static void
stop(struct conn *c)
{
	udx_ignore_timeouts(c->udx, false);
	c->moved = false;
	c->silent = 0;
	c->mend_us = 0;
	c->mend_wait_ms = 0;
}

/* Until anything comes, or nothing is under way. */
static void
on_stuck(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, stuck);
	struct udx_status st;

	if (c->state != CONN_OPEN)
		return;
	udx_status(c->udx, &st);
	if (st.packets_in != c->packets_in ||
	    (st.in_flight == 0 && st.waiting == 0 && !c->moved)) {
		stop(c);
		return;
	}
	if (++c->silent > SILENT_MAX) {
		conn_fail(c, ERR_TIMEOUT);
		return;
	}
	conn_say_here(c);
	wait_on(c);
	if (c->silent > MEND_AFTER)
		conn_mend(c);
}

static void on_quiet(struct timer *t);

void
conn_moves_init(struct conn *c)
{
	c->stuck.fire = on_stuck;
	c->quiet.fire = on_quiet;
}

void
conn_moves_fini(struct conn *c)
{
	timer_disarm(c->peers->core->timers, &c->stuck);
	timer_disarm(c->peers->core->timers, &c->quiet);
}

static void
begin(struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	c->packets_in = st.packets_in;
	udx_ignore_timeouts(c->udx, true);
	conn_say_here(c);
	wait_on(c);
}

/* Something has happened to the path, also if nothing is under way. */
static void
suspect(struct conn *c)
{
	c->moved = true;
	begin(c);
}

/* Those that mend others have no time to be mended. */
static bool
may_move(const struct conn *c)
{
	return c->state == CONN_OPEN && c->native && !c->mends;
}

void
conn_stuck(struct conn *c)
{
	if (may_move(c) && !timer_armed(&c->stuck))
		begin(c);
}

static void
look_again(struct conn *c)
{
	struct udx_status st;

	udx_status(c->udx, &st);
	c->life_in = st.packets_in;
	timer_arm(c->peers->core->timers, &c->quiet,
	    c->peers->core->world->now_us + LIFE_MS * UINT64_C(1000));
}

static void
on_quiet(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, quiet);
	struct udx_status st;
	bool quiet;

	if (c->state != CONN_OPEN)
		return;
	udx_status(c->udx, &st);
	quiet = st.packets_in == c->life_in;
	if (quiet && !may_move(c)) {
		conn_fail(c, ERR_TIMEOUT);
		return;
	}
	if (quiet && !timer_armed(&c->stuck))
		suspect(c);
	look_again(c);
}

void
conn_listens_on(struct conn *c)
{
	if (c->state != CONN_OPEN || timer_armed(&c->quiet))
		return;
	udx_set_keepalive(c->udx, BEAT_MS);
	look_again(c);
}

void
peers_moved(struct peers *p)
{
	for (struct conn *c = p->conns; c != NULL; c = c->hh.next)
		if (may_move(c))
			suspect(c);
}

/* ---- what is said ---- */

static void
on_here(struct conn *c, const struct udx_message *m)
{
	struct udx_path path = {
	    .sock = m->sock, .to = m->from, .id = c->peer_udx_id};
	uint8_t nonce[NONCE_LEN];

	if (conn_goes_by(c, m->sock, &m->from)) {
		udx_probe_now(c->udx);
		/* Also where we have nothing to say: it is heard. */
		udx_probe_path(c->udx, &path);
	} else {
		nonce_of(c, m->sock, &m->from, epoch_now(c), nonce);
		say(c, CHALLENGE, nonce, m->sock, &m->from);
	}
}

static bool
is_echo(const struct conn *c, const struct udx_message *m, const uint8_t *got)
{
	uint8_t nonce[NONCE_LEN];
	uint64_t now = epoch_now(c);
	bool ok = false;

	for (uint64_t ago = 0; ago < 2 && ago <= now; ago++) {
		nonce_of(c, m->sock, &m->from, now - ago, nonce);
		ok |= sodium_memcmp(nonce, got, NONCE_LEN) == 0;
	}
	return ok;
}

static void
on_word(struct conn *c, const struct udx_message *m, const uint8_t *word)
{
	if (!conn_may_stay(c, m->sock))
		return;
	switch (word[0]) {
	case HERE:
		on_here(c, m);
		break;
	case CHALLENGE:
		say(c, ECHO, word + 1, m->sock, &m->from);
		break;
	case ECHO:
		if (is_echo(c, m, word + 1) && conn_move(c, m->sock, &m->from))
			conn_say_here(c);
		break;
	default: /* of a later version */
		break;
	}
}

void
conn_messages(struct conn *c)
{
	uint8_t plain[UDX_MTU_MAX];
	struct udx_message m;

	while (c->state == CONN_OPEN && udx_next_message(c->udx, &m))
		if (c->native && m.payload.len <= sizeof plain &&
		    secret_open_message(c->secret, &m, plain) >= WORD_LEN)
			on_word(c, &m, plain);
}
