/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "node/node_conn.h"
#include "node/node_struct.h"

enum {
	ANNOUNCE_MS = 10 * 60 * 1000, /* records live 20 min at the least */
	SLEEP_MIN_US = 15 * 1000000,  /* protocol 01 §15 */
};

/*
 * Command numbers of the router; src/records serves all others. Protocol 02 §1.
 */
enum { CMD_ROUTER_LAST = 1 };

void
node_config_init(struct node_config *c)
{
	*c = (struct node_config){
	    .announce_ms = ANNOUNCE_MS, .finds_relays = true};
	dht_config_init(&c->dht);
	limits_init(&c->limits);
}

static bool
make_modules(struct node *n)
{
	static const struct node_event left = {.kind = NODE_EV_LEFT};
	const struct core *core = &n->core;
	struct peers_base below = {.local = &n->local,
	    .identity = n->config.identity,
	    .host6 = n->config.host6};

	n->leave.left = event_item_new(&left);
	n->dht = dht_new(core, &n->config.dht);
	if (n->leave.left == NULL || n->dht == NULL)
		return false;
	n->udx = udx_new(core);
	if (n->udx == NULL)
		return false;
	n->records = records_new(core, n->dht);
	if (n->records == NULL)
		return false;
	n->router = router_new(core, n->dht, n->records);
	if (n->router == NULL)
		return false;
	n->punch = punch_new(core, n->dht, n->router);
	if (n->punch == NULL)
		return false;
	below.dht = n->dht;
	below.records = n->records;
	below.router = n->router;
	below.udx = n->udx;
	below.punch = n->punch;
	below.relay_keys = n->config.relay_keys;
	below.finds_relays = n->config.finds_relays;
	n->peers = peers_new(core, &below);
	return n->peers != NULL;
}

struct node *
node_new(struct world *w, const struct node_config *c)
{
	struct node *n = calloc(1, sizeof *n);

	if (n == NULL)
		return NULL;
	n->world = w;
	n->config = *c;
	n->core = (struct core){
	    .world = w,
	    .timers = &n->timers,
	    .stats = &n->stats,
	    .limits = &n->config.limits,
	};
	n->started_us = w->now_us;
	event_queue_init(&n->events, &n->core);
	node_swarms_init(n);
	timers_init(&n->timers);
	w->ops->random(w, &n->core.hash_key, sizeof n->core.hash_key);
	if (!make_modules(n)) {
		node_free(n);
		return NULL;
	}
	return n;
}

void
node_free(struct node *n)
{
	if (n == NULL)
		return;
	/* Completion callbacks of a module may use the modules above it. */
	n->leave.started = true;
	if (n->dht != NULL)
		dht_end(n->dht);
	node_swarms_fini(n);
	peers_free(n->peers);
	relay_announcer_fini(n);
	announcements_fini(n);
	node_ops_fini(n);
	punch_free(n->punch);
	router_free(n->router);
	records_free(n->records);
	udx_free(n->udx);
	dht_free(n->dht);
	event_queue_fini(&n->events);
	free(n->leave.left);
	timers_fini(&n->timers);
	free(n);
}

int
node_start(struct node *n)
{
	int err = dht_start(n->dht);

	if (err == 0)
		peers_local_changed(n->peers);
	return err;
}

/* ---- input from the world ---- */

/* Forwards a signal for other nodes or passes it to a listener of this node. */
static int
serve_signal(struct node *n, const struct dht_request *rq)
{
	struct router_call call;
	int verdict = router_serve(n->router, rq, &call);

	return verdict == ROUTER_HANDED_UP ? peers_call(n->peers, &call)
					   : verdict;
}

/* Treats timers that are late by SLEEP_MIN_US like a sleep of the machine: the
 * process was stopped, or the virtual machine paused. */
static void
check_stall(struct node *n)
{
	uint64_t now_us = n->world->now_us,
		 due_us = timers_deadline(&n->timers);

	/* The timers stay late until they have run. */
	if (due_us < n->stalled_us)
		due_us = n->stalled_us;
	if (due_us >= now_us || now_us - due_us < SLEEP_MIN_US)
		return;
	n->stalled_us = now_us;
	node_slept(n, now_us - due_us);
}

int
node_recv(struct node *n, const struct dgram *dg)
{
	struct dht_request rq;
	int verdict;

	check_stall(n);
	n->stats.rx_datagrams++;
	n->stats.rx_bytes += dg->len;
	if (dg->len > DGRAM_MAX)
		return stats_drop(&n->stats, ERR_SIZE);
	/* Protocol 01 §1.1: packets of a stream first, then the others. */
	verdict = udx_recv(n->udx, dg);
	if (verdict != UDX_NOT_MINE)
		return verdict;
	verdict = punch_recv(n->punch, dg);
	if (verdict != PUNCH_NOT_MINE)
		return verdict;
	verdict = dht_recv(n->dht, dg, &rq);
	if (verdict < 0)
		return verdict;
	if (dg->buf[0] == RPC_REQUEST)
		records_note_host(n->records, &dg->from);
	if (verdict != DHT_HANDED_UP)
		return 0;
	if (rq.m.command <= CMD_ROUTER_LAST)
		return serve_signal(n, &rq);
	return records_serve(n->records, &rq);
}

uint64_t
node_deadline(const struct node *n)
{
	return timers_deadline(&n->timers);
}

void
node_tick(struct node *n)
{
	check_stall(n);
	timers_run(&n->timers, n->world->now_us);
}

void
node_slept(struct node *n, uint64_t us)
{
	udx_slept(n->udx, us);
	if (us < SLEEP_MIN_US)
		return;
	dht_wakeup(n->dht);
	punch_wake(n->punch);
	announcements_renew(n);
	peers_renew(n->peers);
	peers_moved(n->peers);
	node_swarms_network_changed(n);
}

void
node_network_changed(struct node *n)
{
	dht_network_changed(n->dht);
	punch_wake(n->punch);
	announcements_renew(n);
	peers_renew(n->peers);
	peers_moved(n->peers);
	node_swarms_network_changed(n);
}

void
node_set_local(struct node *n, const struct addr *local,
    const uint8_t *prefix_len, size_t len)
{
	struct local_addrs before = n->local;

	local_addrs_set(&n->local, local, prefix_len, len);
	if (before.v6_len != n->local.v6_len ||
	    memcmp(before.v6, n->local.v6, sizeof before.v6) != 0)
		peers_local_changed(n->peers);
}

void
node_writable(struct node *n, int sock)
{
	udx_writable(n->udx, sock);
}

void
node_resolved(struct node *n, uint32_t ticket, const struct addr *a)
{
	dht_resolved(n->dht, ticket, a);
}

/* ---- events ---- */

/* Acts on the pending event bits of the DHT and queues an event for each. */
static void
collect_dht_events(struct node *n)
{
	static const struct {
		enum dht_event event;
		enum node_event_kind kind;
	} kinds[] = {
	    {DHT_EV_WAKEUP, NODE_EV_WAKEUP},
	    {DHT_EV_EPHEMERAL, NODE_EV_EPHEMERAL},
	    {DHT_EV_ADDRESS, NODE_EV_ADDRESS},
	    {DHT_EV_BOOTSTRAPPED, NODE_EV_BOOTSTRAPPED},
	    {DHT_EV_PERSISTENT, NODE_EV_PERSISTENT},
	    {DHT_EV_HEALTH, NODE_EV_HEALTH},
	};
	unsigned events = dht_events(n->dht);

	/* The nodes that we announced ourselves to forward to the other socket
	 * (pitfall T5); before the bootstrap there were no nodes to query. */
	if (events & (DHT_EV_MOVED | DHT_EV_BOOTSTRAPPED))
		peers_renew(n->peers);
	if (events & DHT_EV_BACK) {
		announcements_renew(n);
		peers_renew(n->peers);
		node_swarms_network_changed(n);
	}
	if (events & DHT_EV_REPACED) {
		peers_repace(n->peers);
		punch_keepalive_changed(n->punch);
	}

	for (size_t i = 0; events != 0 && i < sizeof kinds / sizeof *kinds;
	     i++) {
		struct node_event ev = {.kind = kinds[i].kind};
		struct dht_status st;

		if (!(events & kinds[i].event))
			continue;
		dht_status(n->dht, &st);
		ev.node = st.public_address;
		memcpy(ev.id, st.id, ID_LEN);
		event_queue_push(&n->events, &ev);
	}
}

bool
node_poll(struct node *n, struct node_event *out)
{
	collect_dht_events(n);
	return event_queue_pop(&n->events, out) || node_conn_poll(n, out);
}

/* ---- status ---- */

void
node_status(const struct node *n, struct node_status *out)
{
	struct records_status rs;

	*out = (struct node_status){
	    .announcements = announcements_count(n),
	    .operations = HASH_COUNT(n->ops.by_number),
	    .uptime_us = n->world->now_us - n->started_us,
	};
	dht_status(n->dht, &out->dht);
	records_status(n->records, &rs);
	out->records = rs.records;
	out->topics = rs.topics;
	out->forwards = rs.forwards;
	out->values = rs.values;
	out->value_bytes = rs.value_bytes;
}

const struct stats *
node_stats(const struct node *n)
{
	return &n->stats;
}

void
node_count_sent(struct node *n, uint64_t lost, uint64_t delayed)
{
	n->stats.tx_lost = lost;
	n->stats.tx_delayed = delayed;
}

const struct limits *
node_limits(const struct node *n)
{
	return &n->config.limits;
}

struct dht *
node_dht(struct node *n)
{
	return n->dht;
}

void
node_set_limits(struct node *n, const struct limits *l)
{
	n->config.limits = *l;
	dht_limits_changed(n->dht);
	records_limits_changed(n->records);
	router_limits_changed(n->router);
	punch_limits_changed(n->punch);
	peers_limits_changed(n->peers);
}

const struct netcheck_result *
node_netcheck_result(const struct node *n)
{
	return &n->netcheck;
}

const struct mapping *
node_mapping(const struct node *n)
{
	return dht_mapping(n->dht);
}

const struct addr *
node_ipv6(const struct node *n, uint32_t i)
{
	for (uint8_t k = 0; k < n->local.v6_len; k++)
		if (addr_scope(&n->local.v6[k]) == ADDR_PUBLIC && i-- == 0)
			return &n->local.v6[k];
	return NULL;
}

bool
node_is_local(const struct node *n, const struct addr *host)
{
	return local_addrs_has(&n->local, host) ||
	       addr_scope(host) == ADDR_LOOPBACK;
}
