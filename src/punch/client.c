/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "punch/inside.h"
#include "records/record.h"
#include "signal/signal_message.h"

/*
 * Timers: one, `timer`, whose meaning is the state's:
 *	ASKS, DECLARES	the relay is slow: ask through another as well
 *	PAUSES		the server has had time for its verdict
 *	PUTS_OFF	the server may have a turn by now
 */
enum {
	SENDS = 9, /* four hops there and back: one in a hundred at 20 % loss */
	WAIT_MIN_MS = 60,
	WAIT_UNKNOWN_MS = 500,
	WAIT_FRAGILE_MS = 1500,
	WAIT_EXTRA_MS = 30,    /* what the server needs, and jitter */
	OTHER_RELAY_MS = 1000, /* protocol 04 §17.5 */
	PAUSE_MS = 1000,
	PUT_OFF_MS = 2000, /* and up to as much again */
	PROBE_ROUNDS = 2,
	GUESSES_MAX = 2,
	/* Not of the server's list: the relay of the handshake. */
	RELAY_OF_HANDSHAKE = UINT8_MAX,
};

static void on_answer(void *owner, const struct dht_answer *a);
static void on_timer(struct timer *t);
static void decide(struct puncher *p);
static void line_up(struct puncher *p);

void
client_init(struct puncher *p)
{
	p->client.timer.fire = on_timer;
	for (int i = 0; i < ASKS_MAX; i++)
		p->client.asks[i].of = p;
}

static void
cancel_asks(struct puncher *p)
{
	for (int i = 0; i < ASKS_MAX; i++)
		if (p->client.asks[i].request != NULL)
			dht_cancel(p->room->d, p->client.asks[i].request);
}

void
client_fini(struct puncher *p)
{
	p->client.state = CLIENT_IDLE;
	timer_disarm(p->room->core->timers, &p->client.timer);
	cancel_asks(p);
}

static void
enter(struct puncher *p, enum client_state state, uint32_t ms)
{
	p->client.state = state;
	if (ms == 0)
		timer_disarm(p->room->core->timers, &p->client.timer);
	else
		timer_arm(p->room->core->timers, &p->client.timer,
		    p->room->core->world->now_us + ms * UINT64_C(1000));
}

/* ---- messages ---- */

/* Through the relay, to the server as that relay sees it. */
static void
hop_of(const struct puncher *p, uint8_t entry, struct addr *relay,
    struct addr *server)
{
	if (entry == RELAY_OF_HANDSHAKE) {
		*relay = p->peer.relay;
		*server = p->peer.addr;
		return;
	}
	*relay = p->peer.relays[entry].relay;
	*server = p->peer.relays[entry].peer;
	/* It has seen the puncher's own address, which is fresher (pitfall P6).
	 */
	if (addr_equal(relay, &p->peer.relay))
		*server = p->peer.addr;
}

/*
 * QUIRK: a reference server takes a second copy of the message that declares a
 * random punch for another punch, has no turn for it, and ends both (its
 * limits, protocol 04 §12). It needs some time to open its sockets, too.
 */
static bool
is_fragile(const struct puncher *p)
{
	return p->client.state == CLIENT_DECLARES && !p->peer.native &&
	       probing_kind(p) != SCHEDULE_STEADY;
}

/*
 * The reply takes the handshake's way, so it takes as long. A lost datagram
 * costs little then, which an answer that comes late must not: the waits
 * double.
 */
static uint32_t
wait_ms(const struct puncher *p)
{
	uint64_t ms = p->peer.rtt_us / 1000;

	if (is_fragile(p))
		return WAIT_FRAGILE_MS;
	if (ms == 0)
		return WAIT_UNKNOWN_MS;
	ms += ms / 8 + WAIT_EXTRA_MS;
	return ms < WAIT_MIN_MS ? WAIT_MIN_MS : (uint32_t)ms;
}

static int
send_claims(struct puncher *p, const struct claims *c, uint8_t entry,
    uint8_t sends, struct ask *k)
{
	uint8_t box[CLAIMS_BOX_MAX], value[CLAIMS_BOX_MAX + 32];
	struct holepunch m = {
	    .mode = MODE_FROM_CLIENT, .id = p->peer.id, .payload.p = box};
	struct dht_call call = {.command = CMD_PEER_HOLEPUNCH,
	    .target = p->target,
	    .value.p = value,
	    .sends = sends,
	    .timeout_ms = wait_ms(p),
	    .doubling = true};
	struct dht_done done = {0};
	int err;

	hop_of(p, entry, &call.to, &m.peer);
	m.payload.len = puncher_seal(p, c, box);
	call.value.len = holepunch_encode(&m, value, sizeof value);
	if (m.payload.len == 0 || call.value.len == 0)
		return ERR_VALUE;
	if (k != NULL) {
		done = (struct dht_done){.call = on_answer, .owner = k};
		k->relay = entry;
	}
	err = dht_call_from(p->room->d, p->out->hole.sock, &call, done,
	    k != NULL ? &k->request : NULL);
	if (err == 0)
		lookout_sent(p->out, &call.to);
	return err;
}

static struct ask *
free_ask(struct puncher *p)
{
	for (int i = 0; i < ASKS_MAX; i++)
		if (p->client.asks[i].request == NULL)
			return &p->client.asks[i];
	return NULL;
}

/* The next message of the state, through this relay. */
static int
ask(struct puncher *p, uint8_t entry)
{
	struct punch_event e = {.kind = PUNCH_ROUND};
	struct client *cl = &p->client;
	struct claims c = {.round = cl->rounds};
	struct ask *k = free_ask(p);
	struct addr server;
	int err;

	if (k == NULL || cl->rounds > CLAIMS_ROUND_MAX)
		return ERR_LIMIT;
	puncher_claim(p, &c);
	/* The address that the relay saw a moment ago, not one of the
	 * announced list: the server compares it exactly (pitfalls P6, P7). */
	c.remote = p->peer.addr;
	if (cl->state == CLIENT_DECLARES) {
		c.punching = true;
		c.has_token = true;
		claims_token(c.token, p->token_secret, &p->peer.addr);
		c.has_remote_token = p->other.has_token;
		memcpy(c.remote_token, p->other.token, sizeof c.remote_token);
	}
	err = send_claims(p, &c, entry, SENDS, k);
	if (err != 0)
		return err;
	cl->relay = entry;
	hop_of(p, entry, &e.addr, &server);
	e.number = cl->rounds++;
	puncher_tell(p, &e);
	return 0;
}

/* The server's relay: the one of the handshake if it is listed, protocol 04 §7.
 */
static uint8_t
server_relay(const struct puncher *p)
{
	for (uint8_t i = 0; i < p->peer.relays_len; i++)
		if (addr_equal(&p->peer.relays[i].relay, &p->peer.relay))
			return i;
	return 0;
}

static void
send_round(struct puncher *p, enum client_state state, uint8_t entry)
{
	int err;

	cancel_asks(p);
	enter(p, state, OTHER_RELAY_MS);
	if ((err = ask(p, entry)) != 0)
		puncher_fail(p, err);
}

static void
probe_round(struct puncher *p)
{
	p->client.probe_rounds++;
	p->client.fresh = false;
	send_round(p, CLIENT_ASKS, server_relay(p));
}

/* Tells the server that nothing will come of it, and why to the owner. */
static void
give_up(struct puncher *p, int err)
{
	struct claims c = {.error = CLAIMS_ABORTED, .round = p->client.rounds};

	send_claims(p, &c, server_relay(p), 1, NULL);
	puncher_fail(p, err);
}

/* ---- the beginning ---- */

/*
 * Opens our NAT towards the server. Behind a random NAT a probe that dies on
 * the way opens nothing that the server could find; but one that arrives may
 * be let in, if the server's NAT goes by our host or by nothing.
 */
static void
knock(struct puncher *p)
{
	const struct gauge *n = &p->out->gauge;

	if (n->verdict == VERDICT_RANDOM) {
		p->client.knocked = true;
		probing_knock(p, &p->peer.addr, false);
	} else if (!p->peer.native) {
		probing_knock(p, &p->peer.addr, true);
	}
}

void
client_begin(struct puncher *p)
{
	struct punch_event e = {.kind = PUNCH_CANDIDATE, .addr = p->peer.addr};

	/* Where ports count up, the search for the server has taken nobody
	 * knows how many: only a new socket can tell what comes next. */
	if (gauge_step(&p->out->gauge) != 0)
		puncher_reopen(p);
	e.sock = p->out->hole.sock;
	knock(p);
	probe_round(p);
	/* A server of ours has opened its NAT for our socket already: the
	 * first packet of the stream may pass, protocol 04 §17.2. */
	if (p->peer.native && p->err == 0) {
		lookout_sent(p->out, &p->peer.addr);
		puncher_tell(p, &e);
	}
}

/* ---- answers ---- */

/*
 * Takes what the server says. Another address than the handshake showed, from
 * the same relay: it has opened another socket (protocol 04 §7, step 9).
 */
static void
hear(struct puncher *p, const struct dht_answer *a, const struct holepunch *m,
    const struct claims *c)
{
	struct punch_event e = {.kind = PUNCH_ANSWER, .addr = a->from};
	const struct addr *proven = NULL;

	if (claims_echo(c, p->token_secret, &p->peer.addr))
		proven = &p->peer.addr;
	puncher_hear(p, c, proven);
	if (m->peer.family != ADDR_NONE &&
	    addr_equal(&a->from, &p->peer.relay) &&
	    !addr_equal(&m->peer, &p->peer.addr)) {
		p->peer.addr = m->peer;
		knock(p);
	}
	e.number = p->other.verdict;
	puncher_tell(p, &e);
}

/* Another turn may be free later; only a server of ours waits for us. */
static void
put_off(struct puncher *p)
{
	turns_end(&p->room->turns, &p->turn);
	if (!p->peer.native)
		puncher_fail(p, ERR_PEER_BUSY);
	else
		enter(p, CLIENT_PUTS_OFF,
		    PUT_OFF_MS + world_below(p->room->core->world, PUT_OFF_MS));
}

static void
probe(struct puncher *p)
{
	int err = p->other.punching ? probing_start(p, 0) : ERR_ABORTED;

	if (err != 0)
		give_up(p, err);
	else
		enter(p, CLIENT_PROBES, 0);
}

static int
why_aborted(const struct puncher *p, const struct claims *c)
{
	struct self self;

	puncher_self(p, &self);
	return self.verdict == VERDICT_RANDOM &&
		       verdict_of(c->firewall) == VERDICT_RANDOM
		   ? ERR_NAT_RANDOM
		   : ERR_ABORTED;
}

static void
answered(struct puncher *p, const struct claims *c)
{
	enum client_state state = p->client.state;

	if (c->error == CLAIMS_TRY_LATER && state == CLIENT_DECLARES)
		put_off(p);
	else if (c->error != CLAIMS_OK)
		puncher_fail(p, why_aborted(p, c));
	else if (state == CLIENT_DECLARES)
		probe(p);
	else if (p->other.verdict == VERDICT_UNKNOWN)
		enter(p, CLIENT_PAUSES, PAUSE_MS);
	else
		decide(p);
}

static int
read_reply(const struct puncher *p, const struct dht_answer *a,
    struct holepunch *m, struct claims *c)
{
	struct bytes v = a->reply->value;
	int err = a->reply->error != RPC_OK ? ERR_REFUSED
					    : holepunch_decode(m, v.p, v.len);

	if (err == 0 && m->mode != MODE_REPLY)
		err = ERR_VALUE;
	return err != 0 ? err : claims_open(c, p->secret, m->payload);
}

static bool
is_asking(const struct puncher *p)
{
	for (int i = 0; i < ASKS_MAX; i++)
		if (p->client.asks[i].request != NULL)
			return true;
	return false;
}

/* The relay that comes after the one used last; false: no other. */
static bool
ask_another(struct puncher *p)
{
	struct client *cl = &p->client;
	uint8_t next = cl->relay == RELAY_OF_HANDSHAKE ? 0 : cl->relay + 1;

	for (; next < p->peer.relays_len; next++)
		if (!addr_equal(&p->peer.relays[next].relay, &p->peer.relay))
			return ask(p, next) == 0;
	return false;
}

static void
on_answer(void *owner, const struct dht_answer *a)
{
	struct ask *k = owner;
	struct puncher *p = k->of;
	struct holepunch m;
	struct claims c;
	int err = a->err;

	k->request = NULL;
	if (p->client.state == CLIENT_IDLE || err == ERR_CANCELLED)
		return;
	if (err == 0)
		err = read_reply(p, a, &m, &c);
	if (err != 0) {
		/* A relay that lies is like one that is silent. */
		if (!ask_another(p) && !is_asking(p))
			puncher_fail(p, err);
		return;
	}
	if (a->sock == p->out->hole.sock)
		lookout_saw(p->out, &a->reply->to, &a->from);
	timer_disarm(p->room->core->timers, &p->client.timer);
	cancel_asks(p);
	hear(p, a, &m, &c);
	answered(p, &c);
}

/* ---- between the rounds ---- */

void
client_sampled(struct puncher *p)
{
	if (p->out->gauge.verdict == VERDICT_RANDOM && !p->client.knocked &&
	    gauge_decided(&p->out->gauge))
		knock(p);
	if (p->client.state == CLIENT_SAMPLES)
		decide(p);
}

/* Steps 6 to 8 of protocol 04 §7. */
static void
decide(struct puncher *p)
{
	struct client *cl = &p->client;
	bool bad;

	enter(p, CLIENT_SAMPLES, 0);
	if (!gauge_decided(&p->out->gauge))
		return;
	bad = puncher_is_bad(p);
	if (bad && puncher_reopen(p)) {
		cl->fresh = true;
		if (!gauge_decided(&p->out->gauge))
			return;
		bad = puncher_is_bad(p);
	}
	if ((cl->fresh || p->other.verdict == VERDICT_UNKNOWN ||
		!p->other.has_token) &&
	    !(bad && cl->fresh) &&
	    cl->probe_rounds < PROBE_ROUNDS + p->reopened) {
		probe_round(p);
		return;
	}
	if (bad && p->other.verdict == VERDICT_RANDOM)
		give_up(p, ERR_NAT_RANDOM);
	else if (bad || p->other.verdict == VERDICT_UNKNOWN)
		give_up(p, ERR_NAT_UNKNOWN);
	else
		line_up(p);
}

static void
declare(struct puncher *p)
{
	send_round(p, CLIENT_DECLARES, RELAY_OF_HANDSHAKE);
}

/* Whoever punches at random waits for a turn, before the server is told. */
static void
line_up(struct puncher *p)
{
	enum schedule_kind kind = probing_kind(p);
	int err = 0;

	puncher_freeze(p);
	if (kind == SCHEDULE_FAN || kind == SCHEDULE_SPRAY)
		err = turns_ask(&p->room->turns, &p->turn,
		    kind == SCHEDULE_FAN ? TURN_FAN : TURN_SPRAY, NULL);
	if (err < 0)
		give_up(p, err);
	else if (err == 1)
		enter(p, CLIENT_LINES_UP, 0);
	else
		declare(p);
}

void
client_turn(struct puncher *p)
{
	declare(p);
}

static void
on_timer(struct timer *t)
{
	struct client *cl = container_of(t, struct client, timer);
	struct puncher *p = container_of(cl, struct puncher, client);

	switch (cl->state) {
	case CLIENT_ASKS:
	case CLIENT_DECLARES:
		if (!is_fragile(p) && ask_another(p))
			enter(p, cl->state, OTHER_RELAY_MS);
		break;
	case CLIENT_PAUSES:
		decide(p);
		break;
	case CLIENT_PUTS_OFF:
		line_up(p);
		break;
	default:
		break;
	}
}

bool
client_again(struct puncher *p)
{
	struct client *cl = &p->client;

	if (cl->state != CLIENT_PROBES || !puncher_guesses(p))
		return false;
	probing_stop(p);
	/* The last try is without guessing. A reference server has taken a
	 * second for the first, and would for another. */
	p->honest = !p->peer.native || ++cl->guesses >= GUESSES_MAX;
	if (!puncher_reopen(p))
		return false;
	cl->fresh = true;
	cl->probe_rounds = 0;
	decide(p);
	return true;
}
