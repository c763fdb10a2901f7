/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "control_rig.h"
#include "node/node_relay.h"
#include "node/node_swarm.h"
#include "t.h"
#include "udx/udx_trace.h"

struct control_rig rig;
static struct stats stats;
static struct limits limits;
static const struct world made_world;

static int
start_operation(uint32_t *op)
{
	*op = ++rig.node.last_op;
	return 0;
}

int
node_ping(struct node *n, const struct addr *to, uint32_t *op)
{
	(void)n;
	return to->port == 1 ? ERR_BUSY : start_operation(op);
}

int
node_netcheck(struct node *n, bool lifetime, uint32_t *op)
{
	n->lifetime = lifetime;
	return start_operation(op);
}

void
node_relay_status(const struct node *n, struct node_relay_status *out)
{
	(void)n;
	*out = (struct node_relay_status){0};
}

const struct netcheck_result *
node_netcheck_result(const struct node *n)
{
	return &n->netcheck;
}

const struct mapping *
node_mapping(const struct node *n)
{
	return &n->mapping;
}

const struct addr *
node_ipv6(const struct node *n, uint32_t i)
{
	static const struct addr a = {
	    .ip = {0x26, 0x06, [15] = 1}, .family = ADDR_V6};

	(void)n;
	return i == 0 ? &a : NULL;
}

bool
node_is_local(const struct node *n, const struct addr *host)
{
	return n->local && host->family != ADDR_NONE;
}

int
node_find_node(struct node *n, const uint8_t *target, uint32_t *op)
{
	(void)n;
	(void)target;
	return start_operation(op);
}

int
node_find(struct node *n, enum records_command command, const uint8_t *key,
    uint32_t *op)
{
	(void)n;
	(void)command;
	(void)key;
	return start_operation(op);
}

int
node_put_immutable(struct node *n, const void *v, size_t len, uint32_t *op)
{
	(void)n;
	(void)v;
	(void)len;
	return start_operation(op);
}

int
node_get_immutable(struct node *n, const uint8_t *hash, uint32_t *op)
{
	(void)n;
	(void)hash;
	return start_operation(op);
}

int
node_put_mutable(struct node *n, const struct key_pair *keys, uint64_t seq,
    const void *v, size_t len, uint32_t *op)
{
	memset(n->own_key, 0, KEY_LEN);
	if (keys != NULL)
		memcpy(n->own_key, keys->public_key, KEY_LEN);
	n->seq = seq;
	(void)v;
	(void)len;
	return start_operation(op);
}

int
node_get_mutable(struct node *n, const uint8_t *key, uint64_t seq, uint32_t *op)
{
	(void)n;
	(void)key;
	(void)seq;
	return start_operation(op);
}

/* As store/persistent.c does, without a node. */
static int
made_announce(void *owner, const struct stored_announcement *a, uint32_t *op)
{
	struct made_daemon *d = owner;

	if (stored_announcements_find(&d->announcements, a->topic, a->keys) !=
	    NULL)
		keyring_return(&d->keyring, a->keys);
	else
		ck_assert_int_eq(
		    stored_announcements_add(&d->announcements, &d->state, a),
		    0);
	return start_operation(op);
}

static int
made_unannounce(void *owner, const uint8_t *topic, const struct key_pair *keys,
    uint32_t *op)
{
	struct made_daemon *d = owner;

	if (stored_announcements_del(
		&d->announcements, &d->state, topic, keys) != UINT32_MAX)
		keyring_return(&d->keyring, keys);
	keyring_return(&d->keyring, keys);
	return start_operation(op);
}

void
queue_event(const struct node_event *n)
{
	ck_assert_uint_lt(rig.node.queue_len, EVENTS_MAX);
	rig.node.queue[rig.node.queue_len++] = *n;
}

void
node_cancel(struct node *n, uint32_t op)
{
	n->cancelled[n->cancelled_len++] = op;
	queue_event(&(struct node_event){
	    .kind = NODE_EV_DONE, .op = op, .err = ERR_CANCELLED});
}

void
node_status(const struct node *n, struct node_status *out)
{
	(void)n;
	*out = (struct node_status){.uptime_us = 5000000,
	    .dht = {.has_id = true,
		.public_address = addr_v4(192, 0, 2, 1, 0),
		.server_address = addr_v4(127, 0, 0, 1, 49737)}};
}

const struct stats *
node_stats(const struct node *n)
{
	(void)n;
	return &stats;
}

struct dht *
node_dht(struct node *n)
{
	(void)n;
	return NULL;
}

bool
node_announcement(
    const struct node *n, uint32_t after, struct node_announcement *out)
{
	(void)n;
	*out = (struct node_announcement){
	    .number = 1, .announced = true, .stored = 20};
	return after < 1;
}

void
dht_status(const struct dht *d, struct dht_status *out)
{
	(void)d;
	*out = (struct dht_status){.state = DHT_ONLINE};
}

bool
dht_entry(const struct dht *d, size_t i, struct dht_entry *out)
{
	(void)d;
	*out = (struct dht_entry){.name = "boot.example", .port = 49737};
	return i < 1;
}

bool
dht_node_after(const struct dht *d, uint32_t after, struct dht_node *out)
{
	(void)d;
	if (after >= rig.node.nodes)
		return false;
	/* As long as they get, so that a page is as long as it gets. */
	*out = (struct dht_node){.addr = addr_v4(255, 255, 255, 255, 65535),
	    .heard_s = UINT32_MAX,
	    .added_s = UINT32_MAX,
	    .row = 255,
	    .number = after + 1};
	return true;
}

const struct limits *
node_limits(const struct node *n)
{
	limits_init(&limits);
	if (n->operations_limit != 0)
		limits.operations = n->operations_limit;
	if (n->listeners_limit != 0)
		limits.listeners = n->listeners_limit;
	if (n->connections_limit != 0)
		limits.connections = n->connections_limit;
	if (n->announcements_limit != 0)
		limits.announcements = n->announcements_limit;
	return &limits;
}

static void
made_wake(void *owner)
{
	(void)owner;
}

/* In batches, as control_node_event() may end clients and so add events. */
static void
made_settle(void *owner)
{
	const struct made_daemon *d = owner;

	for (size_t i = 0; i < rig.node.queue_len; i++)
		control_node_event(d->control, &rig.node.queue[i]);
	rig.node.queue_len = 0;
}

static void
made_stop(void *owner)
{
	(void)owner;
	rig.node.stopped = true;
}

static int
made_reload(void *owner, struct fault *f)
{
	(void)owner;
	if (!rig.node.reload_fails)
		return 0;
	return fault_set(f, ERR_VALUE, "x.conf:3: \xff is not a port");
}

static int
made_key_new(void *owner, uint8_t public_key[KEY_LEN], struct fault *f)
{
	(void)owner;
	(void)f;
	memset(public_key, 7, KEY_LEN);
	return 0;
}

void
deliver_event(const struct node_event *n)
{
	queue_event(n);
	made_settle(&rig.daemon);
}

struct control *
made_control(struct made_daemon *d)
{
	static const struct control_ops ops = {made_wake, made_settle,
	    made_stop, made_reload, made_announce, made_unannounce,
	    made_key_new};
	const struct control_setup setup = {.base = d->base,
	    .node = &rig.node,
	    .world = &made_world,
	    .keyring = &d->keyring,
	    .announcements = &d->announcements,
	    .names = &rig.daemon.names,
	    .tunnels = &rig.daemon.tunnels,
	    .identity = &rig.identity,
	    .identity_saved = true,
	    .path = d->path,
	    .tick_ms = 5000,
	    .ops = &ops,
	    .owner = d};

	return control_new(&setup, &rig.fault);
}

/* ---- tunnels ---- */

void
make_tunnels(void)
{
	const struct node_loop loop = {.base = rig.daemon.base,
	    .node = &rig.node,
	    .tick_ms = 5000,
	    .wake = made_wake,
	    .settle = made_settle,
	    .owner = &rig.daemon};

	ck_assert_int_eq(
	    tunnels_init(&rig.daemon.tunnels, &loop, &rig.daemon.keyring), 0);
}

/* No test connects to an address of its input or listens there. */
int
tunnel_address_connect(const struct tunnel_address *a)
{
	(void)a;
	return ERR_SOCKET;
}

int
tunnel_address_listen(struct tunnel_address *a, struct fault *f)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)a;
	(void)f;
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

void
tunnel_address_remove(const struct tunnel_address *a)
{
	(void)a;
}

/* ---- connections ---- */

int
node_listen(struct node *n, const struct node_listen *l, uint32_t *listener)
{
	memcpy(n->own_key, l->keys->public_key, KEY_LEN);
	n->allow_len = l->allow_len;
	if (l->allow_len > 0)
		memcpy(n->allow, l->allow[l->allow_len - 1], KEY_LEN);
	n->ask = l->ask;
	n->listen_limits = l->limits;
	return n->refuse != 0 ? n->refuse : start_operation(listener);
}

void
node_unlisten(struct node *n, uint32_t listener)
{
	n->unlistened = listener;
	queue_event(
	    &(struct node_event){.kind = NODE_EV_UNLISTENED, .op = listener});
}

int
node_swarm_new(
    struct node *n, const struct node_swarm_config *c, uint32_t *number)
{
	n->allow_len = c->allow_len;
	memset(n->own_key, 0, KEY_LEN);
	if (c->keys != NULL)
		memcpy(n->own_key, c->keys->public_key, KEY_LEN);
	return n->refuse != 0 ? n->refuse : start_operation(number);
}

void
node_swarm_end(struct node *n, uint32_t number)
{
	node_unlisten(n, number);
}

int
node_swarm_join(struct node *n, uint32_t number, const uint8_t *topic,
    unsigned roles, uint32_t limit, uint32_t *session)
{
	(void)number;
	(void)limit;
	memcpy(n->key, topic, KEY_LEN);
	n->roles = roles;
	return start_operation(session);
}

void
node_swarm_leave(struct node *n, uint32_t number, uint32_t session)
{
	(void)number;
	n->left = session;
}

const struct swarm *
node_swarm(const struct node *n, uint32_t number)
{
	(void)n;
	(void)number;
	return NULL;
}

bool
node_swarm_shares(const struct node *n, uint32_t number, const uint8_t *key,
    const uint8_t *topic)
{
	(void)number;
	(void)key;
	return memcmp(n->shared, topic, KEY_LEN) == 0;
}

void
node_answer(struct node *n, uint32_t conn, bool accept)
{
	n->answered = conn;
	n->answer = accept;
}

int
node_connect(struct node *n, const struct node_connect *c, uint32_t *conn)
{
	memset(n->own_key, 0, KEY_LEN);
	if (c->keys != NULL)
		memcpy(n->own_key, c->keys->public_key, KEY_LEN);
	memcpy(n->key, c->key, KEY_LEN);
	n->relays_len = c->relays_len;
	n->timeout_ms = c->timeout_ms;
	n->named_by_user = c->relay_through != NULL;
	return n->refuse != 0 ? n->refuse : start_operation(conn);
}

uint32_t
node_retry_ms(const struct node *n, int err)
{
	return err == ERR_NAT_RANDOM ? n->retry_ms : 0;
}

bool
node_names_relay(struct node *n, const uint8_t *key)
{
	(void)key;
	return n->names_relay;
}

struct made_conn *
open_made_conn(uint32_t number)
{
	struct made_conn *c = &rig.conns[number];

	ck_assert_uint_lt(number, MADE_CONNS_MAX);
	memset(c, 0, offsetof(struct made_conn, in));
	c->used = true;
	c->room = sizeof c->out;
	return c;
}

static struct made_conn *
find_made_conn(uint32_t number)
{
	struct made_conn *c =
	    number < MADE_CONNS_MAX ? &rig.conns[number] : NULL;

	return c != NULL && c->used && !c->closed ? c : NULL;
}

struct bytes
node_conn_peek(struct node *n, uint32_t conn)
{
	struct made_conn *c = find_made_conn(conn);

	(void)n;
	if (c == NULL)
		return (struct bytes){0};
	return (struct bytes){c->in + c->in_used, c->in_len - c->in_used};
}

void
node_conn_consume(struct node *n, uint32_t conn, size_t len)
{
	(void)n;
	if (find_made_conn(conn) != NULL)
		rig.conns[conn].in_used += len;
}

bool
node_conn_ended(struct node *n, uint32_t conn)
{
	const struct made_conn *c = find_made_conn(conn);

	(void)n;
	return c != NULL && c->ended_there && c->in_used == c->in_len;
}

size_t
node_conn_space(struct node *n, uint32_t conn)
{
	(void)n;
	return find_made_conn(conn) != NULL
		   ? rig.conns[conn].room + rig.conns[conn].lied
		   : 0;
}

ptrdiff_t
node_conn_write(struct node *n, uint32_t conn, const void *p, size_t len)
{
	struct made_conn *c = find_made_conn(conn);

	(void)n;
	if (c == NULL)
		return ERR_CLOSED;
	ck_assert(!c->ended_here);
	if (c->fails != 0)
		return c->fails;
	len = len < c->room ? len : c->room;
	ck_assert_uint_le(len, sizeof c->out - c->out_len);
	memcpy(c->out + c->out_len, p, len);
	c->out_len += len;
	c->room -= len;
	return (ptrdiff_t)len;
}

uint64_t
node_conn_waiting(struct node *n, uint32_t conn)
{
	(void)n;
	return find_made_conn(conn) != NULL ? rig.conns[conn].waiting : 0;
}

void
node_conn_end(struct node *n, uint32_t conn)
{
	(void)n;
	if (find_made_conn(conn) != NULL)
		rig.conns[conn].ended_here = true;
}

void
node_conn_close(struct node *n, uint32_t conn)
{
	(void)n;
	if (find_made_conn(conn) != NULL)
		rig.conns[conn].closed = true;
	else
		n->cancelled[n->cancelled_len++] = conn;
}

/* As long as they get, so that a page is as long as it gets. */
static const struct addr long_addr = {
    .ip = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255},
    .port = 65535,
    .family = ADDR_V6};

/* Returns the number after `after` of the last n->listed numbers. */
static uint32_t
made_number(const struct node *n, uint32_t after)
{
	return after != 0 ? after + 1 : UINT32_MAX - n->listed + 1;
}

bool
node_conn(const struct node *n, uint32_t after, struct node_conn *out)
{
	if (n->traced != NULL) {
		*out = (struct node_conn){.conn = 1};
		memcpy(out->key, n->key, KEY_LEN);
		return after == 0;
	}
	*out = (struct node_conn){.conn = made_number(n, after),
	    .listener = UINT32_MAX,
	    .path = CONN_PATH_RELAYED,
	    .remote = long_addr,
	    .rtt_us = UINT32_MAX,
	    .bytes_in = INT64_MAX,
	    .bytes_out = INT64_MAX,
	    .packets_out = INT64_MAX,
	    .resent = INT64_MAX,
	    .age_us = INT64_MAX};
	return after != UINT32_MAX && n->listed > 0;
}

struct udx_trace *
node_conn_trace(struct node *n, uint32_t conn, int *err)
{
	ck_assert_uint_eq(conn, 1);
	return udx_trace_start(n->traced, err);
}

bool
node_listener(const struct node *n, uint32_t after, struct node_listener *out)
{
	*out = (struct node_listener){.listener = made_number(n, after),
	    .relays_len = UINT32_MAX,
	    .accepted = UINT32_MAX,
	    .refused = UINT32_MAX,
	    .conns_len = UINT32_MAX,
	    .age_us = INT64_MAX};
	return after != UINT32_MAX && n->listed > 0;
}

bool
node_attempt(const struct node *n, const uint8_t *key, uint32_t before,
    struct node_attempt *out)
{
	static struct dial_step steps[DIAL_STEPS_MAX];

	(void)key;
	for (size_t k = 0; k < sizeof steps / sizeof *steps; k++)
		steps[k] = (struct dial_step){.kind = DIAL_STEP_PATH_LOST,
		    .at_us = UINT32_MAX,
		    .path = CONN_PATH_RELAYED,
		    .addr = long_addr,
		    .err = ERR_ADDRESS_USED,
		    .number = UINT32_MAX};
	*out = (struct node_attempt){.number = made_number(n, before),
	    .conn = UINT32_MAX,
	    .age_us = INT64_MAX,
	    .err = ERR_ADDRESS_USED,
	    .steps = steps,
	    .steps_len = sizeof steps / sizeof *steps,
	    .steps_lost = UINT32_MAX};
	return before != UINT32_MAX && n->listed > 0;
}
