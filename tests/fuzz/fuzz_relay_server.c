/* SPDX-License-Identifier: ISC */
/*
 * Fuzzes the server of a blind relay with up to eight hostile sessions: a
 * script joins, leaves, pairs, unpairs, sends any bytes and lets time pass.
 * Every pairing joins two sessions that live, no limit is exceeded, each link
 * ends once, and nothing is left at the end.
 */
#include "fuzz.h"
#include "relay/relay_message.h"
#include "relay/relay_server.h"
#include "stream/mux.h"
#include "world/core_host.h"

enum { PARTIES = 8, LINKS = 64, SESSIONS_MAX = 12, RAW_MAX = 64 };

enum step {
	STEP_JOIN,
	STEP_LEAVE,
	STEP_PAIR,
	STEP_UNPAIR,
	STEP_RAW,
	STEP_WAIT,
	STEP_READ,
	STEP_REFUSE,
	STEP_END_LINK,
	STEPS
};

struct party {
	struct relay_session *session; /* NULL: it has not joined */
	struct mux *mux;               /* writes what an honest client would */
	uint32_t channel;
	bool native;
};

struct link {
	struct relay_pairing *pairing; /* NULL: not used */
};

struct rig {
	struct core_host host;
	struct relay_server *server;
	struct party parties[PARTIES];
	struct link links[LINKS];
	uint32_t links_len;
	struct fuzz_script script;
};

static void
leave(struct party *p)
{
	relay_session_free(p->session);
	mux_free(p->mux);
	*p = (struct party){0};
}

static void
join(struct rig *g, unsigned i, uint8_t how)
{
	struct party *p = &g->parties[i];
	uint8_t key[KEY_LEN] = {(uint8_t)(how & 3)};
	struct mux_name name = {
	    .protocol = {(const uint8_t *)RELAY_PROTOCOL, 11},
	    .id = {key, KEY_LEN}};
	struct relay_peer peer = {.key = key,
	    .addr = fuzz_node(how & 1),
	    .exempt = (how & 0xc0) == 0xc0,
	    .native = how & 4,
	    .number = i + 1};

	if (p->session != NULL ||
	    relay_session_new(g->server, &peer, &p->session) != 0)
		return;
	p->native = peer.native;
	p->mux = mux_new();
	MUST(p->mux != NULL);
	MUST(mux_open(p->mux, &name, (struct bytes){0}, &p->channel) == 0);
}

/* ---- orders ---- */

static struct link *
free_link(struct rig *g)
{
	for (int i = 0; i < LINKS; i++)
		if (g->links[i].pairing == NULL)
			return &g->links[i];
	return NULL;
}

static void
link_pairing(struct rig *g, const struct relay_order *o)
{
	static const uint32_t ids[RELAY_ROLE_MAX] = {501, 502};
	struct link *l = free_link(g);

	for (int i = 0; i < RELAY_ROLE_MAX; i++)
		MUST(g->parties[o->end[i].session - 1].session != NULL);
	if (l == NULL || (fuzz_next(&g->script) & 7) == 7) {
		relay_server_ended(g->server, o->pairing);
		return;
	}
	l->pairing = o->pairing;
	g->links_len++;
	relay_server_linked(g->server, o->pairing, l, ids);
}

static void
execute_orders(struct rig *g)
{
	struct relay_order o;

	while (relay_server_next(g->server, &o)) {
		struct link *l = o.owner;

		if (o.kind == RELAY_ORDER_LINK) {
			link_pairing(g, &o);
		} else if (o.kind == RELAY_ORDER_UNLINK) {
			MUST(l >= g->links && l < g->links + LINKS);
			MUST(l->pairing != NULL);
			l->pairing = NULL;
			g->links_len--;
		} else {
			leave(&g->parties[o.end[0].session - 1]);
		}
	}
}

/* ---- steps ---- */

static void
deliver(struct party *p, struct bytes message)
{
	if (relay_session_read(p->session, message) != 0)
		leave(p);
}

/* Sends what the honest half of a party has queued. */
static void
carry(struct party *p)
{
	struct bytes m;

	while (p->session != NULL && (m = mux_peek(p->mux)).p != NULL) {
		uint8_t *copy = malloc(m.len);

		MUST(copy != NULL);
		memcpy(copy, m.p, m.len);
		mux_consume(p->mux);
		deliver(p, (struct bytes){copy, m.len});
		free(copy);
	}
}

static void
send_message(struct party *p, uint8_t what, bool pairs)
{
	struct relay_pair pair = {.initiator = what & 1, .stream_id = what};
	struct relay_unpair unpair = {{0}};
	uint8_t body[RELAY_MESSAGE_MAX];
	size_t len;

	pair.token[0] = unpair.token[0] = what >> 1 & 7;
	len = pairs ? relay_pair_encode(&pair, body, sizeof body)
		    : relay_unpair_encode(&unpair, body, sizeof body);
	if (mux_send(p->mux, p->channel, pairs ? RELAY_PAIR : RELAY_UNPAIR,
		body, len) == 0)
		carry(p);
}

static void
send_raw(struct rig *g, struct party *p, uint8_t len)
{
	uint8_t buf[RAW_MAX], *copy;

	carry(p);
	if (p->session == NULL)
		return;
	len %= RAW_MAX + 1;
	for (int i = 0; i < len; i++)
		buf[i] = fuzz_next(&g->script);
	copy = malloc(len > 0 ? len : 1);
	MUST(copy != NULL);
	memcpy(copy, buf, len);
	deliver(p, (struct bytes){copy, len});
	free(copy);
}

/* Reads all that is sent to a party: others than natives get no message that
 * the reference would not send. */
static void
read_all(struct party *p)
{
	struct bytes m;
	struct mux_event ev;
	int result = MUX_DONE;

	while ((m = relay_session_peek(p->session)).p != NULL) {
		while ((result = mux_read(p->mux, m, &ev)) == MUX_EVENT)
			if (ev.kind == MUX_MESSAGE && !p->native)
				MUST(ev.type <= RELAY_UNPAIR);
		relay_session_consume(p->session);
		if (result != MUX_DONE)
			break;
	}
}

static void
end_link(struct rig *g, uint8_t which)
{
	struct link *l = &g->links[which % LINKS];

	if (l->pairing == NULL)
		return;
	relay_server_ended(g->server, l->pairing);
	l->pairing = NULL;
	g->links_len--;
}

static void
run_step(struct rig *g)
{
	uint8_t step = fuzz_next(&g->script) % STEPS;
	unsigned i = fuzz_next(&g->script) % PARTIES;
	uint8_t what = fuzz_next(&g->script);
	struct party *p = &g->parties[i];

	if (step == STEP_JOIN)
		join(g, i, what);
	else if (step == STEP_WAIT)
		core_host_pass_ms(&g->host, what * 500);
	else if (step == STEP_END_LINK)
		end_link(g, what);
	else if (p->session == NULL)
		return;
	else if (step == STEP_LEAVE)
		leave(p);
	else if (step == STEP_PAIR || step == STEP_UNPAIR)
		send_message(p, what, step == STEP_PAIR);
	else if (step == STEP_RAW)
		send_raw(g, p, what);
	else if (step == STEP_READ)
		read_all(p);
	else if (step == STEP_REFUSE)
		relay_session_refuse(p->session,
		    &(struct relay_refusal){RELAY_REASON_SPENT, what});
}

static void
check(const struct rig *g)
{
	struct relay_server_status st;

	relay_server_status(g->server, &st);
	MUST(st.sessions <= SESSIONS_MAX);
	MUST(st.linked == g->links_len);
	MUST(st.waiting + 2 * st.linked <= SESSIONS_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig g;
	struct relay_server_status st;

	g = (struct rig){.script = {data, data + size}};
	core_host_init(&g.host, NULL, 1);
	g.host.limits.relay_sessions = SESSIONS_MAX;
	g.host.limits.relay_sessions_key = 5;
	g.host.limits.relay_session_pairings = 4;
	g.server = relay_server_new(&g.host.core);
	MUST(g.server != NULL);
	while (g.script.p < g.script.end) {
		run_step(&g);
		execute_orders(&g);
		check(&g);
	}
	for (int i = 0; i < PARTIES; i++)
		leave(&g.parties[i]);
	execute_orders(&g);
	MUST(g.links_len == 0);
	relay_server_status(g.server, &st);
	MUST(st.sessions + st.waiting + st.linked == 0);
	relay_server_free(g.server);
	core_host_fini(&g.host);
	return 0;
}
